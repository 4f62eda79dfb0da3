#!/usr/bin/env python3
"""Copies a checkpoint folder with its tensors in half precision (F16), which a repository has room for.

  half_checkpoint.py SOURCE OUT"""

import shutil
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from derive_checkpoint import read_tensors, write_tensors  # noqa: E402

COPIED = ("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def half(name, tensor):
    dtype, shape, data = tensor
    if dtype != "F32":
        sys.exit(f"half_checkpoint.py: the tensor {name} is {dtype}, expected F32")
    count = len(data) // 4
    try:
        return "F16", shape, struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", data))
    except OverflowError:
        sys.exit(f"half_checkpoint.py: the tensor {name} has numbers beyond those of F16")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    tensors = {name: half(name, tensor) for name, tensor in read_tensors(source / "model.safetensors").items()}
    out.mkdir(parents=True, exist_ok=True)
    write_tensors(out / "model.safetensors", tensors)
    for name in COPIED:
        if (source / name).exists():
            shutil.copy(source / name, out / name)


if __name__ == "__main__":
    main()
