#!/usr/bin/env python3
"""What vocabulary pruning does to minilm-agnews: sizes and accuracy, without the tokens that AG News' training texts
do not have, and without those that they have fewer than five times.

    tests/recipes/vocabulary_agnews.py

Environment: KINGLET_CLI (default build/kinglet), KINGLET_SHARED (default ../shared; models/minilm-agnews and
data/agnews), KINGLET_RECIPES (where files are made; default a temporary folder). Exit code 77 where something is not
there, 1 where a figure is missed: the int8 file of at most 82 % and a loss of at most 0.2 points for unseen tokens, at
most 65 % for rare ones, whose loss is only reported. Some nine minutes of processor time.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINGLET = pathlib.Path(os.environ.get("KINGLET_CLI", ROOT / "build/kinglet"))
SHARED = pathlib.Path(os.environ.get("KINGLET_SHARED", ROOT / "../shared"))
MODEL = SHARED / "models/minilm-agnews"
TRAIN, DEV = SHARED / "data/agnews/train10k.tsv", SHARED / "data/agnews/dev.tsv"


def need(path, what):
    if not path.exists():
        print(f"SKIPPED: {pathlib.Path(__file__).name}: {path} is missing: {what}")
        sys.exit(77)


def kinglet(*arguments):
    return subprocess.run([KINGLET, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def measure(source, place, name):
    """Bytes and accuracy of the int8 file, and the accuracy of the fp32 one."""
    figures = {}
    for precision in ("int8", "fp32"):
        file = place / f"{name}.{precision}.kgl"
        kinglet("convert", source, "-o", file, "--precision", precision)
        answer = json.loads(kinglet("eval", file, DEV, "--json", "--max-length", 128, "--threads", os.cpu_count() or 1))
        figures[precision] = file.stat().st_size, answer["value"]
    return figures


def main():
    need(KINGLET, "build kinglet first")
    need(MODEL / "config.json", "the fine-tuned model of the shared folder")
    need(TRAIN, "AG News")
    need(DEV, "AG News")
    with tempfile.TemporaryDirectory() as temporary:
        place = pathlib.Path(os.environ.get("KINGLET_RECIPES", temporary))
        place.mkdir(parents=True, exist_ok=True)
        whole = measure(MODEL, place, "whole")
        print(f"{'':12} {'int8 bytes':>12} {'of whole':>9} {'int8':>8} {'loss':>6} {'fp32':>8} {'loss':>6}")
        failed = False
        for name, count, size_limit, loss_limit in (("whole", 0, 100, 0), ("seen", 1, 82, 0.2), ("seen 5x", 5, 65, None)):
            figures = whole
            if count > 0:
                folder = place / f"vocabulary-{count}"
                said = kinglet("prune", MODEL, "--vocabulary", TRAIN, "--min-count", count, "-o", folder)
                figures = measure(folder, place, f"vocabulary-{count}")
            (size, value), (_, exact) = figures["int8"], figures["fp32"]
            share, loss = 100 * size / whole["int8"][0], whole["int8"][1] - value
            print(f"{name:12} {size:12,} {share:7.2f} % {value:8.4f} {loss:6.3f} {exact:8.4f} "
                  f"{whole['fp32'][1] - exact:6.3f}" + ("" if count == 0 else "  " + said.strip().split(": ", 1)[1]))
            failed |= share > size_limit or (loss_limit is not None and loss > loss_limit)
        sys.exit(failed)


if __name__ == "__main__":
    main()
