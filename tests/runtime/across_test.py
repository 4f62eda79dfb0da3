#!/usr/bin/env python3
"""int8 models give the same bits on the processor that this build is for (under its emulator) as on this machine: every
raw output, alone, with two threads and batched, and with the caller's floating-point environment set badly.

Environment: KINGLET_CLI (the host's command line), KINGLET_OUTPUTS (tests/runtime/outputs.c for the other processor),
KINGLET_EMULATOR (may be empty), KINGLET_TEST_DATA, KINGLET_MINILM.
"""

import json
import os
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile

TEXTS = [
    "a gripping , beautifully acted film that stays with you long after the credits",
    "no",
    "",
    "Ünïcödé: naïve café — 3.14% of “quotes” (and #tags) at 12:30",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
]


def bits(numbers):
    if isinstance(numbers, list):
        return [word for number in numbers for word in bits(number)]
    return [struct.pack(">f", numbers).hex()]


def native(cli, model):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    output = subprocess.run([cli, "encode", model, "--json", "--jsonl"], input=lines, text=True, check=True,
                            capture_output=True).stdout
    return {(i, name): bits(value["data"])
            for i, line in enumerate(output.splitlines()) for name, value in json.loads(line)["outputs"].items()}


def other(model, *arguments, **environment):
    command = shlex.split(os.environ.get("KINGLET_EMULATOR", "")) + [os.environ["KINGLET_OUTPUTS"], model, *arguments]
    result = subprocess.run(command, input="".join(text + "\n" for text in TEXTS), text=True, capture_output=True,
                            env={**os.environ, **environment})
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {result.returncode}: {result.stderr}")
    outputs = {}
    for line in result.stdout.splitlines():
        index, name, *words = line.split()
        outputs[int(index), name] = words
    return outputs, result.stderr.strip()


def compare(expected, outputs, what):
    if expected.keys() != outputs.keys():
        sys.exit(f"{what}: outputs {sorted(outputs)}, natively {sorted(expected)}")
    for key, words in expected.items():
        if words != outputs[key]:
            at = next((i for i, (a, b) in enumerate(zip(words, outputs[key])) if a != b), "the end")
            sys.exit(f"{what}: text {key[0]}, {key[1]}: other bits at {at}")


def main():
    cli = os.environ["KINGLET_CLI"]
    if not os.access(cli, os.X_OK):
        print(f"SKIPPED: the same bits here and there: models come from the host's command line, and {cli} does not exist")
        return 77
    data = pathlib.Path(os.environ["KINGLET_TEST_DATA"]) / "tiny"
    checkpoints = [data / "bert-seqcls", data / "bert"]
    if os.environ.get("KINGLET_MINILM"):
        checkpoints.append(pathlib.Path(os.environ["KINGLET_MINILM"]))
    else:
        print("SKIPPED: the same bits of all-MiniLM-L6-v2 here and there: KINGLET_MINILM is not set")
    with tempfile.TemporaryDirectory() as folder:
        for checkpoint in checkpoints:
            model = pathlib.Path(folder) / "model.kgl"
            subprocess.run([cli, "convert", checkpoint, "-o", model], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            expected = native(cli, model)
            for arguments in (("1", "1"), ("2", "3"), ("1", "5", "flush"), ("2", "1", "flush")):
                outputs, path = other(model, *arguments)
                compare(expected, outputs, f"{checkpoint} on {path}, {arguments}")
            if checkpoint.parent == data:
                compare(expected, other(model, "1", "1", KINGLET_ISA="reference")[0], f"{checkpoint} on reference")
            print(f"{checkpoint.name}: the same {sum(map(len, expected.values()))} numbers on {path}")
            model.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
