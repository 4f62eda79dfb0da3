"""tag, answer, fill-mask and rerank: options, units, windows, input of every kind, errors. Their numbers are the
business of pipelines_test.py."""

import json
import math
import sys
import unittest
from pathlib import Path

import support

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from derive_checkpoint import derive  # noqa: E402

derived = {}


def derived_model(kind, **fields):
    """A model derived from tiny/bert-seqcls, converted once."""
    key = (kind, json.dumps(fields))
    if key not in derived:
        folder = derive(support.checkpoint("bert-seqcls"), support.folder / f"{kind}-{len(derived)}", kind, fields)
        derived[key] = folder.with_suffix(".kgl")
        code, _, errors = support.run("convert", folder, "-o", derived[key])
        if code != 0:
            derived.pop(key)
            raise AssertionError(errors)
    return derived[key]


class Tag(support.TestCase):
    TEXT = "Angela 𝄞 Merkel visited “Samsung” in Seoul."

    def entities(self, *arguments, **options):
        return self.objects("tag", support.model("bert-ner"), "--json", *arguments, **options)[0]["entities"]

    def test_units_and_texts(self):
        for unit, part in (("bytes", lambda b, e: self.TEXT.encode()[b:e].decode()),
                           ("codepoints", lambda b, e: self.TEXT[b:e]),
                           ("utf16", lambda b, e: self.TEXT.encode("utf-16-le")[2 * b:2 * e].decode("utf-16-le"))):
            entities = self.entities(self.TEXT, "--offsets", unit)
            self.assertGreater(len(entities), 3)
            for entity in entities:
                self.assertEqual(list(entity), ["label", "text", "begin", "end", "score"])
                self.assertEqual(part(entity["begin"], entity["end"]), entity["text"])
                self.assertEqual(entity["text"], entity["text"].strip())
                self.assertNotIn("-", entity["label"])
        self.assertEqual([e["text"] for e in self.entities(self.TEXT, "--offsets", "utf16")],
                         [e["text"] for e in self.entities(self.TEXT)])

    def test_aggregations(self):
        whole = {a: self.entities(self.TEXT, "--aggregation", a) for a in ("simple", "first", "average", "max")}
        self.assertEqual(whole["simple"], self.entities(self.TEXT))
        begins = {0, *(i + 1 for i, c in enumerate(self.TEXT.encode()) if c == 32)}
        for entity in whole["first"]:
            if entity["text"][0].isalnum() and entity["text"] != "Samsung":
                self.assertIn(entity["begin"], begins)
        self.assertNotEqual(whole["simple"], whole["max"])

    def test_windows(self):
        path = support.model("bert-ner")
        text = " ".join(["Angela visited Seoul and Samsung."] * 100)
        cut = self.objects("tag", path, "--json", text, "--max-length", "20")[0]
        self.assertIs(cut["truncated"], True)
        read = self.objects("tag", path, "--json", text, "--max-length", "20", "--stride", "6")[0]
        self.assertNotIn("truncated", read)
        self.assertGreater(read["entities"][-1]["end"], len(text) - 40)
        for before, after in zip(read["entities"], read["entities"][1:]):
            self.assertLessEqual(before["end"], after["begin"])
        for options in (["--threads", "2"], ["--batch", "7"]):
            self.assertEqual(self.objects("tag", path, "--json", text, "--max-length", "20", "--stride", "6", *options),
                             [read])
        self.assertEqual(self.entities(self.TEXT, "--stride", "5"), self.entities(self.TEXT))
        self.fails(1, "tag", path, text, "--max-length", "20", "--stride", "18", says=["text 1: ", "stride is 18"])

    def test_in_any_company(self):
        path = support.model("bert-ner")
        texts = [self.TEXT, "", "Seoul", "a \xa0 b"]
        alone = [self.good("tag", path, text, "--json") for text in texts]
        self.assertEqual(self.good("tag", path, "--json", "--batch", "3", *texts), "".join(alone))
        self.assertEqual(json.loads(alone[1]), {"entities": []})

    def test_for_people(self):
        out = self.good("tag", support.model("bert-ner"), "Seoul", "")
        self.assertRegex(out, r"^\S+ +0\.\d{4} +\d+-\d+  \S")
        self.assertTrue(out.endswith("\n\n\n"))

    def test_errors(self):
        path = support.model("bert-ner")
        self.fails(1, "tag", path, "--jsonl", stdin='{"ids":[1]}', says='unknown field "ids"')
        self.fails(1, "tag", support.model("bert-seqcls"), "a", says="tags no texts")
        self.fails(2, "tag", path, "a", "--aggregation", "best", says="--aggregation")
        self.fails(2, "tag", path, "a", "--pair", says="--pair")
        out = self.fails(1, "tag", path, "--json", "--jsonl", stdin='{"text":"a"}\n{"txt":"b"}\n{"text":"c"}\n',
                         says="line 2")
        self.assertEqual([list(json.loads(line)) for line in out.splitlines()], [["entities"], ["error"], ["entities"]])


