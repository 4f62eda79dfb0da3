"""What the tests of training share: small data that a tiny model can learn, and running the commands."""

import json
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
import support  # noqa: E402

folder = support.folder
TINY = support.DATA / "tiny"


def words():
    """Plain words of the tiny models' vocabulary."""
    lines = (TINY / "bert-seqcls" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.isascii() and line.isalpha() and line.islower() and len(line) > 2]


def write_labelled(path, count, seed, labels=("negative", "neutral", "positive"), pairs=False):
    """Texts whose label is that of the one telling word among others."""
    rng, vocabulary = random.Random(seed), words()
    telling = dict(zip(labels, (vocabulary[3 * i : 3 * i + 3] for i in range(len(labels)))))
    others = vocabulary[30:90]
    lines = ["label\tsentence1\tsentence2" if pairs else "label\ttext"]
    for _ in range(count):
        label = rng.choice(labels)
        text = rng.choices(others, k=rng.randint(2, 9))
        text.insert(rng.randint(0, len(text)), rng.choice(telling[label]))
        other = "\t" + " ".join(rng.choices(others, k=4)) if pairs else ""
        lines.append(f"{label}\t{' '.join(text)}{other}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def finetune(source, data, output, *options, **more):
    return support.run("finetune", source, "--data", data, "-o", output, "--threads", "1", *options, **more)


def weights(output):
    return (Path(output) / "model.safetensors").read_bytes()


def tensors(output):
    """The bytes of every tensor by name."""
    data = weights(output)
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    header.pop("__metadata__", None)
    return {name: body[slice(*facts["data_offsets"])] for name, facts in header.items()}


def log(output):
    return [json.loads(line) for line in (Path(output) / "training_log.jsonl").read_text().splitlines()]


def kinglet_train():
    return os.path.join(os.path.dirname(os.environ["KINGLET_CLI"]), "kinglet-train")
