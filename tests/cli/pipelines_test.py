"""The task commands against what the pipelines of transformers 4.57.3 answered (models/tiny/tasks.json): labels, spans,
answers and tokens equal, scores within 1e-4. Checkpoints join as soon as the converter takes them: one of a family or
with a tokenizer that is not built yet is skipped, and any other failure to convert is one."""

import json
import unittest

import support

TOLERANCE = 1e-4
# What the converter says of families, heads and tokenizers that it does not know.
NOT_BUILT = ("model_type", "is not supported", "not implemented", "is what is implemented so far")


def recorded():
    for root in (support.SHARED / "models" / "tiny", support.DATA / "tiny"):
        if (root / "tasks.json").exists():
            return json.loads((root / "tasks.json").read_text())["tasks"]
    return None


TASKS = recorded()


def convert(test, name):
    """A converted fp32 model, or None when its family or tokenizer is not built yet."""
    path = support.folder / f"pipeline-{name}.kgl"
    if path.exists():
        return path
    code, _, errors = support.run("convert", support.checkpoint(name), "-o", path, "--precision", "fp32")
    if code == 0:
        return path
    test.assertTrue(any(reason in errors for reason in NOT_BUILT), f"{name}: {errors}")
    print(f"SKIPPED: pipelines of tiny/{name}: {errors.strip()}", flush=True)
    return None


def trimmed(text, span):
    """[begin, end) of a recorded span without the spaces around it, which SentencePiece's tokens take in."""
    inside = text.encode()[span["begin"]:span["end"]].decode()
    begin = span["begin"] + len(inside) - len(inside.lstrip())
    return [begin, begin + len(inside.strip().encode())]


class Pipelines(support.TestCase):
    def setUp(self):
        if TASKS is None:
            print("SKIPPED: pipelines: models/tiny/tasks.json is not there; it is in KINGLET_SHARED", flush=True)
            self.skipTest("no tasks.json")

    def for_checkpoints(self, kind, check):
        """Calls check(model, cases) for every checkpoint that converts."""
        compared = 0
        if not any(kind in tasks for tasks in TASKS.values()):
            print(f"SKIPPED: pipelines: {kind}: none is recorded in tests/data; more is in KINGLET_SHARED", flush=True)
            self.skipTest(f"nothing recorded for {kind}")
        for name, tasks in TASKS.items():
            if kind in tasks:
                with self.subTest(checkpoint=name, task=kind):
                    path = convert(self, name)
                    if path is not None:
                        check(path, tasks[kind])
                        compared += 1
        self.assertGreater(compared, 0)

    def near(self, actual, wanted):
        self.assertLessEqual(abs(actual - wanted), TOLERANCE)

    def test_classify(self):
        def check(path, cases):
            lines = "".join(json.dumps({k: c[k] for k in ("text", "pair") if k in c}) + "\n" for c in cases)
            answers = self.objects("classify", path, "--json", "--jsonl", "--batch", "3", stdin=lines)
            for case, answer in zip(cases, answers, strict=True):
                wanted = case["scores"]
                scores = answer.get("scores") or {label: answer["value"] for label in wanted}
                self.assertEqual(set(scores), set(wanted))
                for label, score in wanted.items():
                    self.near(scores[label], score)
                order = [wanted[label] for label in scores]
                self.assertTrue(all(a >= b - TOLERANCE for a, b in zip(order, order[1:])))
        self.for_checkpoints("classify", check)

    def check_tag(self, aggregation):
        def check(path, cases):
            lines = "".join(json.dumps({"text": c["text"]}) + "\n" for c in cases)
            answers = self.objects("tag", path, "--json", "--jsonl", "--aggregation", aggregation, stdin=lines)
            for case, answer in zip(cases, answers, strict=True):
                self.assertEqual([[e["label"], e["begin"], e["end"]] for e in answer["entities"]],
                                 [[e["label"], *trimmed(case["text"], e)] for e in case["entities"]])
                for entity, wanted in zip(answer["entities"], case["entities"]):
                    self.near(entity["score"], wanted["score"])
                    text = case["text"].encode()[entity["begin"]:entity["end"]].decode()
                    self.assertEqual(entity["text"], text)
        self.for_checkpoints(f"tag_{aggregation}", check)

    def test_tag_simple(self):
        self.check_tag("simple")

    def test_tag_first(self):
        self.check_tag("first")

    def test_tag_average(self):
        self.check_tag("average")

    def test_tag_max(self):
        self.check_tag("max")

    def test_answer(self):
        def check(path, cases):
            for case in cases:
                request = json.dumps({"question": case["question"], "context": case["context"]})
                answer = self.objects("answer", path, "--json", "--jsonl", "--top-k", str(case["top_k"]),
                                      "--max-answer-len", str(case["max_answer_len"]),
                                      "--stride", str(case["doc_stride"]), "--max-length", str(case["max_seq_len"]),
                                      stdin=request)[0]
                self.assertEqual([[a["begin"], a["end"]] for a in answer["answers"]],
                                 [trimmed(case["context"], a) for a in case["answers"]])
                for found, wanted in zip(answer["answers"], case["answers"]):
                    self.near(found["score"], wanted["score"])
                    text = case["context"].encode()[found["begin"]:found["end"]].decode()
                    self.assertEqual(found["text"], text)
        self.for_checkpoints("answer", check)

    def test_fill_mask(self):
        def check(path, cases):
            answers = self.objects("fill-mask", path, "--json", "--batch", "2",
                                   stdin="".join(c["text"] + "\n" for c in cases))
            for case, answer in zip(cases, answers, strict=True):
                self.assertEqual(len(answer["masks"]), len(case["masks"]))
                for mask, wanted in zip(answer["masks"], case["masks"]):
                    self.assertEqual([[p["token"], p["id"]] for p in mask], [[p["token"], p["id"]] for p in wanted])
                    for prediction, recorded_one in zip(mask, wanted):
                        self.near(prediction["score"], recorded_one["score"])
        self.for_checkpoints("fill_mask", check)


if __name__ == "__main__":
    support.main()
