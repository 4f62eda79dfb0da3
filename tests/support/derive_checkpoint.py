#!/usr/bin/env python3
"""Makes a checkpoint with another head out of a small BERT classifier with safetensors.

  derive_checkpoint.py SOURCE OUT answer|rank [FIELD=JSON…]

answer: rows 0 and 1 of the classifier become the start and end of BertForQuestionAnswering. rank: row 0 becomes the one
output of a cross-encoder. FIELD=JSON sets fields of config.json."""

import json
import shutil
import struct
import sys
from pathlib import Path


def read_tensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], entry["shape"], data[8 + size:][slice(*entry["data_offsets"])])
            for name, entry in header.items()}


def write_tensors(path, tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def first_rows(tensor, rows):
    dtype, shape, data = tensor
    return dtype, [rows, *shape[1:]], data[:len(data) // shape[0] * rows]


def derive(source, out, kind, fields=None):
    source, out = Path(source), Path(out)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for file in source.iterdir():
        if file.name not in ("expected.json", "model.safetensors"):
            shutil.copyfile(file, out / file.name)
    tensors = read_tensors(source / "model.safetensors")
    config = json.loads((source / "config.json").read_text())
    name, rows = ("qa_outputs", 2) if kind == "answer" else ("classifier", 1)
    for part in ("weight", "bias"):
        tensors[f"{name}.{part}"] = first_rows(tensors.pop(f"classifier.{part}"), rows)
    if kind == "answer":
        config["architectures"] = ["BertForQuestionAnswering"]
        config.pop("id2label"), config.pop("label2id")
    else:
        config["id2label"], config["label2id"] = {"0": "LABEL_0"}, {"LABEL_0": 0}
    config.update(fields or {})
    write_tensors(out / "model.safetensors", tensors)
    (out / "config.json").write_text(json.dumps(config))
    return out


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    derive(*sys.argv[1:4], {f: json.loads(v) for f, v in (a.split("=", 1) for a in sys.argv[4:])})
