#!/usr/bin/env python3
"""What pruning without training does to minilm-sst2: half of the encoder's operations, the curve down to a fifth, and how
much faster it is here.

    tests/recipes/prune_sst2.py

Environment: KINGLET_CLI (default build/kinglet), KINGLET_SHARED (default ../shared; models/minilm-sst2 and data/sst2),
KINGLET_RECIPES (where files are made; default a temporary folder). Exit code 77 where something is not there, 1 where a
figure is missed: 98.5 % of the accuracy at half of the operations, 96 % at 0.35, 1.8 times the speed at half, five
minutes for one target on two cores. The texts are 2,000 of the training set; accuracy is counted on dev, in 8 bits and
in fp32.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINGLET = pathlib.Path(os.environ.get("KINGLET_CLI", ROOT / "build/kinglet"))
SHARED = pathlib.Path(os.environ.get("KINGLET_SHARED", ROOT / "../shared"))
MODEL = SHARED / "models/minilm-sst2"
TRAIN, DEV = SHARED / "data/sst2/train.tsv", SHARED / "data/sst2/dev.tsv"


def need(path, what):
    if not path.exists():
        print(f"SKIPPED: {pathlib.Path(__file__).name}: {path} is missing: {what}")
        sys.exit(77)


def prune(*arguments):
    """What the command says, and the seconds it took."""
    begin = time.monotonic()
    command = [KINGLET, "prune", MODEL, "--data", TRAIN, "--texts", 2000, *arguments]
    said = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    return said, time.monotonic() - begin


def accuracy(said, name):
    return float(re.search(re.escape(name) + r": accuracy ([0-9.]+)", said).group(1))


def main():
    need(KINGLET, "build kinglet first")
    need(MODEL / "config.json", "the fine-tuned model of the shared folder")
    need(TRAIN, "SST-2")
    need(DEV, "SST-2")
    missed = []

    def check(name, value, least):
        print(f"{name}: {value:.2f} (goal {least})")
        if value < least:
            missed.append(name)

    with tempfile.TemporaryDirectory() as temporary:
        place = pathlib.Path(os.environ.get("KINGLET_RECIPES", temporary))
        place.mkdir(parents=True, exist_ok=True)
        _, seconds = prune("--target", 0.5, "-o", place / "half-alone")
        check("minutes under five for one target", 5 - seconds / 60, 0)
        said, _ = prune("--target", 0.5, "--dev", DEV, "--curve", "--report", place / "prune.html", "-o", place / "half")
        print(said, end="")
        for precision in ("fp32", "int8"):
            whole = accuracy(said, f"checkpoint, {precision}")
            check(f"at 0.5, {precision}: % of the accuracy", 100 * accuracy(said, f"pruned, {precision}") / whole, 98.5)
        point = re.search(r"target 0\.35: .* int8 ([0-9.]+), ", said)
        check("at 0.35, int8: % of the accuracy", 100 * float(point.group(1)) / accuracy(said, "checkpoint, int8"), 96)
        for length, speed in re.findall(r"(\d+) tokens, int8: .*\(([0-9.]+) times", said):
            check(f"speed at 0.5, {length} tokens", float(speed), 1.8)
    if missed:
        print("MISSED: " + "; ".join(missed))
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
