#!/usr/bin/env python3
"""kinglet's Python package beside a pipeline on ONNX Runtime int8 as sentence-transformers has it: the sentences of STS-B
through all-MiniLM-L6-v2, batches of 32, one thread; and from the start of a process to its first embedding.

    tests/bench/rivals/sentences.py --checkpoint FOLDER --kinglet build/kinglet --python build/python/bin/python \\
        --texts ../shared/data/stsb/test.tsv --work /tmp/rivals

--python: an interpreter with the package kinglet (./test makes build/python). The first run makes a virtual environment
in WORK with numpy, onnx, onnxruntime, tokenizers. The rival tokenizes with Hugging Face's tokenizers, sorts by length
as sentence-transformers does, pads each batch to its longest, and pools and normalises in NumPy; it runs each of the two
int8 models of minilm.py. No torch and no transformers, nor the seconds that importing them takes, are in its start. With
--sentence-transformers, an interpreter that has sentence-transformers and optimum[onnxruntime], the real one runs beside
them, on its ONNX backend.

Engines are processes of their own that take turns round by round, so that other load on the machine meets all of them.
The figures are of processor time (--clock wall: of wall time), for one thread of a busy machine; best and median over
the rounds. Embeddings of all must agree to a mean cosine of 0.97 before anything is timed."""

import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys
import time

from environment import enter_environment

PACKAGES = ["numpy", "onnx", "onnxruntime", "sympy", "tokenizers"]
BATCH = 32

# What both workers share. Commands on standard input: "texts FILE", "embed FILE", "time".
COMMON = """
import json, resource, sys, time
def clocks():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return [time.perf_counter(), used.ru_utime + used.ru_stime]
def serve(encode):
    for line in sys.stdin:
        command, _, file = line.strip().partition(" ")
        if command == "texts":
            texts = json.load(open(file))
            print("{}", flush=True)
        elif command == "embed":
            numpy.save(file, encode(texts))
            print("{}", flush=True)
        else:
            begin = clocks()
            encode(texts)
            print(json.dumps([b - a for a, b in zip(begin, clocks())]), flush=True)
"""

KINGLET = COMMON + """
import numpy, kinglet
model = kinglet.Model(sys.argv[1], batch=32)
def encode(texts):
    return model.encode(texts)
"""

ONNXRUNTIME = COMMON + """
import numpy, onnxruntime, tokenizers
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1] + "/onnx/model_quantized.onnx", options,
                                       providers=["CPUExecutionProvider"])
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
tokenizer.enable_padding()
tokenizer.enable_truncation(256)
def encode(texts):
    order = numpy.argsort([-len(text) for text in texts])
    rows = numpy.empty((len(texts), 384), numpy.float32)
    for begin in range(0, len(texts), 32):
        some = order[begin:begin + 32]
        encoded = tokenizer.encode_batch([texts[i] for i in some])
        ids = numpy.array([e.ids for e in encoded], numpy.int64)
        mask = numpy.array([e.attention_mask for e in encoded], numpy.int64)
        states = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        weights = mask[:, :, None].astype(numpy.float32)
        pooled = (states * weights).sum(1) / weights.sum(1)
        rows[some] = pooled / numpy.linalg.norm(pooled, axis=1, keepdims=True)
    return rows
"""

SENTENCE_TRANSFORMERS = COMMON + """
import numpy, onnxruntime
from sentence_transformers import SentenceTransformer
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
model = SentenceTransformer(sys.argv[1], backend="onnx", device="cpu", model_kwargs={
    "file_name": "onnx/model_quantized.onnx", "session_options": options})
def encode(texts):
    return model.encode(texts, batch_size=32)
"""


class Worker:
    def __init__(self, python, code, model, scratch):
        self.process = subprocess.Popen([python, "-c", code + "\nserve(encode)", model], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, cwd=scratch, env=environment())

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"a worker ended at '{command}'")
        return json.loads(line)