class Answer(support.TestCase):
    QUESTION = "Where is the forest?"
    CONTEXT = "The “forest” is in Brazil 𝄞, with 60 %, followed by Peru with 13 % and Colombia. " * 6

    def setUp(self):
        self.path = derived_model("answer")

    def answers(self, *options):
        return self.objects("answer", self.path, "--json", self.QUESTION, self.CONTEXT, *options)[0]["answers"]

    def test_best_answers(self):
        five = self.answers("--top-k", "5")
        self.assertEqual(len(five), 5)
        self.assertEqual(self.answers(), five[:1])
        self.assertEqual([a["score"] for a in five], sorted((a["score"] for a in five), reverse=True))
        self.assertEqual(len({a["text"].lower() for a in five}), 5)
        for answer in five:
            self.assertEqual(list(answer), ["text", "begin", "end", "score"])
            self.assertEqual(self.CONTEXT.encode()[answer["begin"]:answer["end"]].decode(), answer["text"])
        characters = self.answers("--top-k", "5", "--offsets", "codepoints")
        self.assertEqual([a["text"] for a in characters], [a["text"] for a in five])
        self.assertEqual([self.CONTEXT[a["begin"]:a["end"]] for a in characters], [a["text"] for a in five])

    def test_windows_are_read_to_the_end(self):
        short = self.answers("--max-length", "32", "--stride", "8", "--top-k", "50")
        self.assertGreater(max(a["end"] for a in short), 100)
        self.assertEqual(self.answers("--max-length", "32", "--stride", "8", "--top-k", "50", "--batch", "4",
                                      "--threads", "2"), short)
        self.fails(1, "answer", self.path, self.QUESTION, self.CONTEXT, "--max-length", "32", "--stride", "30",
                   says="stride is 30")
        self.fails(1, "answer", self.path, self.QUESTION * 10, self.CONTEXT, "--max-length", "32", says="no room")

    def test_longest_answer(self):
        for answer in self.answers("--max-answer-len", "1", "--top-k", "9"):
            self.assertNotIn(" ", answer["text"])

    def test_no_answer(self):
        with_none = self.answers("--top-k", "1000", "--no-answer")
        self.assertIn(["", 0, 0], [[a["text"], a["begin"], a["end"]] for a in with_none])
        self.assertNotIn("", [a["text"] for a in self.answers("--top-k", "1000")])
        nothing = self.objects("answer", self.path, "--json", self.QUESTION, "", self.QUESTION, " ")
        self.assertEqual(nothing, [{"answers": []}] * 2)

    def test_input(self):
        wanted = self.objects("answer", self.path, "--json", self.QUESTION, self.CONTEXT)
        line = json.dumps({"question": self.QUESTION, "context": self.CONTEXT})
        self.assertEqual(self.objects("answer", self.path, "--json", "--jsonl", stdin=line), wanted)
        self.assertEqual(self.objects("answer", self.path, "--json", stdin=f"{self.QUESTION}\t{self.CONTEXT}\n"), wanted)
        self.fails(2, "answer", self.path, self.QUESTION, says="even number")
        self.fails(1, "answer", self.path, "--jsonl", stdin='{"question":"a"}', says='"question", "context"')
        self.fails(1, "answer", self.path, "--jsonl", stdin='{"text":"a","pair":"b"}', says='unknown field "text"')
        self.fails(1, "answer", support.model("bert-ner"), "a", "b", says="answers no questions")

    def test_for_people(self):
        out = self.good("answer", self.path, self.QUESTION, self.CONTEXT, "--top-k", "2")
        self.assertRegex(out, r"^0\.\d{4} +\d+-\d+  \S.*\n0\.\d{4} ")
        self.assertIn("(no answer)", self.good("answer", self.path, self.QUESTION, "", "--no-answer"))

    def test_padding_on_the_left(self):
        folder = derive(support.checkpoint("bert-seqcls"), support.folder / "left", "answer")
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps(dict(settings, padding_side="left")))
        self.fails(1, "convert", folder, "-o", support.folder / "left.kgl", says="padding_side")


