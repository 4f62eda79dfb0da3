#!/usr/bin/env python3
"""What one sentence costs on Arm without Arm hardware: instructions counted under qemu, by kind, on each kernel path.

Counts whole runs of tests/bench/sentence.c that embed the sentence once and twice, by a plugin of qemu's, and prints the
difference as a Markdown table. Counts are exact and the same everywhere; what they cost in cycles is arm_mca.py's
question, and what memory costs is nobody's here.

    cmake --preset linux-aarch64
    tests/bench/arm_instructions.py build/demo/all-MiniLM-L6-v2.kgl [--text TEXT] [--build build-linux-aarch64]

Needs qemu-user 6.0 to 8.2 with plugins (Debian 12's has them), a C compiler for the host and the cross compiler.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Path: the processor whose instructions qemu is to offer.
PATHS = {"neon": "cortex-a72", "neon_dotprod": "cortex-a76", "neon_i8mm": "max"}
TEXT = "The quick brown fox jumps over the lazy dog near the river."


def run(command, **options):
    try:
        return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout
    except FileNotFoundError:
        sys.exit(f"{command[0]}: not found")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, command))}: status {error.returncode}\n{error.stdout}{error.stderr}")


def counted(arguments, folder, program, cpu, times):
    """({(products or rest, kind): instructions}, kernel path, tokens) of embedding the text so many times."""
    log = folder / "counts.txt"
    output = run([arguments.qemu, "-cpu", cpu, "-plugin", folder / "plugin.so", "-d", "plugin", "-D", log, program,
                  arguments.model, str(times), arguments.text])
    counts = {}
    for line in log.read_text().splitlines():
        place, kind, count = line.split()
        counts[place, kind] = int(count)
    path, tokens = output.split()
    return counts, path, int(tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model file for embeddings")
    parser.add_argument("--text", default=TEXT)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-linux-aarch64")
    parser.add_argument("--qemu", default="qemu-aarch64")
    parser.add_argument("--cc", default="cc", help="the host's C compiler, for the plugin")
    arguments = parser.parse_args()

    run(["cmake", "--build", arguments.build, "--target", "sentence"])
    program = arguments.build / "tests/bench/sentence"
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run([arguments.cc, "-O2", "-shared", "-fPIC", ROOT / "tests/bench/arm_instructions_plugin.c", "-o",
             folder / "plugin.so"])
        for path, cpu in PATHS.items():
            once, chosen, tokens = counted(arguments, folder, program, cpu, 1)
            twice, _, _ = counted(arguments, folder, program, cpu, 2)
            if chosen != path:
                sys.exit(f"{cpu}: the program chose {chosen}, expected {path}")
            count = {key: twice[key] - once[key] for key in once}
            macs = {size: count["products", f"macs{size}"] for size in (8, 16, 32)}
            products = sum(value for (place, _), value in count.items() if place == "products")
            rows.append((path, cpu, products, sum(macs.values()), sum(size * n for size, n in macs.items()),
                         count["products", "vector_load"],
                         sum(value for (place, _), value in count.items() if place == "rest")))
    print(f"{pathlib.Path(arguments.model).name}, {tokens} tokens, millions of instructions per sentence:\n")
    print("| path | qemu's processor | all | int8 products | of these multiply | load vectors | the rest | "
          "multiply-accumulates per instruction of the products |")
    print("|---|---|---|---|---|---|---|---|")
    for path, cpu, products, multiply, macs, loads, rest in rows:
        numbers = [products + rest, products, multiply, loads, rest]
        print(f"| `{path}` | {cpu} | " + " | ".join(f"{n / 1e6:.2f}" for n in numbers) +
              f" | {macs / products:.1f} |")


if __name__ == "__main__":
    main()
