#!/usr/bin/env python3
"""Compares `kinglet tag`, `answer` and `fill-mask` with the code of the transformers pipelines on random texts.

  fuzz_tasks_against_hf.py KINGLET CHECKPOINT [--count N] [--seed S] [--texts FILE]

KINGLET is the executable, CHECKPOINT a folder with a head for one of the three tasks. Needs transformers 4.57.3 and its
tokenizers, but no torch: the model's raw outputs are those of `kinglet encode`, so that only what follows them is
compared. FILE has one text a line; without it texts are made of words, punctuation, Korean, accents and spaces."""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from transformers import AutoTokenizer
from transformers.pipelines.question_answering import QuestionAnsweringPipeline, select_starts_ends
from transformers.pipelines.token_classification import AggregationStrategy, TokenClassificationPipeline

PIECES = ["the", "Amazon", "Samsung", "Electronics", "서울", "대한민국의", "naïve", "Éa", "ﬁn", "7,000", "U.S.", "“ok”", "é",
          "don't", "e\u0301", "日本", "x" * 120, "\u00a0", "\u3000", "[CLS]", "[UNK]", "🙂", "A-B", "(Peru)", "in", "of"]
TOLERANCE = 2e-5


def random_text(rng, texts, most):
    if texts and rng.random() < 0.7:
        return rng.choice(texts)
    words = [rng.choice(PIECES) for _ in range(rng.randrange(most))]
    return rng.choice(["", " "]) + "".join(w + rng.choice([" ", " ", " ", "", "  ", "\t", ". "]) for w in words)


def tensor(array):
    """As much of a torch tensor as the pipelines need."""
    return SimpleNamespace(dtype=None, numpy=lambda: array)


