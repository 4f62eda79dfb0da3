#!/usr/bin/env python3
"""The reports of minilm-sst2 and minilm-agnews in 8 bits, with their accuracy on the data sets' own dev parts.

    tests/recipes/report.py [FOLDER]

Environment: KINGLET_CLI (default build/kinglet), KINGLET_SHARED (default ../shared; models/minilm-sst2,
models/minilm-agnews, data/sst2/dev.tsv, data/agnews/dev.tsv). FOLDER (default: reports) gets the pages and the files.
Exit code 77 where something is not there, 1 where a figure is missed: 99 % equal labels, losses of at most 0.35 and 0.2
points. A minute or two on two cores.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINGLET = pathlib.Path(os.environ.get("KINGLET_CLI", ROOT / "build/kinglet"))
SHARED = pathlib.Path(os.environ.get("KINGLET_SHARED", ROOT / "../shared"))


def need(path, what):
    if not path.exists():
        print(f"SKIPPED: {pathlib.Path(__file__).name}: {path} is missing: {what}")
        sys.exit(77)


def kinglet(*arguments):
    return subprocess.run([KINGLET, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "reports")
    need(KINGLET, "build kinglet first")
    for name in ("sst2", "agnews"):
        need(SHARED / f"models/minilm-{name}/config.json", "a fine-tuned model of the shared folder")
        need(SHARED / f"data/{name}/dev.tsv", "its data")
    folder.mkdir(parents=True, exist_ok=True)
    missed = False
    for name, allowed in (("sst2", 0.35), ("agnews", 0.2)):
        model, dev = SHARED / f"models/minilm-{name}", SHARED / f"data/{name}/dev.tsv"
        page = folder / f"{name}.html"
        said = kinglet("convert", model, "-o", folder / f"{name}.kgl", "--dev", dev, "--report", page)
        fp32, int8 = (float(re.search(rf"(?m)^  {precision}: accuracy (\S+)", said)[1]) for precision in ("fp32", "int8"))
        equal = float(re.search(r"equal labels: (\S+)", said)[1])
        good = fp32 - int8 <= allowed and equal >= 99
        missed = missed or not good
        print(f"{page}\n{said}  {'as wanted' if good else 'MISSED'}: a loss of at most {allowed} points, 99 % equal labels",
              flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
