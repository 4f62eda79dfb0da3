#!/usr/bin/env python3
"""What pruning without training does to minilm-sst2: half of the encoder's operations, the curve down to a fifth, whole
layers, and how much faster it is here.

    tests/recipes/prune_sst2.py [--seeds 3] [--quick]

Environment: common.py; models/minilm-sst2 and data/sst2 of the shared folder. Exit code 77 where something is not
there, 1 where a figure is missed: 98.5 % of the accuracy at half of the operations and 96 % at 0.35 (means over the
seeds that draw the texts; the spread is printed), 1.8 times the speed at half, five minutes for one target on two
cores. The texts are 2,000 of the training set; accuracy is counted on dev, in 8 bits and in fp32. The page of the first
seed is prune.html. --quick, for CI: 300 texts, half of the operations only, and 95 % of the accuracy.
"""
import argparse
import re
import time

from common import KINGLET, SHARED, Goals, kinglet, need, workplace

MODEL = SHARED / "models/minilm-sst2"
TRAIN, DEV = SHARED / "data/sst2/train.tsv", SHARED / "data/sst2/dev.tsv"


def share(said, precision):
    """% of the checkpoint's accuracy that is left."""
    before, after = (float(re.search(rf"{name}, {precision}: accuracy ([0-9.]+)", said)[1])
                     for name in ("checkpoint", "pruned"))
    return 100 * after / before


def check_speed(said, goals):
    for length, speed in re.findall(r"(\d+) tokens, int8: .*\(([0-9.]+) times", said):
        goals.check(f"speed at 0.5, {length} tokens", f"{speed} times", float(speed) >= 1.8)


def check_spread(goals, name, values, least):
    mean = sum(values) / len(values)
    figures = ", ".join(f"{value:.2f}" for value in values)
    goals.check(f"{name}: % of the accuracy", f"{figures}; mean {mean:.2f} (goal {least})", mean >= least)


def quick(place, goals):
    said = kinglet("prune", MODEL, "--data", TRAIN, "--texts", 300, "--target", 0.5, "--dev", DEV, "-o", place / "half")
    print(said, end="")
    check_spread(goals, "at 0.5, int8, 300 texts", [share(said, "int8")], 95)


def whole(place, goals, seeds):
    half = {"fp32": [], "int8": []}
    third = []
    begin = time.monotonic()
    kinglet("prune", MODEL, "--data", TRAIN, "--target", 0.5, "-o", place / "half-alone")
    minutes = (time.monotonic() - begin) / 60
    goals.check("minutes for one target", f"{minutes:.1f} (goal 5)", minutes <= 5)
    for seed in range(1, seeds + 1):
        page = ["--report", place / "prune.html"] if seed == 1 else []
        said = kinglet("prune", MODEL, "--data", TRAIN, "--seed", seed, "--target", 0.5, "--dev", DEV, "--curve", *page,
                       "-o", place / "half")
        print(f"seed {seed}: {said}", end="", flush=True)
        for precision, values in half.items():
            values.append(share(said, precision))
        exact = float(re.search(r"checkpoint, int8: accuracy ([0-9.]+)", said)[1])
        third.append(100 * float(re.search(r"target 0\.35: .* int8 ([0-9.]+), ", said)[1]) / exact)
        if seed == 1:
            check_speed(said, goals)
    for precision, values in half.items():
        check_spread(goals, f"at 0.5, {precision}", values, 98.5)
    check_spread(goals, "at 0.35, int8", third, 96)
    for options in (["--layers", 4], ["--layers", 5, "--target", 0.5]):
        said = kinglet("prune", MODEL, "--data", TRAIN, *options, "--dev", DEV, "-o", place / "layers")
        print(said, end="", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    need(KINGLET, "build kinglet first")
    need(MODEL / "config.json", "the fine-tuned model of the shared folder")
    need(TRAIN, "SST-2")
    need(DEV, "SST-2")
    goals = Goals()
    with workplace() as place:
        quick(place, goals) if options.quick else whole(place, goals, options.seeds)
    goals.end()


if __name__ == "__main__":
    main()