class FillMask(support.TestCase):
    def setUp(self):
        self.path = support.model("bert-pretraining")

    def test_masks(self):
        answer = self.objects("fill-mask", self.path, "--json", "a [MASK] and [MASK]")[0]
        self.assertEqual([len(mask) for mask in answer["masks"]], [5, 5])
        for mask in answer["masks"]:
            for prediction in mask:
                self.assertEqual(list(prediction), ["token", "id", "score"])
            self.assertEqual([p["score"] for p in mask], sorted((p["score"] for p in mask), reverse=True))
        two = self.objects("fill-mask", self.path, "--json", "a [MASK] and [MASK]", "--top-k", "2")[0]
        self.assertEqual(two["masks"], [mask[:2] for mask in answer["masks"]])
        everything = self.objects("fill-mask", self.path, "--json", "a [MASK]", "--top-k", "1000000")[0]["masks"][0]
        self.assertAlmostEqual(sum(p["score"] for p in everything), 1, places=5)
        self.assertEqual(sorted(p["id"] for p in everything), list(range(len(everything))))

    def test_ids_and_pairs(self):
        for text in ({"text": "a [MASK] b"}, {"text": "a", "pair": "[MASK] b"}):
            tokens = self.objects("tokenize", self.path, "--json", "--jsonl", stdin=json.dumps(text))[0]
            ids = {"ids": tokens["ids"], "type_ids": tokens["type_ids"]}
            lines = json.dumps(text) + "\n" + json.dumps(ids)
            first, second = self.objects("fill-mask", self.path, "--json", "--jsonl", "--batch", "2", stdin=lines)
            self.assertEqual(first, second)

    def test_errors(self):
        self.fails(1, "fill-mask", self.path, "no mask", says=["text 1: ", "no mask token", "[MASK]"])
        self.fails(1, "fill-mask", self.path, "a " * 2000 + "[MASK]", says="it was cut")
        self.fails(1, "fill-mask", support.model("bert-ner"), "[MASK]", says="fills no masks")
        out = self.fails(1, "fill-mask", self.path, "--json", "--batch", "3", "[MASK]", "none", "[MASK]", says="text 2")
        first, second, third = map(json.loads, out.splitlines())
        self.assertEqual(first, third)
        self.assertEqual(list(second), ["error"])

    def test_for_people(self):
        self.assertRegex(self.good("fill-mask", self.path, "a [MASK]", "--top-k", "1"), r"^0\.\d{4}  \S+\n\n$")


class Rerank(support.TestCase):
    TEXTS = ["the kinglet weighs five grams", "whales are large", "", "a bird"]

    def ranking(self, path, *options):
        return self.objects("rerank", path, "--json", "small birds", *self.TEXTS, *options)[0]["ranking"]

    def test_order_and_activations(self):
        values = [a["value"] for a in self.objects(
            "classify", derived_model("rank"), "--json", "--pair", *(t for x in self.TEXTS for t in ("small birds", x)))]
        order = sorted(range(len(values)), key=lambda i: -values[i])
        sigmoid = [1 / (1 + math.exp(-values[i])) for i in order]
        identity = [values[i] for i in order]
        for fields, scores in (({}, sigmoid),
                               ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, identity),
                               ({"sbert_ce_default_activation_function": None}, sigmoid),
                               ({"sbert_ce_default_activation_function": "my.own.Thing"}, sigmoid),
                               ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, identity),
                               ({"sentence_transformers": {"version": "5.0"},
                                 "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, identity),
                               ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"},
                                 "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, sigmoid)):
            ranking = self.ranking(derived_model("rank", **fields))
            self.assertEqual([r["index"] for r in ranking], order)
            self.close([r["score"] for r in ranking], scores, 1e-6)
        with self.assertRaisesRegex(AssertionError, "torch.nn.Tanh"):
            derived_model("rank", sentence_transformers={"activation_fn": "torch.nn.Tanh"})

    def test_input(self):
        path = derived_model("rank")
        wanted = self.ranking(path)
        self.assertEqual(self.ranking(path, "--batch", "3"), wanted)
        self.assertEqual(self.ranking(path, "--top-k", "2"), wanted[:2])
        line = json.dumps({"query": "small birds", "texts": self.TEXTS})
        self.assertEqual(self.objects("rerank", path, "--json", "--jsonl", stdin=line)[0]["ranking"], wanted)
        line = "\t".join(["small birds", *self.TEXTS])
        self.assertEqual(self.objects("rerank", path, "--json", stdin=line)[0]["ranking"], wanted)
        self.assertEqual(self.objects("rerank", path, "--json", "--jsonl", stdin='{"query":"a","texts":[]}'),
                         [{"ranking": []}])
        cut = self.objects("rerank", path, "--json", "a", "b " * 2000, "c")[0]
        self.assertIs(cut["truncated"], True)

    def test_errors(self):
        path = derived_model("rank")
        self.fails(2, "rerank", path, "query", says="a query without texts")
        self.fails(1, "rerank", path, stdin="no tab\n", says="no TAB")
        for line in ('{"query":"a"}', '{"texts":["a"]}', '{"query":"a","texts":"b"}', '{"query":"a","texts":["b",]}'):
            self.fails(1, "rerank", path, "--jsonl", stdin=line, says="line 1")
        self.fails(1, "rerank", support.model("bert-seqcls"), "a", "b", says="ranks no texts")

    def test_for_people(self):
        self.assertRegex(self.good("rerank", derived_model("rank"), "a", "b c"), r"^ *0\.\d{4} +0  b c\n\n$")


if __name__ == "__main__":
    support.main()
