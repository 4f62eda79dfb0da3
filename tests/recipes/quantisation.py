#!/usr/bin/env python3
"""What 8 bits cost, with and without calibration texts: every figure of quantisation, one command.

    tests/recipes/quantisation.py [--seeds 5] [--only NAME] [--quick]

Environment: common.py; models/minilm-sst2, models/minilm-agnews and data/{sst2,agnews,stsb} of the shared folder, and
the checkpoint of all-MiniLM-L6-v2. NAME: stsb, sst2, agnews or adversarial. Where something is not there it says what
it wants and exits 77; 1 where a figure is missed. Calibration texts: those of all-MiniLM-L6-v2 are AG News train (never
STS-B itself), drawn with each of the seeds; the classifiers' are their own training texts. --quick, for CI, needs
neither folder: a committed model of random weights, plain and adversarial, in seconds.
"""
import argparse
import json
import math

from adversarial import make_adversarial
from common import KINGLET, MINILM, ROOT, SHARED, Goals, kinglet, need, workplace

TEXTS = "A kinglet is a bird.\nIt weighs five grams.\nIt sings in tall trees, all day long.\nWhat does it eat?\n"
STSB, NEWS, SST2 = SHARED / "data/stsb/test.tsv", SHARED / "data/agnews", SHARED / "data/sst2"
MODELS = SHARED / "models"


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()[1:]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


class Recipe:
    def __init__(self, place, goals):
        self.place, self.check = place, goals.check

    def convert(self, source, name, *options):
        output = self.place / f"{name}.kgl"
        kinglet("convert", source, "-o", output, *options)
        return output

    def value(self, model, data):
        return json.loads(kinglet("eval", model, data, "--json"))["value"]

    def answers(self, command, model, texts, field):
        said = kinglet(command, model, "--json", "--batch", 16, input=texts)
        return [json.loads(line)[field] for line in said.splitlines()]

    def stsb(self, seeds):
        texts = "".join("\n".join(line.split("\t")[1:3]) + "\n" for line in lines_of(STSB))
        fp32 = self.convert(MINILM, "minilm-fp32", "--precision", "fp32")
        exact, wanted = self.value(fp32, STSB), self.answers("embed", fp32, texts, "embedding")
        print(f"STS-B, fp32: {exact:.4f}", flush=True)
        losses, means = [], []
        for seed in range(0, seeds + 1):
            calibration = ["--calibration", NEWS / "train10k.tsv", "--calibration-seed", seed] if seed > 0 else []
            model = self.convert(MINILM, f"minilm-{seed}", *calibration)
            cosines = [cosine(a, b) for a, b in zip(self.answers("embed", model, texts, "embedding"), wanted)]
            mean, loss = sum(cosines) / len(cosines), exact - self.value(model, STSB)
            name = f"seed {seed}" if seed > 0 else "no texts"
            self.check(f"STS-B, {name}", f"loss {loss:.4f} points, mean cosine {mean:.5f}",
                       loss <= 0.1 and (seed == 0 or mean >= 0.9989))
            if seed > 0:
                losses.append(loss)
                means.append(mean)
        if seeds > 0:
            print(f"STS-B, {seeds} seeds: loss {min(losses):.4f} to {max(losses):.4f} points, "
                  f"mean cosine {min(means):.5f} to {max(means):.5f}", flush=True)

    def labels(self, name, source, data, train, most):
        dev = data / "dev.tsv"
        fp32 = self.convert(source, f"{name}-fp32", "--precision", "fp32")
        texts = "".join(line.split("\t", 1)[1] + "\n" for line in lines_of(dev))
        exact, wanted = self.value(fp32, dev), self.answers("classify", fp32, texts, "label")
        print(f"{name}, fp32: {exact:.4f}", flush=True)
        for how, options in (("no texts", []), ("calibrated", ["--calibration", data / train])):
            model = self.convert(source, f"{name}-{how[:2]}", *options)
            found = self.answers("classify", model, texts, "label")
            equal = 100 * sum(a == b for a, b in zip(found, wanted)) / len(wanted)
            loss = exact - self.value(model, dev)
            self.check(f"{name}, {how}", f"loss {loss:.4f} points, {equal:.2f} % equal labels",
                       loss <= most and equal >= 99)

    def sst2(self):
        self.labels("minilm-sst2", MODELS / "minilm-sst2", SST2, "train.tsv", 0.35)

    def agnews(self):
        self.labels("minilm-agnews", MODELS / "minilm-agnews", NEWS, "train10k.tsv", 0.2)

    def adversarial(self):
        make_adversarial(MODELS / "minilm-sst2", self.place / "adversarial")
        self.labels("adversarial minilm-sst2", self.place / "adversarial", SST2, "train.tsv", 0.5)

    def quick(self):
        """Random weights: logits of plain, adversarial and calibrated models against fp32."""
        source = ROOT / "tests/data/tiny/bert-seqcls"
        make_adversarial(source, self.place / "adversarial")
        texts = self.place / "texts"
        texts.write_text(TEXTS, encoding="utf-8")
        fp32 = self.convert(source, "fp32", "--precision", "fp32")

        def logits(model):
            said = kinglet("encode", model, "--json", input=TEXTS)
            return [x for line in said.splitlines() for x in json.loads(line)["outputs"]["logits"]["data"]]

        wanted = logits(fp32)
        norm = math.sqrt(sum(x * x for x in wanted))
        for folder, name in ((source, "plain"), (self.place / "adversarial", "adversarial")):
            calibrated = ["--calibration", texts, "--sensitivity", "--max-loss", "0"]
            for how, options in (("no texts", []), ("calibrated", calibrated)):
                found = logits(self.convert(folder, f"{name}-{how[:2]}", *options))
                error = math.sqrt(sum((a - b) ** 2 for a, b in zip(found, wanted))) / norm
                self.check(f"random weights, {name}, {how}", f"relative error of the logits {error:.4f}", error <= 0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=["stsb", "sst2", "agnews", "adversarial"])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    need(KINGLET, "build kinglet first")
    names = [options.only] if options.only else ["stsb", "sst2", "agnews", "adversarial"]
    if not options.quick:
        for name, paths in (("stsb", (STSB, NEWS / "train10k.tsv", MINILM / "model.safetensors")),
                            ("sst2", (MODELS / "minilm-sst2/config.json", SST2 / "train.tsv")),
                            ("agnews", (MODELS / "minilm-agnews/config.json", NEWS / "train10k.tsv")),
                            ("adversarial", (MODELS / "minilm-sst2/config.json", SST2 / "train.tsv"))):
            for path in paths if name in names else ():
                need(path, f"for {name}")
    goals = Goals()
    with workplace() as place:
        recipe = Recipe(place, goals)
        if options.quick:
            recipe.quick()
        else:
            for name in names:
                recipe.stsb(options.seeds) if name == "stsb" else getattr(recipe, name)()
    goals.end()


if __name__ == "__main__":
    main()