def environment():
    return {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def start_up(python, code, model, scratch):
    """[wall, processor] seconds of a process that embeds one text."""
    before, begin = os.times(), time.perf_counter()
    subprocess.run([python, "-c", code + "\nencode(['A small bird sings.'])", model], check=True, cwd=scratch,
                   env=environment())
    wall, after = time.perf_counter() - begin, os.times()
    return [wall, after.children_user + after.children_system - before.children_user - before.children_system]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True, type=pathlib.Path)
    parser.add_argument("--kinglet", required=True, type=pathlib.Path, help="the command")
    parser.add_argument("--python", required=True, type=pathlib.Path, help="an interpreter with the package kinglet")
    parser.add_argument("--texts", required=True, type=pathlib.Path, help="TSV with columns sentence1 and sentence2")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="folder for the environment and the models")
    parser.add_argument("--sentence-transformers", type=pathlib.Path, metavar="PYTHON")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="cpu")
    return parser.parse_args()


def main():
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    enter_environment(options.work, PACKAGES)
    import numpy as np

    import minilm
    folder = (options.work / "minilm").resolve()
    minilm.make(options.checkpoint, options.kinglet.resolve(), folder)
    with open(options.texts, encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:options.pairs]
    texts = [row[column] for row in rows for column in ("sentence1", "sentence2")]
    (folder / "texts.json").write_text(json.dumps(texts))

    engines = {"kinglet int8": (options.python.absolute(), KINGLET, folder / "minilm.kgl"),
               "ONNX Runtime int8, exported": (sys.executable, ONNXRUNTIME, folder / "exported"),
               "ONNX Runtime int8, fused": (sys.executable, ONNXRUNTIME, folder / "fused")}
    if options.sentence_transformers:
        engines["sentence-transformers on ONNX Runtime int8, fused"] = (
            options.sentence_transformers.absolute(), SENTENCE_TRANSFORMERS, folder / "fused")
    workers = {name: Worker(*engine, folder) for name, engine in engines.items()}
    embeddings = {}
    for name, worker in workers.items():
        worker.ask(f"texts {folder / 'texts.json'}")
        worker.ask(f"embed {folder / 'embeddings.npy'}")
        embeddings[name] = np.load(folder / "embeddings.npy")
        near = (embeddings[name] * embeddings["kinglet int8"]).sum(1).mean()
        if not near > 0.97:
            sys.exit(f"{name}: mean cosine to kinglet's embeddings {near:.4f}")

    clock = ["wall", "cpu"].index(options.clock)
    rounds = {name: [] for name in engines}
    starts = {name: [] for name in engines}
    alone = []
    for _ in range(options.rounds):
        for name, worker in workers.items():
            rounds[name].append(len(texts) / worker.ask("time")[clock])
        for name, engine in engines.items():
            starts[name].append(1e3 * start_up(*engine, folder)[clock])
        alone.append(1e3 * start_up(options.python.absolute(), "import numpy\nencode = len", "", folder)[clock])
    for worker in workers.values():
        worker.process.stdin.close()
        worker.process.wait()

    print(f"{len(texts)} sentences of {options.texts.name}, batches of {BATCH}, one thread, {options.clock} clock, "
          f"{options.rounds} rounds\n")
    print("| engine | texts/s: most (median) | of kinglet's | process to first embedding, ms | of kinglet's |")
    print("|---|---|---|---|---|")
    own_rate, own_start = max(rounds["kinglet int8"]), min(starts["kinglet int8"])
    for name in engines:
        rate, start = sorted(rounds[name]), sorted(starts[name])
        print(f"| {name} | {rate[-1]:.0f} ({rate[len(rate) // 2]:.0f}) | {rate[-1] / own_rate:.2f} "
              f"| {start[0]:.0f} ({start[len(start) // 2]:.0f}) | {start[0] / own_start:.1f} |")
    print(f"\nA process that imports NumPy alone, which both need: {min(alone):.0f} ms")


if __name__ == "__main__":
    main()
