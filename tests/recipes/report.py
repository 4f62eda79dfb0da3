#!/usr/bin/env python3
"""The reports of minilm-sst2 and minilm-agnews in 8 bits, with their accuracy on the data sets' own dev parts.

    tests/recipes/report.py [--quick]

Environment: common.py; models/minilm-sst2, models/minilm-agnews, data/sst2 and data/agnews of the shared folder. The
pages are sst2.html and agnews.html. Exit code 77 where something is not there, 1 where a figure is missed: 99 % equal
labels, losses of at most 0.35 and 0.2 points. A minute or two on two cores; --quick, for CI, leaves AG News and the
sensitivity of every matrix out.
"""
import argparse
import re

from common import KINGLET, SHARED, Goals, kinglet, need, workplace


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    need(KINGLET, "build kinglet first")
    goals = Goals()
    wanted = (("sst2", "train.tsv", 0.35),) if quick else (("sst2", "train.tsv", 0.35), ("agnews", "train10k.tsv", 0.2))
    for name, train, _ in wanted:
        need(SHARED / f"models/minilm-{name}/config.json", "a fine-tuned model of the shared folder")
        need(SHARED / f"data/{name}/dev.tsv", "its data")
        need(SHARED / f"data/{name}" / train, "its data")
    with workplace() as place:
        for name, train, most in wanted:
            data = SHARED / f"data/{name}"
            sensitivity = [] if quick else ["--calibration", data / train, "--sensitivity"]
            said = kinglet("convert", SHARED / f"models/minilm-{name}", "-o", place / f"{name}.kgl", "--dev",
                           data / "dev.tsv", "--report", place / f"{name}.html", *sensitivity)
            print(said, end="")
            fp32, int8 = (float(re.search(rf"(?m)^  {kind}: accuracy (\S+)", said)[1]) for kind in ("fp32", "int8"))
            equal = float(re.search(r"equal labels: (\S+)", said)[1])
            goals.check(f"{name}: points lost", f"{fp32 - int8:.3f} (goal {most})", fp32 - int8 <= most)
            goals.check(f"{name}: % equal labels", f"{equal:.2f} (goal 99)", equal >= 99)
    goals.end()


if __name__ == "__main__":
    main()
