#!/usr/bin/env python3
"""What vocabulary pruning does to minilm-agnews: sizes and accuracy, without the tokens that AG News' training texts
do not have, and without those that they have fewer than five times.

    tests/recipes/vocabulary_agnews.py [--quick]

Environment: common.py; models/minilm-agnews and data/agnews of the shared folder. Exit code 77 where something is not
there, 1 where a figure is missed: the int8 file of at most 82 % and a loss of at most 0.2 points for unseen tokens, at
most 65 % for rare ones, whose loss is only reported. The pages are vocabulary-1.html and vocabulary-5.html. Some nine
minutes of processor time; --quick, for CI, measures a tenth of dev, 380 texts, in int8 only, and allows two of them.
"""
import argparse
import json
import os

from common import KINGLET, SHARED, Goals, kinglet, need, workplace

MODEL = SHARED / "models/minilm-agnews"
TRAIN, DEV = SHARED / "data/agnews/train10k.tsv", SHARED / "data/agnews/dev.tsv"
PRECISIONS = ("int8", "fp32")


def measure(source, place, name, dev, precisions):
    """Bytes and accuracy in each precision."""
    figures = {}
    for precision in precisions:
        file = place / f"{name}.{precision}.kgl"
        kinglet("convert", source, "-o", file, "--precision", precision)
        answer = json.loads(kinglet("eval", file, dev, "--json", "--max-length", 128, "--threads", os.cpu_count() or 1))
        figures[precision] = file.stat().st_size, answer["value"]
    return figures


def tenth_of(data, place):
    header, *lines = data.read_text(encoding="utf-8").splitlines()
    path = place / "dev.tsv"
    path.write_text("\n".join([header, *lines[::10]]) + "\n", encoding="utf-8")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    need(KINGLET, "build kinglet first")
    need(MODEL / "config.json", "the fine-tuned model of the shared folder")
    need(TRAIN, "AG News")
    need(DEV, "AG News")
    goals = Goals()
    with workplace() as place:
        dev, precisions = (tenth_of(DEV, place), PRECISIONS[:1]) if quick else (DEV, PRECISIONS)
        whole = measure(MODEL, place, "whole", dev, precisions)
        for name, (size, value) in whole.items():
            print(f"whole, {name}: {size:,} bytes, accuracy {value:.4f}")
        wanted = (("seen", 1, 82, 0.6 if quick else 0.2), ("seen five times", 5, 65, None))
        for name, count, most_bytes, most_loss in wanted:
            folder = place / f"vocabulary-{count}"
            page = [] if quick else ["--report", place / f"vocabulary-{count}.html", "--dev", dev]
            print(kinglet("prune", MODEL, "--vocabulary", TRAIN, "--min-count", count, *page, "-o", folder), end="")
            figures = measure(folder, place, f"vocabulary-{count}", dev, precisions)
            size = 100 * figures["int8"][0] / whole["int8"][0]
            goals.check(f"{name}, int8: % of the bytes", f"{size:.2f} (goal {most_bytes})", size <= most_bytes)
            for precision in precisions:
                loss = whole[precision][1] - figures[precision][1]
                goal = "" if most_loss is None else f" (goal {most_loss})"
                goals.check(f"{name}, {precision}: points lost", f"{loss:.3f}{goal}",
                            most_loss is None or loss <= most_loss)
    goals.end()


if __name__ == "__main__":
    main()
