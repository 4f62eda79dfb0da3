#!/usr/bin/env python3
"""The NEON matrix products without Arm hardware: llvm-mca on their inner loops.

Compiles kernels/gemm_s8/neon*.cc to assembly, takes the inner loop of every register tile, and prints as Markdown how
many multiply-accumulates per cycle llvm-mca predicts, as a share of the issue limit: what it predicts for the multiply
instructions of that path alone, with all their inputs in registers. What the model does not know: cache misses.

    tests/bench/arm_mca.py [--cxx aarch64-linux-gnu-g++] [--mca llvm-mca-19] [--cpus neoverse-n1,neoverse-v2]
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
        macs={"smull": 8, "smull2": 8, "smlal": 8, "smlal2": 8},
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
    return sum(macs.get(name, 0) for name in mnemonics(instructions))


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
    args = parser.parse_args()
    print("| path | rows × outputs | instructions | products | on the stack | processor | MAC/cycle | limit | share |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path, about in PATHS.items():
            group = {"neon": 1, "neon_dotprod": 4, "neon_i8mm": 2}[path]
            command = args.cxx.split() + COMMON + about["flags"] + [f"-I{ROOT}/kernels", "-o", "-",
                                                                   f"{ROOT}/kernels/gemm_s8/{path}.cc"]
            assembly = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            loops = inner_loops(assembly, about["macs"])
            if not loops:
                raise SystemExit(f"{path}: found no inner loop; expected functions multiply_block<rows, halves>")
            for (rows, halves), body in sorted(loops.items(), key=lambda item: item[0][0] * item[0][1]):
                macs = macs_of(body, about["macs"])
                spills = sum("sp" in re.findall(r"\w+", line) for line in body)
                products = sum(name in about["macs"] for name in mnemonics(body))
                for cpu in args.cpus.split(",") if args.cpus else about["cpus"]:
                    limit = macs_of(about["limit"], about["macs"]) / cycles(args.mca, cpu, about["limit"], folder)
                    rate = macs / cycles(args.mca, cpu, body, folder)
                    print(f"| {path} | {rows * group} × {halves * 8} | {len(body)} | {products} | {spills} | {cpu} | "
                          f"{rate:.2f} | {limit:.1f} | {100 * rate / limit:.1f} % |")
                if args.loops:
                    print("\n".join(body))


if __name__ == "__main__":
    main()
