#!/usr/bin/env python3
"""kinglet against ONNX Runtime, OpenVINO, CTranslate2 and LiteRT: the same random weights, the same token ids, one machine.

    tests/bench/rivals/rivals.py --kinglet build/kinglet --library build/libkinglet.so --work /tmp/rivals \\
        --shapes minilm-l6,bert-base --lengths 16,128 --threads 1,2 --table table.md --plot plot.svg

The first run makes a virtual environment in WORK and installs the engines from PyPI, then model files of each shape.
fp32 outputs of all engines must agree within 1e-3 of their scale before anything is timed. Engines take turns round by
round, so that other load on the machine meets all of them; each turn runs a cell for at least --slice seconds, at least
once. The table gives the least and the median milliseconds of a call over all rounds, and how many times faster
kinglet's int8 is (by least times); for single texts also the limit that `kinglet bench` finds, the lesser of one run
before the cell and one after it, and which share of it kinglet and the fastest rival reach. With --texts FILE.tsv,
sentences of mixed lengths in batches of 32: kinglet runs them ragged, LiteRT (XNNPACK) text by text, the others padded
to the longest of the batch."""

import argparse
import json
import pathlib
import subprocess
import sys
import time

from environment import enter_environment

PACKAGES = ["numpy", "onnx", "onnxruntime", "openvino", "nncf", "ctranslate2", "psutil", "sympy", "ai-edge-litert",
            "flatbuffers"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinglet", required=True, type=pathlib.Path, help="the command")
    parser.add_argument("--library", required=True, type=pathlib.Path, help="libkinglet.so")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="folder for the environment and the models")
    parser.add_argument("--shapes", default="minilm-l6")
    parser.add_argument("--lengths", default="16,128")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--precisions", default="int8,fp32", help="of the rivals; kinglet always runs int8")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--slice", type=float, default=0.05, help="seconds per engine, cell and round")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="cpu: processor time of the process, for one thread on a machine with other load")
    parser.add_argument("--texts", type=pathlib.Path, action="append", default=[], help="TSV with a column `text`")
    parser.add_argument("--batches", type=int, default=6, help="batches of 32 texts per file")
    parser.add_argument("--table", type=pathlib.Path, help="write the Markdown table here, too")
    parser.add_argument("--plot", type=pathlib.Path, help="write an SVG bar chart of the least times here")
    return parser.parse_args()


def check_agreement(files, engines):
    """fp32 outputs of all engines for the same ids, against ONNX Runtime's."""
    import numpy as np
    ids = np.random.default_rng(3).integers(5, 30000, (1, 24))
    lengths = np.array([24])
    outputs = {e.name: e(files, "fp32", 1).run(ids, lengths) for e in engines}
    wanted = outputs["ONNX Runtime"]
    for name, got in outputs.items():
        error = np.abs(got - wanted).max() / np.abs(wanted).max()
        if got.shape != wanted.shape or not error < 1e-3:
            sys.exit(f"{files.shape}: fp32 outputs of {name} differ from ONNX Runtime's by {error:.2g} of their scale")
        print(f"{files.shape}: fp32 of {name} agrees within {error:.1e}", file=sys.stderr)


