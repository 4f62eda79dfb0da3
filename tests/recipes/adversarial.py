"""The adversarial model: some value channels of every layer × 1000 (rows and biases), and the columns of the attention
output that read them ÷ 1000. In fp32 it computes what it did; rounding a row that holds such channels to 8 bits leaves
nothing of the others. Reads and writes safetensors with Python alone."""
import array
import json
import pathlib
import shutil
import struct

CHANNELS, FACTOR = 10, 1000.0


def read_safetensors(path):
    """Name → [dtype, shape, bytes]."""
    raw = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    return {
        name: [entry["dtype"], entry["shape"], raw[slice(*(8 + length + offset for offset in entry["data_offsets"]))]]
        for name, entry in header.items()
    }


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


def scale(tensor, places, factor):
    """Multiplies the elements at `places`; the tensor becomes F32."""
    dtype, shape, data = tensor
    values = array.array("f", struct.unpack(f"<{len(data) // 2}e", data)) if dtype == "F16" else array.array("f", data)
    for place in places:
        values[place] *= factor
    return ["F32", shape, values.tobytes()]


def make_adversarial(source, target):
    """Copies a BERT folder with its value channels spread over six decades."""
    source, target = pathlib.Path(source), pathlib.Path(target)
    target.mkdir()
    for file in source.iterdir():
        if file.is_file() and file.name != "model.safetensors":
            shutil.copy(file, target / file.name)
    tensors = read_safetensors(source / "model.safetensors")
    for name in sorted(tensors):
        if not name.endswith("attention.self.value.weight"):
            continue
        layer = name[: -len("self.value.weight")]
        count, width = tensors[name][1]
        channels = [(7 + 37 * i) % count for i in range(CHANNELS)]
        bias, output = layer + "self.value.bias", layer + "output.dense.weight"
        rows, columns = tensors[output][1]
        tensors[name] = scale(tensors[name], [i * width + j for i in channels for j in range(width)], FACTOR)
        tensors[bias] = scale(tensors[bias], channels, FACTOR)
        tensors[output] = scale(tensors[output], [i * columns + j for i in range(rows) for j in channels], 1 / FACTOR)
    write_safetensors(target / "model.safetensors", tensors)
