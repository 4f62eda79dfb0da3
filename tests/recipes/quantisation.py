#!/usr/bin/env python3
"""What 8 bits cost, with and without calibration texts: every figure of quantisation, one command.

    tests/recipes/quantisation.py [--kinglet build/kinglet] [--shared FOLDER] [--minilm FOLDER] [--seeds 5] [--only NAME]

FOLDER of --shared (or $KINGLET_SHARED): models/minilm-sst2, models/minilm-agnews, data/{sst2,agnews,stsb}; of --minilm
(or $KINGLET_MINILM): the checkpoint of all-MiniLM-L6-v2. NAME: stsb, sst2, agnews, adversarial or quick. Where data is
absent it says what it wants and exits 77. Calibration texts: those of all-MiniLM-L6-v2 are AG News train (never STS-B
itself); the classifiers' are their own training texts. `quick` needs neither folder: a committed model of random
weights, plain and adversarial, in seconds.
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))

TEXTS = "A kinglet is a bird.\nIt weighs five grams.\nIt sings in tall trees, all day long.\nWhat does it eat?\n"


def run(command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(part) for part in command)}: {done.stderr.strip()}")
    return done.stdout


class Recipe:
    def __init__(self, kinglet, folder):
        self.kinglet, self.folder, self.failed = kinglet, folder, False

    def convert(self, source, name, *options):
        output = self.folder / f"{name}.kgl"
        run([self.kinglet, "convert", source, "-o", output, *options])
        return output

    def value(self, model, data):
        return json.loads(run([self.kinglet, "eval", model, data, "--json", "--threads", "2"]))["value"]

    def answers(self, command, model, texts, field):
        lines = run([self.kinglet, command, model, "--json", "--threads", "2", "--batch", "16"], input=texts)
        return [json.loads(line)[field] for line in lines.splitlines()]

    def check(self, what, figure, good):
        self.failed = self.failed or not good
        print(f"{what}: {figure}{'' if good else '   NOT REACHED'}", flush=True)

    def cosines(self, model, reference, texts):
        pairs = zip(self.answers("embed", model, texts, "embedding"), self.answers("embed", reference, texts, "embedding"))
        return [sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)) for a, b in pairs]

    def stsb(self, source, test, train, seeds):
        texts = "".join("\n".join(line.split("\t")[1:3]) + "\n" for line in open(test, encoding="utf-8").read().splitlines()[1:])
        fp32 = self.convert(source, "fp32", "--precision", "fp32")
        exact = self.value(fp32, test)
        print(f"STS-B, fp32: {exact:.4f}")
        for seed in range(0, seeds + 1):
            options = ["--calibration", train, "--calibration-seed", str(seed)] if seed > 0 else []
            model = self.convert(source, f"stsb{seed}", *options)
            cosines = self.cosines(model, fp32, texts)
            mean, loss = sum(cosines) / len(cosines), exact - self.value(model, test)
            name = f"STS-B, {train.parent.name}/{train.name} seed {seed}" if seed > 0 else "STS-B, no texts"
            self.check(name, f"loss {loss:.4f} points, mean cosine {mean:.5f}", loss <= 0.1 and (seed == 0 or mean >= 0.9989))

    def labels(self, name, source, dev, train, most):
        fp32 = self.convert(source, f"{name}-fp32", "--precision", "fp32")
        texts = "".join(line.split("\t", 1)[1] + "\n" for line in open(dev, encoding="utf-8").read().splitlines()[1:])
        exact, wanted = self.value(fp32, dev), self.answers("classify", fp32, texts, "label")
        print(f"{name}, fp32: {exact:.4f}")
        for how, options in (("no texts", []), ("calibrated", ["--calibration", train])):
            model = self.convert(source, f"{name}-{how[:2]}", *options)
            found = self.answers("classify", model, texts, "label")
            equal = 100 * sum(a == b for a, b in zip(found, wanted)) / len(wanted)
            loss = exact - self.value(model, dev)
            self.check(f"{name}, {how}", f"loss {loss:.4f} points, {equal:.2f} % equal labels", loss <= most and equal >= 99)

    def quick(self, source):
        """Random weights: logits of plain, adversarial and calibrated models against fp32."""
        from adversarial import make_adversarial

        make_adversarial(source, self.folder / "adversarial")
        texts = self.folder / "texts"
        texts.write_text(TEXTS, encoding="utf-8")
        fp32 = self.convert(source, "fp32", "--precision", "fp32")

        def logits(model):
            lines = run([self.kinglet, "encode", model, "--json"], input=TEXTS).splitlines()
            return [x for line in lines for x in json.loads(line)["outputs"]["logits"]["data"]]

        wanted = logits(fp32)
        norm = math.sqrt(sum(x * x for x in wanted))
        for folder, name in ((source, "plain"), (self.folder / "adversarial", "adversarial")):
            for how, options in (("no texts", []), ("calibrated", ["--calibration", texts, "--sensitivity", "--max-loss", "0"])):
                found = logits(self.convert(folder, f"{name}-{how[:2]}", *options))
                error = math.sqrt(sum((a - b) ** 2 for a, b in zip(found, wanted))) / norm
                self.check(f"random weights, {name}, {how}", f"relative error of the logits {error:.4f}", error <= 0.05)


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinglet", type=pathlib.Path, default=root / "build/kinglet")
    parser.add_argument("--shared", type=pathlib.Path, default=os.environ.get("KINGLET_SHARED"))
    parser.add_argument("--minilm", type=pathlib.Path, default=os.environ.get("KINGLET_MINILM"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=["stsb", "sst2", "agnews", "adversarial", "quick"])
    options = parser.parse_args()
    absent = []

    def want(path, what):
        if path is None or not pathlib.Path(path).exists():
            absent.append(f"{what}: {path or 'not given'}")
            return None
        return pathlib.Path(path)

    names = [options.only] if options.only else ["stsb", "sst2", "agnews", "adversarial"]
    shared = want(options.shared, "the shared folder (--shared)") if names != ["quick"] else None
    with tempfile.TemporaryDirectory() as folder:
        recipe = Recipe(options.kinglet, pathlib.Path(folder))
        for name in names:
            if name == "quick":
                recipe.quick(root / "tests/data/tiny/bert-seqcls")
            elif shared is None:
                continue
            elif name == "stsb":
                minilm = want(options.minilm, "the checkpoint of all-MiniLM-L6-v2 (--minilm)")
                if minilm:
                    recipe.stsb(minilm, shared / "data/stsb/test.tsv", shared / "data/agnews/train10k.tsv", options.seeds)
            elif name == "agnews":
                recipe.labels(name, shared / "models/minilm-agnews", shared / "data/agnews/dev.tsv", shared / "data/agnews/train10k.tsv", 0.2)
            else:
                source = shared / "models/minilm-sst2"
                if name == "adversarial":
                    from adversarial import make_adversarial

                    make_adversarial(source, recipe.folder / "adversarial")
                    source = recipe.folder / "adversarial"
                recipe.labels(name, source, shared / "data/sst2/dev.tsv", shared / "data/sst2/train.tsv", 0.35 if name == "sst2" else 0.5)
    for line in absent:
        print(f"SKIPPED: {line}: expected a folder")
    sys.exit(77 if absent else 1 if recipe.failed else 0)


if __name__ == "__main__":
    main()
