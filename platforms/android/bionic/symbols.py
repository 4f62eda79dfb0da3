#!/usr/bin/env python3
"""Would a library link on Android? Its undefined symbols against those that bionic, Android's C library, has at API 24.

    symbols.py check [--nm NM] LIBRARY…      exit status 1 with the names that bionic lacks
    symbols.py extract BIONIC >api24.txt     writes the list anew; BIONIC is a clone of AOSP's platform/bionic

The list is a fact about bionic, for 64-bit Arm: all that libc, libm and libdl export to apps, from their map files.
Debian's compiler makes calls by glibc's names where bionic's headers make the same call by another; those are listed
here with what bionic has in their place.
"""

import argparse
import pathlib
import re
import subprocess
import sys

API = 24
MAPS = ("libc/libc.map.txt", "libm/libm.map.txt", "libdl/libdl.map.txt")
LIST = pathlib.Path(__file__).with_name("api24.txt")

# glibc's name: bionic's name for the same thing, made by its own headers.
OTHER_NAMES = {
    "__errno_location": "__errno",
    "__getauxval": "getauxval",  # from libgcc, whose part the NDK does otherwise
}
# What the C library's start files and the linker bring along, weak on both sides.
OF_THE_TOOLCHAIN = {"__cxa_finalize", "__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"}


def introduced(tags):
    """The API level of a line's comment for arm64; 0 when it says none."""
    for name in ("introduced-arm64", "introduced"):
        for tag in tags:
            if tag.startswith(name + "="):
                return int(tag.split("=")[1])
    return 0


def exported(text):
    """Names in a map file that apps may use on arm64 at API."""
    section_open = False
    for line in text.splitlines():
        code, _, comment = line.partition("#")
        tags = comment.split()
        if match := re.match(r"\s*(\w+)\s*\{", code):
            section = match.group(1)
            letter = {"LIBC": 0, "LIBC_N": 24, "LIBC_O": 26, "LIBC_OMR1": 27}.get(section)
            level = max(introduced(tags), letter if letter is not None else introduced(tags) or 10_000)
            section_open = level <= API and "platform-only" not in tags
            public = True
        elif re.match(r"\s*local:", code):
            public = False
        elif re.match(r"\s*global:", code):
            public = True
        elif (match := re.match(r"\s*(\w+);", code)) and section_open and public:
            architectures = {"arm", "arm64", "x86", "x86_64", "riscv64", "mips", "mips64"} & set(tags)
            hidden = {"apex", "llndk", "platform-only", "systemapi"} & set(tags)
            if introduced(tags) <= API and not hidden and (not architectures or "arm64" in architectures):
                yield match.group(1)


def extract(bionic):
    commit = subprocess.run(["git", "-C", bionic, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    names = set()
    for name in MAPS:
        names.update(exported((pathlib.Path(bionic) / name).read_text()))
    print(f"# What bionic's libc, libm and libdl export to apps on 64-bit Arm at API {API}. Written by symbols.py from")
    print(f"# {', '.join(MAPS)} of AOSP's platform/bionic,")
    print(f"# commit {commit.stdout.strip()}. Facts, not code.")
    print("\n".join(sorted(names)))


def check(nm, libraries):
    known = {line for line in LIST.read_text().splitlines() if not line.startswith("#")}
    status = 0
    for library in libraries:
        command = [nm, "-D", "--undefined-only", library]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        names = {line.split()[-1].split("@")[0] for line in output.splitlines()}
        missing = sorted(n for n in names - OF_THE_TOOLCHAIN if OTHER_NAMES.get(n, n) not in known)
        if not names:
            print(f"{library}: has no undefined symbols: is it a shared library?")
            status = 1
        elif missing:
            print(f"{library}: not in bionic at API {API}: {', '.join(missing)}")
            status = 1
        else:
            print(f"{library}: all {len(names)} undefined symbols are in bionic at API {API}")
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    extracting = commands.add_parser("extract")
    extracting.add_argument("bionic")
    checking = commands.add_parser("check")
    checking.add_argument("--nm", default="nm")
    checking.add_argument("libraries", nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "extract":
        extract(arguments.bionic)
        return 0
    return check(arguments.nm, arguments.libraries)


if __name__ == "__main__":
    sys.exit(main())
