#!/usr/bin/env python3
"""Measures every figure of README.md's table and prints it as Markdown.

    tests/figures.py --minilm FOLDER [--shared FOLDER] [--build build] [--rounds 30]

FOLDER of --minilm: the checkpoint of all-MiniLM-L6-v2 (./demo leaves it in the cache); --shared: the folder with the
other checkpoints and data sets, without which their rows are left out. Times are the minimum and the median of
--rounds runs of a whole process; a `true`-like run of `kinglet --version` beside them shows what a process costs.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def run(command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options)


def timed(command, rounds):
    """Milliseconds of `rounds` runs: (minimum, median)."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run(command)
        times.append((time.perf_counter() - begin) * 1e3)
    return min(times), statistics.median(times)


def peak_mib(command):
    """Peak resident memory of one process, measured by a fresh parent so that earlier children do not count."""
    program = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    return int(run([sys.executable, "-c", program, *command]).stdout) / 1024


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


class Figures:
    def __init__(self, kinglet, folder, rounds):
        self.kinglet, self.folder, self.rounds = kinglet, folder, rounds

    def row(self, what, figure):
        print(f"| {what} | {figure} |", flush=True)

    def convert(self, source, name, precision):
        output = self.folder / f"{name}-{precision}.kgl"
        run([self.kinglet, "convert", source, "-o", output, "--precision", precision])
        return output

    def evaluate(self, model, data, *options):
        return json.loads(run([self.kinglet, "eval", model, data, "--json", "--threads", "2", "--batch", "16", *options]).stdout)

    def labels(self, model, data):
        texts = "".join(line.split("\t", 1)[1] for line in open(data, encoding="utf-8").read().splitlines(True)[1:])
        answers = run([self.kinglet, "classify", model, "--json", "--threads", "2", "--batch", "16", "--max-length", "128"], input=texts).stdout
        return [json.loads(line)["label"] for line in answers.splitlines()]

    def minilm(self, source, shared):
        begin = time.perf_counter()
        int8 = self.convert(source, "minilm", "int8")
        seconds = time.perf_counter() - begin
        fp32 = self.convert(source, "minilm", "fp32")
        weights = (source / "model.safetensors").stat().st_size
        peak = peak_mib([self.kinglet, "convert", source, "-o", self.folder / "again.kgl"])
        self.row("convert all-MiniLM-L6-v2 to int8", f"{seconds:.2f} s, peak {peak:.0f} MiB = {peak * 2**20 / weights:.2f} × the checkpoint")
        self.row("int8 file", f"{int8.stat().st_size / 1e6:.2f} MB")
        for name, model in (("int8", int8), ("fp32", fp32)):
            embed = [self.kinglet, "embed", model, "The weather is lovely today.", "--json"]
            least, median = timed(embed, self.rounds)
            bare, _ = timed([self.kinglet, "--version"], self.rounds)
            self.row(f"{name}: process start to first embedding, warm", f"{least:.1f} ms (median {median:.1f}; `--version` alone {bare:.1f})")
            self.row(f"{name}: peak RSS of `embed` with one short text", f"{peak_mib(embed):.1f} MiB")
        if shared is None:
            return
        stsb = shared / "data/stsb/test.tsv"
        expected = json.load(open(shared / "models/all-MiniLM-L6-v2/expected.json", encoding="utf-8"))
        for name, model in (("fp32", fp32), ("int8", int8)):
            result = self.evaluate(model, stsb)
            self.row(f"{name}: STS-B test, Spearman × 100", f"{result['value']:.4f}")
            texts = "".join(json.dumps({"text": case["text"]}) + "\n" for case in expected["cases"])
            lines = run([self.kinglet, "embed", model, "--jsonl", "--json"], input=texts).stdout.splitlines()
            cosines = [cosine(json.loads(line)["embedding"], case["embedding"]) for line, case in zip(lines, expected["cases"], strict=True)]
            self.row(f"{name}: cosine to the recorded embeddings", f"mean {statistics.mean(cosines):.6f}, least {min(cosines):.8f}")

    def classifier(self, source, name, data):
        models = {precision: self.convert(source, name, precision) for precision in ("fp32", "int8")}
        for precision, model in models.items():
            result = self.evaluate(model, data, "--max-length", "128")
            self.row(f"{precision}: {name} dev", f"{result['right']} of {result['count']} = {result['value']:.4f} %")
        fp32, int8 = (self.labels(model, data) for model in models.values())
        equal = sum(a == b for a, b in zip(fp32, int8, strict=True))
        self.row(f"int8 against fp32: {name}, equal labels", f"{equal} of {len(fp32)} = {100 * equal / len(fp32):.2f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    kinglet = (arguments.build / "kinglet").resolve()
    print("| what | figure |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        figures = Figures(kinglet, pathlib.Path(folder), arguments.rounds)
        figures.minilm(arguments.minilm, arguments.shared)
        if arguments.shared is not None:
            figures.classifier(arguments.shared / "models/minilm-sst2", "minilm-sst2", arguments.shared / "data/sst2/dev.tsv")
            figures.classifier(arguments.shared / "models/minilm-agnews", "minilm-agnews", arguments.shared / "data/agnews/dev.tsv")


if __name__ == "__main__":
    main()