def run(command, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(command, input=text.encode(), capture_output=True)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def outputs(kinglet, model, encodings):
    lines = [{"ids": e["input_ids"], "type_ids": e["token_type_ids"]} for e in encodings]
    answers = run([kinglet, "encode", model, "--json", "--jsonl"], lines)
    return [{name: np.array(o["data"], np.float32).reshape(o["shape"]) for name, o in a["outputs"].items()}
            for a in answers]


class Comparison:
    def __init__(self, arguments, folder):
        self.kinglet, self.count = arguments.kinglet, arguments.count
        self.rng = random.Random(arguments.seed)
        self.texts = Path(arguments.texts).read_text().splitlines() if arguments.texts else []
        self.tokenizer = AutoTokenizer.from_pretrained(arguments.checkpoint)
        self.config = json.loads((Path(arguments.checkpoint) / "config.json").read_text())
        self.model = str(Path(folder) / "m.kgl")
        subprocess.run([self.kinglet, "convert", arguments.checkpoint, "-o", self.model, "--precision", "fp32"],
                       check=True, capture_output=True)
        self.info = json.loads(subprocess.run([self.kinglet, "inspect", self.model, "--json"], check=True,
                                              capture_output=True).stdout)
        self.limit = self.info["max_length"]
        self.wrong = 0

    def differ(self, what, *details):
        self.wrong += 1
        if self.wrong <= 5:
            print("DIFFERENT:", what, *details, sep="\n  ")

    def encode(self, *texts, **options):
        encoded = self.tokenizer(*texts, return_offsets_mapping=True, return_special_tokens_mask=True,
                                 return_token_type_ids=True, return_overflowing_tokens=True, truncation=options.pop(
                                     "truncation", True), **options)
        return encoded, [{k: encoded[k][i] for k in ("input_ids", "token_type_ids", "offset_mapping",
                                                     "special_tokens_mask")}
                         for i in range(len(encoded["input_ids"]))]

    def trimmed(self, text, begin, end):
        part = text[begin:end]
        begin += len(part) - len(part.lstrip())
        return (begin, max(begin, end - (len(part) - len(part.rstrip())))) if part.strip() else None

    def tag(self):
        pipeline = object.__new__(TokenClassificationPipeline)
        pipeline.tokenizer, pipeline.framework = self.tokenizer, "np"
        labels = {int(k): v for k, v in self.config["id2label"].items()}
        pipeline.model = SimpleNamespace(config=SimpleNamespace(id2label=labels))
        for how in ("simple", "first", "average", "max"):
            for windows in (False, True):
                length = self.rng.choice([12, 20, self.limit]) if windows else self.limit
                stride = self.rng.randrange(1, length // 2)
                texts = [random_text(self.rng, self.texts, 40) for _ in range(self.count)]
                command = [self.kinglet, "tag", self.model, "--json", "--jsonl", "--aggregation", how, "--offsets",
                           "codepoints", "--max-length", str(length)] + (["--stride", str(stride)] if windows else [])
                answers = run(command, [{"text": t} for t in texts])
                for text, answer in zip(texts, answers, strict=True):
                    _, windows_of = self.encode(text, max_length=length, stride=stride if windows else 0)
                    if not windows:
                        windows_of = windows_of[:1]
                    model_outputs = []
                    for encoding, output in zip(windows_of, outputs(self.kinglet, self.model, windows_of)):
                        model_outputs.append({
                            "logits": [tensor(output["logits"])],
                            "sentence": text, "input_ids": [np.array(encoding["input_ids"])],
                            "offset_mapping": [encoding["offset_mapping"]],
                            "special_tokens_mask": [tensor(np.array(encoding["special_tokens_mask"]))]})
                    wanted = pipeline.postprocess(model_outputs, AggregationStrategy[how.upper()])
                    first = wanted[:1]
                    if first and first == wanted[1:2] and first[0]["start"] == first[0]["end"]:
                        wanted = wanted[1:]  # merging windows doubles an empty entity at the start
                    spans = [(self.trimmed(text, e["start"], e["end"]), e) for e in wanted]
                    good = len(answer["entities"]) == len(wanted) and all(
                        (s is None or (a["begin"], a["end"]) == s) and a["label"] == e["entity_group"]
                        and abs(a["score"] - e["score"]) < TOLERANCE
                        for a, (s, e) in zip(answer["entities"], spans))
                    if not good:
                        self.differ(f"tag {how} length {length} stride {stride}", repr(text), answer["entities"], wanted)

    def answer(self):
        pipeline = object.__new__(QuestionAnsweringPipeline)
        pipeline.tokenizer = self.tokenizer
        for _ in range(self.count):
            question = random_text(self.rng, self.texts, 6)[:60]
            context = random_text(self.rng, self.texts, 120)
            top_k, longest = self.rng.choice([1, 3, 8]), self.rng.choice([1, 4, 15, 50])
            length = self.rng.choice([48, 64, self.limit])
            none = self.rng.random() < 0.5
            question_tokens = len(self.tokenizer(question, add_special_tokens=False)["input_ids"])
            room = length - question_tokens - self.tokenizer.num_special_tokens_to_add(pair=True)
            if room < 2:
                continue
            stride = self.rng.randrange(1, room)
            encoded, windows = self.encode(question, context, max_length=length, stride=stride,
                                           truncation="only_second")
            answers, lowest = [], 1000000
            for i, output in enumerate(outputs(self.kinglet, self.model, windows)):
                mask = np.array([s != 1 for s in encoded.sequence_ids(i)])
                mask[np.array(windows[i]["input_ids"]) == self.tokenizer.cls_token_id] = False
                starts, ends, scores, lowest = select_starts_ends(
                    output["start_logits"][None], output["end_logits"][None], mask[None].astype(int), None, lowest,
                    top_k * 2 + 10, none, longest)
                for s, e, score in zip(starts, ends, scores):
                    if not score > 0 or encoded.sequence_ids(i)[s] != 1 or encoded.sequence_ids(i)[e] != 1:
                        continue
                    begin, end = pipeline.get_indices(encoded[i], s, e, 1, True)
                    same = pipeline.get_answer(answers, context[begin:end])
                    if same:
                        same["score"] += score.item()
                    else:
                        answers.append({"score": score.item(), "start": begin, "end": end,
                                        "answer": context[begin:end]})
            if none:
                answers.append({"score": float(lowest), "start": 0, "end": 0, "answer": ""})
            answers = sorted(answers, key=lambda a: a["score"], reverse=True)[:top_k]
            command = [self.kinglet, "answer", self.model, "--json", "--jsonl", "--offsets", "codepoints", "--top-k",
                       str(top_k), "--max-answer-len", str(longest), "--stride", str(stride), "--max-length",
                       str(length)] + (["--no-answer"] if none else [])
            found = run(command, [{"question": question, "context": context}])[0].get("answers", [])
            good = len(found) == len(answers)
            for a, w in zip(found, answers):
                span = self.trimmed(context, w["start"], w["end"])
                near = abs(a["score"] - w["score"]) < TOLERANCE
                close = sum(abs(w["score"] - o["score"]) < TOLERANCE for o in answers) > 1  # the order is chance
                good = good and near and (close or span is None or (a["begin"], a["end"]) == span)
            if not good:
                self.differ(f"answer top_k {top_k} longest {longest} length {length} stride {stride}", repr(question),
                            repr(context), found, answers)

    def fill_mask(self):
        mask = self.tokenizer.mask_token
        for _ in range(self.count):
            text = random_text(self.rng, self.texts, 20) + " " + mask + self.rng.choice([".", f" and {mask}", ""])
            _, windows = self.encode(text, max_length=self.limit)
            logits = outputs(self.kinglet, self.model, windows[:1])[0]["logits"]
            places = np.nonzero(np.array(windows[0]["input_ids"]) == self.tokenizer.mask_token_id)[0]
            masks = run([self.kinglet, "fill-mask", self.model, "--json", "--jsonl"], [{"text": text}])[0].get("masks", [])
            good = len(masks) == len(places)
            for found, place in zip(masks, places):
                row = np.exp(logits[place].astype(np.float64) - logits[place].max())
                row /= row.sum()
                order = np.argsort(-row, kind="stable")[:5]
                good = good and [p["id"] for p in found] == order.tolist() and all(
                    abs(p["score"] - row[p["id"]]) < TOLERANCE and
                    p["token"] == self.tokenizer.convert_ids_to_tokens(p["id"]) for p in found)
            if not good:
                self.differ("fill-mask", repr(text), masks)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinglet")
    parser.add_argument("checkpoint")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(arguments, folder)
        task = comparison.info["task"]
        {"tag": comparison.tag, "answer": comparison.answer, "fill-mask": comparison.fill_mask,
         "fill_mask": comparison.fill_mask}[task]()
    print(f"{task}: {comparison.wrong} different (seed {arguments.seed})")
    sys.exit(1 if comparison.wrong else 0)


main()