def text_batches(options, path):
    """Ids of 32 texts each, as lists, by a small WordPiece of our own making: one id per word and punctuation mark and
    one more per six letters beyond the sixth, which is about what WordPiece does to English."""
    import csv
    import random
    import re
    numbers = random.Random(4)
    batches = []
    with open(path, encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    for start in range(0, 32 * options.batches, 32):
        batches.append([[numbers.randrange(5, 30000)
                         for word in re.findall(r"\w+|[^\w\s]", text) for _ in range(1 + (len(word) - 1) // 6)][:510]
                        for text in texts[start:start + 32]])
    return [batch for batch in batches if len(batch) == 32]


def padded(batch):
    import numpy as np
    lengths = np.array([len(ids) + 2 for ids in batch])
    rows = np.zeros((len(batch), lengths.max()), np.int64)
    for row, ids in zip(rows, batch):
        row[:len(ids) + 2] = [2, *ids, 3]
    return rows, lengths


def measure(options, candidates, call):
    """Least and median milliseconds of every candidate, taking turns."""
    times = {name: [] for name in candidates}
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    for name, engine in candidates.items():
        call(engine)
    for _ in range(options.rounds):
        for name, engine in candidates.items():
            begin = clock()
            while True:
                start = clock()
                call(engine)
                end = clock()
                times[name].append(1e3 * (end - start))
                if end - begin > options.slice:
                    break
    return {name: (min(t), sorted(t)[len(t) // 2]) for name, t in times.items()}


def limit_ms(options, files, threads, length):
    """What the machine allows at this moment, for one text."""
    done = subprocess.run([options.kinglet, "bench", files.kgl["int8"], "--lengths", str(length), "--threads",
                           str(threads), "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["results"][0]["limit_ms"]


def markdown(names, rows):
    lines = ["| model | threads | input | " + " | ".join(names) +
             " | int8 kinglet ahead of the fastest rival | limit | of it kinglet | the fastest rival |",
             "|---|---|---|" + "---|" * (len(names) + 4)]
    for (shape, threads, cell), result, limit in rows:
        own = result["kinglet int8"][0]
        best = min(value[0] for name, value in result.items() if name != "kinglet int8")
        cells = [f"{result[n][0]:.2f} ({result[n][1]:.2f})" if n in result else "" for n in names]
        shares = f"{limit:.2f} | {limit / own:.2f} | {limit / best:.2f}" if limit is not None else "| |"
        lines.append(f"| {shape} | {threads} | {cell} | " + " | ".join(cells) + f" | {best / own:.2f}× | {shares} |")
    return "\n".join(lines) + "\n"


def svg(names, rows):
    """Bars of the least times, relative to kinglet's."""
    colors = ["#c2410c", "#1d4ed8", "#93c5fd", "#15803d", "#86efac", "#6d28d9", "#c4b5fd", "#a16207", "#fde047"]
    bar, gap, left, scale = 12, 14, 230, 90
    parts, y = [], 40
    for (shape, threads, cell), result, _ in rows:
        parts.append(f'<text x="4" y="{y + 10}">{shape}, {cell}, {threads} thread{"s" if threads > 1 else ""}</text>')
        own = result["kinglet int8"][0]
        for name, color in zip(names, colors):
            if name in result:
                width = min(result[name][0] / own, 8) * scale
                parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{bar - 2}" fill="{color}"/>'
                             f'<text x="{left + width + 4:.1f}" y="{y + 9}">{result[name][0] / own:.2f}</text>')
                y += bar
        y += gap
    legend = "".join(f'<rect x="{4 + i * 150}" y="8" width="10" height="10" fill="{c}"/>'
                     f'<text x="{18 + i * 150}" y="17">{n}</text>' for i, (n, c) in enumerate(zip(names, colors)))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="1100" height="{y}" font-family="sans-serif" '
            f'font-size="10"><rect width="100%" height="100%" fill="white"/>{legend}{"".join(parts)}</svg>\n')


def main():
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    enter_environment(options.work, PACKAGES)
    import numpy as np

    import engines
    engines.Kinglet.library = options.library.resolve()
    precisions = options.precisions.split(",")
    names = ["kinglet int8"] + [f"{e.name} {p}" for e in engines.RIVALS for p in precisions]
    rows = []
    for shape in options.shapes.split(","):
        files = engines.Files(options.work, shape, options.kinglet.resolve())
        check_agreement(files, [*engines.RIVALS, engines.Kinglet])
        for threads in map(int, options.threads.split(",")):
            candidates = {"kinglet int8": engines.Kinglet(files, "int8", threads)}
            candidates.update({f"{e.name} {p}": e(files, p, threads) for e in engines.RIVALS for p in precisions})

            def run(engine, ids, lengths):
                if isinstance(engine, engines.Kinglet):
                    engine.run(ids, lengths, collect=False)
                else:
                    engine.run(ids, lengths)

            for length in map(int, options.lengths.split(",")):
                ids = np.random.default_rng(5).integers(5, 30000, (1, length))
                before = limit_ms(options, files, threads, length)
                result = measure(options, candidates, lambda engine: run(engine, ids, np.array([length])))
                limit = min(before, limit_ms(options, files, threads, length))
                rows.append(((shape, threads, f"length {length}"), result, limit))
                print(markdown(names, rows[-1:]), file=sys.stderr)
            candidates["kinglet int8"] = engines.Kinglet(files, "int8", threads, 512, 32)
            for path in options.texts:
                batches = [padded(batch) for batch in text_batches(options, path)]
                share = sum(lengths.sum() for _, lengths in batches) / sum(ids.size for ids, _ in batches)
                result = measure(options, candidates, lambda engine: [run(engine, *batch) for batch in batches])
                rows.append(((shape, threads, f"{path.parent.name} {path.stem}, {len(batches)} × 32, "
                              f"{share:.0%} not padding"), result, None))
                print(markdown(names, rows[-1:]), file=sys.stderr)
    table = f"Milliseconds ({options.clock} clock): least (median).\n\n" + markdown(names, rows)
    print(table)
    if options.table:
        options.table.write_text(table)
    if options.plot:
        options.plot.write_text(svg(names, rows))


if __name__ == "__main__":
    main()
