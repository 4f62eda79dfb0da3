#!/usr/bin/env python3
"""Compiles and links the Swift package's C++ sources as a dynamic library for macOS on 64-bit Arm, with zig's clang,
its macOS headers and linker, on any machine; then looks at what came out.

    platforms/apple/macho.py PACKAGE FOLDER

PACKAGE is what platforms/apple/package wrote, FOLDER is for objects and library. Needs ziglang, a Python package
(pip install ziglang==0.13.0). Checks: every source compiles without a warning; the library is a Mach-O file for arm64
that needs libSystem alone and nothing of C++; it exports kinglet.h; the kernels for each processor are in it, and none
of its functions fuses a product with a sum.
"""

import concurrent.futures
import os
import pathlib
import re
import struct
import subprocess
import sys

ZIG = [sys.executable, "-m", "ziglang"]
TARGET = ["-target", "aarch64-macos"]

# Instructions as (mask, value), from the Arm architecture's manual.
NEWER = {"sdot by element": (0xFFC0F400, 0x4F80E000), "smmla": (0xFFE0FC00, 0x4E80A400)}
FUSED = {
    "fmadd and its kin": (0xFF000000, 0x1F000000),
    "fmla": (0xBFA0FC00, 0x0E20CC00),
    "fmls": (0xBFA0FC00, 0x0EA0CC00),
    "fmla by element": (0xBF80F400, 0x0F801000),
    "fmls by element": (0xBF80F400, 0x0F805000),
}


def compile_one(core, source, out):
    target = out / (str(source.relative_to(core)).replace("/", "_") + ".o")
    includes = [f"-I{core / folder}" for folder in ("runtime", "kernels", "include")]
    command = [*ZIG, "c++", *TARGET, "-std=c++20", "-O1", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden",
               "-Wall", "-Wextra", "-Werror",
               '-DKINGLET_VERSION="0.1.0"', "-DNDEBUG", *includes, "-isystem", core / "generated",
               "-isystem", core, "-c", source, "-o", target]
    result = subprocess.run(command, capture_output=True, text=True)
    return target, result.stderr if result.returncode != 0 else ""


def symbols(library):
    """(exported, undefined, libraries that it needs, instructions) of a 64-bit Mach-O file."""
    data = library.read_bytes()
    magic, cpu, _, kind, count, *_ = struct.unpack_from("<8I", data)
    if (magic, cpu, kind) != (0xFEEDFACF, 0x0100000C, 6):
        sys.exit(f"{library}: not a 64-bit Mach-O dynamic library for arm64: {magic:#x}, {cpu:#x}, {kind}")
    exported, undefined, needed, code, at = set(), set(), [], (), 32
    for _ in range(count):
        command, size = struct.unpack_from("<2I", data, at)
        if command == 0x2:  # LC_SYMTAB
            place, entries, strings, _ = struct.unpack_from("<4I", data, at + 8)
            for i in range(entries):
                name, type_, _, _, _ = struct.unpack_from("<IBBHQ", data, place + 16 * i)
                text = data[strings + name:data.index(b"\0", strings + name)].decode()
                if type_ & 0x01 and not type_ & 0xE0:  # N_EXT and no debugger's entry
                    (undefined if type_ & 0x0E == 0 else exported).add(text)
        elif command == 0x19:  # LC_SEGMENT_64
            for i in range(struct.unpack_from("<I", data, at + 64)[0]):
                name, _, _, length, place = struct.unpack_from("<16s16sQQI", data, at + 72 + 80 * i)
                if name.rstrip(b"\0") == b"__text":
                    code = struct.unpack_from(f"<{length // 4}I", data, place)
        elif command == 0xC:  # LC_LOAD_DYLIB
            offset, = struct.unpack_from("<I", data, at + 8)
            needed.append(data[at + offset:at + size].split(b"\0")[0].decode())
        at += size
    return exported, undefined, needed, code


def main():
    package, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    core = package / "Sources/CKinglet"
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("ZIG_GLOBAL_CACHE_DIR", str(out / "cache"))
    os.environ.setdefault("ZIG_LOCAL_CACHE_DIR", str(out / "cache"))
    sources = sorted(core.glob("kernels/**/*.cc")) + sorted(core.glob("runtime/**/*.cc"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda source: compile_one(core, source, out), sources))
    errors = [f"{target.name}: {error}" for target, error in results if error]
    if errors:
        sys.exit("\n".join(errors))
    library = out / "libkinglet.dylib"
    # By the C driver: a function of libc++ would be a name that cannot be found.
    subprocess.run([*ZIG, "cc", *TARGET, "-shared", "-o", library, *[target for target, _ in results]], check=True)

    exported, undefined, needed, code = symbols(library)
    header = (core / "include/kinglet.h").read_text()
    wanted = {"_" + name for name in re.findall(r"^KINGLET_API [\w \*]*?(kinglet_\w+)\(", header, re.MULTILINE)}
    problems = [f"does not export {name}" for name in sorted(wanted - exported)]
    problems += [f"needs {name}" for name in needed if not name.startswith("/usr/lib/libSystem")]
    problems += [f"needs the C++ function {name}" for name in sorted(undefined)
                 if name.startswith(("__Z", "___cxa", "___gxx"))]
    for what, (mask, value) in NEWER.items():
        if not any(word & mask == value for word in code):
            problems.append(f"has no {what}: the kernels for newer processors are missing")
    for what, (mask, value) in FUSED.items():
        if count := sum(word & mask == value for word in code):
            problems.append(f"has {what} {count} times: products and sums must not be fused")
    if problems:
        sys.exit(f"{library}:\n  " + "\n  ".join(problems))
    print(f"{len(sources)} sources, {library}: {library.stat().st_size} bytes, {len(wanted)} functions of kinglet.h, "
          f"{len(undefined)} undefined symbols, all of {', '.join(needed)}")


if __name__ == "__main__":
    main()
