"""The real all-MiniLM-L6-v2 in int8 for ONNX Runtime, in the layout that transformers.js reads, and for kinglet.

    tests/bench/rivals/minilm.py CHECKPOINT KINGLET FOLDER

Makes FOLDER/minilm.kgl and two folders, `exported` and `fused`, with config, tokenizer, the modules of
sentence-transformers and onnx/model_quantized.onnx.
Both are quantised dynamically; `exported` in the operators that exporters write, as most models on the hub are, `fused`
after ONNX Runtime's own tool for transformers. Needs numpy, onnx, onnxruntime and sympy.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys

import numpy as np

import models
import onnx_files

SHAPE = "minilm-l6"
NAMES = {"ids": "input_ids", "mask": "attention_mask"}


def read_weights(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    weights = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            weights[name] = np.frombuffer(data[8 + size + begin:8 + size + end], np.float32).reshape(entry["shape"])
    return weights


def rename_inputs(model):
    for value in model.graph.input:
        value.name = NAMES.get(value.name, value.name)
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = NAMES.get(name, name)


def make(checkpoint, kinglet, folder):
    """Makes what is not there yet."""
    if (folder / "done").exists():
        return
    import onnx
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([kinglet, "convert", checkpoint, "-o", folder / "minilm.kgl"], check=True, stdout=subprocess.DEVNULL)
    model = models.onnx_model(SHAPE, read_weights(checkpoint / "model.safetensors"))
    rename_inputs(model)
    onnx.save(model, folder / "exported.onnx")
    _, hidden, heads, _ = models.SHAPES[SHAPE]
    onnx_files.fuse(folder / "exported.onnx", folder / "fused.onnx", hidden, heads)
    for name in ("exported", "fused"):
        own = folder / name
        (own / "onnx").mkdir(parents=True, exist_ok=True)
        for file in checkpoint.iterdir():
            if file.is_dir():
                shutil.copytree(file, own / file.name, dirs_exist_ok=True)
            elif file.suffix in (".json", ".txt"):
                shutil.copyfile(file, own / file.name)
        onnx_files.quantize(folder / f"{name}.onnx", own / "onnx/model_quantized.onnx")
    (folder / "done").write_text("")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    make(*map(pathlib.Path, sys.argv[1:]))
