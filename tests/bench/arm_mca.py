#!/usr/bin/env python3
"""The NEON matrix products without Arm hardware: llvm-mca on their inner loops.

Compiles kernels/gemm_s8/neon*.cc to assembly, takes the inner loop of every register tile, and prints as Markdown how
many multiply-accumulates per cycle llvm-mca predicts, as a share of the issue limit: what it predicts for the multiply
instructions of that path alone, with all their inputs in registers. What the model does not know: cache misses.

    tests/bench/arm_mca.py [--cxx aarch64-linux-gnu-g++] [--mca llvm-mca-19] [--cpus neoverse-n1,neoverse-v2]

Other libraries' products are put beside ours: --beside PATH NAME FILE, as often as wanted, is a C or assembly source of
one of them (--include its folders of headers), held against the limit of our PATH. Of all its loops that with the most
products counts.
"""

import argparse
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Path: compile flags as in kernels/CMakeLists.txt, processors, multiply-accumulates by instruction, the limit's stream.
PATHS = {
    "neon": dict(
        flags=["-mtune=cortex-a53"],
        cpus=["cortex-a53", "cortex-a72"],
        macs={"smull": 8, "smull2": 8, "smlal": 8, "smlal2": 8},  # to 16 bits
        # Eight sums as the three instructions of 16 products, the instructions of a kind side by side.
        limit=[f"smull v{16 + i}.8h, v24.8b, v25.8b" for i in range(8)]
        + [f"smlal v{16 + i}.8h, v26.8b, v27.8b" for i in range(8)]
        + [f"sadalp v{i}.4s, v{16 + i}.8h" for i in range(8)],
    ),
    "neon_dotprod": dict(
        flags=["-march=armv8.2-a+dotprod", "-mtune=cortex-a55"],
        cpus=["cortex-a55", "cortex-a76", "neoverse-n1", "neoverse-n2", "neoverse-v2"],
        macs={"sdot": 16},
        limit=[f"sdot v{i}.4s, v24.16b, v25.4b[{i % 4}]" for i in range(24)],
    ),
    "neon_i8mm": dict(
        flags=["-march=armv8.2-a+dotprod+i8mm", "-mtune=cortex-a55"],
        cpus=["cortex-a510", "neoverse-n2", "neoverse-v2"],
        macs={"smmla": 32},
        limit=[f"smmla v{i}.4s, v24.16b, v25.16b" for i in range(24)],
    ),
}
COMMON = ["-std=c++20", "-O3", "-fPIC", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti", "-fno-math-errno", "-S"]


def mnemonics(instructions):
    return [line.split()[0] for line in instructions]


def macs_of(instructions, macs):
    """Products of 32-bit sums are half as many an instruction as those of 16-bit sums."""
    wide = re.compile(r"sm(ull|lal)2?\s+v\d+\.4s")
    return sum(macs.get(line.split()[0], 0) // (2 if wide.match(line) else 1) for line in instructions)


def inner_loops(assembly, macs):
    """{register tile: instructions of its inner loop}: of a function's loops, the one with the most products."""
    loops = {}
    function = None
    labels = {}
    lines = assembly.splitlines()
    for number, line in enumerate(lines):
        if match := re.match(r"(_Z\S*):", line):
            function = re.search(r"multiply_blockILi(\d+)ELi(\d+)E", match[1])
            labels = {}
        elif match := re.match(r"(\.L\w+):", line):
            labels[match[1]] = number
        elif function and (match := re.match(r"\s+(?:b\.\w+|cbn?z\s+\w+,|b\w\w)\s+(\.L\w+)", line)):
            if match[1] not in labels:
                continue
            body = [text.strip() for text in lines[labels[match[1]] + 1 : number + 1]]
            body = [text for text in body if re.match(r"[a-z]", text)]
            tile = (int(function[1]), int(function[2]))
            if macs_of(body, macs) > macs_of(loops.get(tile, []), macs):
                loops[tile] = body
    return loops


def loop_of(source, flags, cc, folder, macs):
    """The loop of a source's object code that has the most products."""
    objects = folder / "beside.o"
    subprocess.run([cc, "-O3", "-c", *flags, "-o", objects, source], check=True)
    text = subprocess.run([re.sub(r"-(gcc|g\+\+|cc|c\+\+)$", "-objdump", cc), "-d", "--no-show-raw-insn", objects], check=True,
                          capture_output=True, text=True).stdout
    lines = [(int(match[1], 16), match[2].replace("\t", " ").strip())
             for match in re.finditer(r"(?m)^\s*([0-9a-f]+):\s+(.*)$", text)]
    place = {address: number for number, (address, _) in enumerate(lines)}
    best = []
    for number, (_, line) in enumerate(lines):
        match = re.match(r"(?:b\.\w+|cbn?z \w+,|tbn?z \w+, #\d+,)\s*([0-9a-f]+) <", line)
        if not match or int(match[1], 16) not in place or place[int(match[1], 16)] > number:
            continue
        body = [text for _, text in lines[place[int(match[1], 16)] : number + 1]]
        body[-1] = "b.ne .Lloop"
        inner = not any(re.match(r"(b|cbn?z|tbn?z)\b", text) for text in body[:-1])
        if inner and macs_of(body, macs) > macs_of(best, macs):
            best = body
    if not best:
        raise SystemExit(f"{source}: found no loop with products")
    return [re.sub(r"\s*//.*", "", text) for text in best]


def cycles(mca, cpu, instructions, folder):
    """Cycles per iteration in the long run; the branch target is made local."""
    text = "\n".join(re.sub(r"\.L\w+$", "loop", line) for line in instructions)
    source = folder / "loop.s"
    source.write_text(f"loop:\n{text}\n")
    totals = []
    for iterations in (200, 1200):
        command = [mca, "-mtriple=aarch64-linux-gnu", f"-mcpu={cpu}", "-mattr=+dotprod,+i8mm",
                   f"-iterations={iterations}", str(source)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        totals.append(int(re.search(r"Total Cycles:\s+(\d+)", output)[1]))
    return (totals[1] - totals[0]) / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cxx", default="aarch64-linux-gnu-g++")
    parser.add_argument("--mca", default="llvm-mca-19")
    parser.add_argument("--cpus", help="only these, comma-separated, on every path")
    parser.add_argument("--loops", action="store_true", help="print the loops, too")
    parser.add_argument("--beside", nargs=3, action="append", default=[], metavar=("PATH", "NAME", "FILE"))
    parser.add_argument("--include", action="append", default=[], metavar="FOLDER")
    args = parser.parse_args()
    for path, _, _ in args.beside:
        if path not in PATHS:
            parser.error(f"--beside {path}: expected one of {', '.join(PATHS)}")
    print("| path | rows × outputs, or other library | instructions | products | on the stack | processor | MAC/cycle | limit | share |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path, about in PATHS.items():
            macs = about["macs"]
            group = {"neon": 1, "neon_dotprod": 4, "neon_i8mm": 2}[path]
            command = args.cxx.split() + COMMON + about["flags"] + [f"-I{ROOT}/kernels", "-o", "-",
                                                                   f"{ROOT}/kernels/gemm_s8/{path}.cc"]
            assembly = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            tiles = inner_loops(assembly, macs)
            if not tiles:
                raise SystemExit(f"{path}: found no inner loop; expected functions multiply_block<rows, halves>")
            loops = [(f"{rows * group} × {halves * 8}", tiles[rows, halves])
                     for rows, halves in sorted(tiles, key=lambda tile: tile[0] * tile[1])]
            flags = about["flags"] + [f"-I{include}" for include in args.include]
            cc = args.cxx.replace("g++", "gcc")
            loops += [(name, loop_of(file, flags, cc, folder, macs)) for at, name, file in args.beside if at == path]
            for name, body in loops:
                spills = sum("sp" in re.findall(r"\w+", line) for line in body)
                products = sum(word in macs for word in mnemonics(body))
                for cpu in args.cpus.split(",") if args.cpus else about["cpus"]:
                    limit = macs_of(about["limit"], macs) / cycles(args.mca, cpu, about["limit"], folder)
                    rate = macs_of(body, macs) / cycles(args.mca, cpu, body, folder)
                    print(f"| {path} | {name} | {len(body)} | {products} | {spills} | {cpu} | "
                          f"{rate:.2f} | {limit:.1f} | {100 * rate / limit:.1f} % |")
                if args.loops:
                    print("\n".join(body))


if __name__ == "__main__":
    main()
