"""What the task commands answer: numbers against recorded outputs, the JSON of every command, lengths, offsets."""

import json
import math
import os
import random
import re
import shutil
import struct
import sys
import unittest
from pathlib import Path

import support

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from derive_checkpoint import write_tensors  # noqa: E402


def same_float(text):
    """The text is what %.9g makes of the float that it reads as."""
    number = struct.unpack("f", struct.pack("f", float(text)))[0]
    return "%.9g" % number == text


class Tokenize(support.TestCase):
    def test_equals_the_recorded_tokens(self):
        path = support.model("bert", "--precision", "fp32")
        for case in support.expected("bert"):
            wanted = [case["ids"], case["type_ids"], case["offsets"]]
            request = {"text": case["text"]}
            if "pair" in case:
                request["pair"] = case["pair"]
            answer = self.objects("tokenize", path, "--jsonl", "--json", "--max-length", "96",
                                  stdin=json.dumps(request) + "\n")[0]
            self.assertIs(answer.pop("truncated", False), len(case["ids"]) == 96)
            self.assertEqual([answer["ids"], answer["type_ids"], answer["offsets"]], wanted)
            self.assertEqual(list(answer), ["ids", "type_ids", "tokens", "offsets"])
            self.assertEqual(len(answer["tokens"]), len(answer["ids"]))

    def test_pairs_as_arguments_and_lines(self):
        path = support.model("bert")
        wanted = self.objects("tokenize", path, "--json", "--jsonl", stdin='{"text":"a b","pair":"c"}')
        self.assertEqual(self.objects("tokenize", path, "--json", "--pair", "a b", "c"), wanted)
        self.assertEqual(self.objects("tokenize", path, "--json", "--pair", stdin="a b\tc\n"), wanted)
        self.assertEqual(self.objects("tokenize", path, "--json", "--pair", "x", "y", "a b", "c")[1:], wanted)
        self.assertIn(1, wanted[0]["type_ids"])

    def test_offset_units(self):
        path = support.model("bert")
        text = "é𝄞 a"  # 2 bytes and 1 unit, 4 bytes and 2 units, a space, a letter
        wanted = {"bytes": [7, 8], "utf16": [4, 5], "codepoints": [3, 4]}
        for unit, span in wanted.items():
            answer = self.objects("tokenize", path, text, "--json", "--offsets", unit)[0]
            self.assertEqual(answer["offsets"][-2], span, unit)
        self.assertEqual(self.objects("tokenize", path, text, "--json")[0]["offsets"][-2], wanted["bytes"])

    def test_offset_units_of_the_second_text(self):
        for unit, span in {"bytes": [7, 8], "utf16": [4, 5], "codepoints": [3, 4]}.items():
            answer = self.objects("tokenize", support.model("bert"), "--pair", "aaaaaaaaaaaa", "é𝄞 a", "--json",
                                  "--offsets", unit)[0]
            self.assertEqual(answer["offsets"][-2], span, unit)

    def test_max_length_cuts_only_when_asked_to(self):
        path = support.model("bert")
        text = "a " * 500
        whole = self.objects("tokenize", path, text, "--json")[0]
        self.assertEqual(len(whole["ids"]), 502)
        self.assertNotIn("truncated", whole)
        cut = self.objects("tokenize", path, text, "--json", "--max-length", "300")[0]
        self.assertEqual(len(cut["ids"]), 300)
        self.assertIs(cut["truncated"], True)
        self.assertEqual(cut["ids"][-1], whole["ids"][-1])

    def test_for_people(self):
        out = self.good("tokenize", support.model("bert"), "bird")
        self.assertRegex(out.splitlines()[0], r"^ +\d+ +0 +-  \S+$")
        self.assertRegex(out.splitlines()[1], r"^ +\d+ +0 +0-\d  \S+$")
        self.assertTrue(out.endswith("\n\n"))

    def test_invalid_utf8_counts_its_own_bytes(self):
        path = support.model("bert")
        answer = self.objects("tokenize", path, "--json", stdin=b"a\xff\xfe b\n")[0]
        self.assertEqual(answer["offsets"][-2], [4, 5])

    def test_nul_is_text(self):
        answer = self.objects("tokenize", support.model("bert"), "--json", stdin=b"a\0 b\n")[0]
        self.assertEqual(answer["offsets"][-2], [3, 4])


class Encode(support.TestCase):
    def check(self, name):
        path = support.model(name, "--precision", "fp32")
        cases = support.expected(name)
        requests = "".join(json.dumps({k: c[k] for k in ("text", "pair") if k in c}) + "\n" for c in cases)
        answers = self.objects("encode", path, "--jsonl", "--json", "--batch", "4", stdin=requests)
        by_ids = "".join(json.dumps({"ids": c["ids"], "type_ids": c["type_ids"]}) + "\n" for c in cases)
        self.assertEqual(len(answers), len(cases))
        compared = 0
        for case, answer in zip(cases, answers):
            for output, wanted in case["outputs"].items() if "outputs" in case else case.items():
                if output not in answer["outputs"] or not isinstance(wanted, (list, dict)):
                    continue
                data = answer["outputs"][output]["data"]
                shape = answer["outputs"][output]["shape"]
                self.assertEqual(math.prod(shape), len(data))
                numbers = flat(wanted)
                if len(numbers) == len(data):
                    self.close(data, numbers, 5e-5)
                    compared += 1
        self.assertGreater(compared, 0)
        again = self.objects("encode", path, "--jsonl", "--json", stdin=by_ids)
        self.assertEqual([a["outputs"] for a in again], [a["outputs"] for a in answers])

    def test_bert(self):
        self.check("bert")

    def test_bert_nsp(self):
        self.check("bert-nsp")

    def test_bert_seqcls(self):
        self.check("bert-seqcls")

    def test_shapes_and_floats(self):
        path = support.model("bert")
        out = self.good("encode", path, "a b", "--json")
        answer = json.loads(out)
        tokens = len(self.objects("tokenize", path, "a b", "--json")[0]["ids"])
        self.assertEqual(answer["outputs"]["last_hidden_state"]["shape"], [tokens, 64])
        numbers = re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", out.split('"data":[')[1].split("]")[0])
        self.assertEqual(len(numbers), tokens * 64)
        for number in numbers:
            self.assertTrue(same_float(number), number)

    def test_for_people(self):
        out = self.good("encode", support.model("bert"), "a b")
        self.assertRegex(out, r"(?m)^last_hidden_state  \d+ x 64  from -[\d.]+ to [\d.]+: ")


def flat(value):
    if isinstance(value, dict):
        return flat(value.get("data", []))
    if isinstance(value, list):
        return [x for item in value for x in flat(item)]
    return [value]


class Embed(support.TestCase):
    def model(self, *options):
        return support.model("bert", "--task", "embed", *options)

    def test_same_bits_in_any_company(self):
        path = self.model()
        texts = ["a", "", "a small bird sings", "b c d e f g h i j k", "é"]
        lines = "".join(text + "\n" for text in texts)
        alone = [self.good("embed", path, text, "--json") for text in texts]
        for options in [[], ["--batch", "3"], ["--threads", "2"], ["--batch", "5", "--threads", "2"]]:
            self.assertEqual(self.good("embed", path, "--json", *options, stdin=lines), "".join(alone), options)
            self.assertEqual(self.good("embed", path, "--json", *options, *texts), "".join(alone), options)
        reference = self.good("embed", path, "--json", *texts, env={"KINGLET_ISA": "reference"})
        self.assertEqual(reference, "".join(alone))

    def test_people_and_programs_get_the_same_numbers(self):
        path = self.model()
        for_people = self.good("embed", path, "a bird").split()
        self.assertEqual([float(x) for x in for_people], self.objects("embed", path, "a bird", "--json")[0]["embedding"])

    def test_truncation(self):
        path = self.model()
        limit = json.loads(self.good("inspect", path, "--json"))["max_length"]
        long, short = "a " * 2 * limit, "a"
        answers = self.objects("embed", path, long, short, "--json", "--batch", "2")
        self.assertIs(answers[0]["truncated"], True)
        self.assertNotIn("truncated", answers[1])
        self.assertEqual(self.objects("embed", path, "a b c d", "--json", "--max-length", "4")[0]["embedding"],
                         self.objects("embed", path, "a b", "--json")[0]["embedding"])
        self.fails(2, "embed", path, "a", "--max-length", str(limit + 1), says=[str(limit + 1), str(limit)])
        self.fails(1, "embed", path, "a", "--max-length", "1", says="text 1: ")

    def test_a_model_without_prompts(self):
        for command in (["embed", "a"], ["similarity", "a", "b"]):
            self.fails(2, command[0], self.model(), *command[1:], "--prompt", "query", says=['"query"', "none"])

    def test_prompts(self):
        source = support.folder / "with-prompts"
        shutil.copytree(support.checkpoint("bert"), source)
        os.chmod(source, 0o755)
        (source / "1_Pooling").mkdir()
        prefix = "sentence_transformers.models."
        files = {
            "modules.json": [
                {"idx": 0, "name": "0", "path": "", "type": prefix + "Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": prefix + "Pooling"},
            ],
            "1_Pooling/config.json": {"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True},
            "sentence_bert_config.json": {"max_seq_length": 20, "do_lower_case": False},
            "config_sentence_transformers.json": {
                "prompts": {"query": "which bird: ", "passage": "bird: "}, "default_prompt_name": "passage"},
        }
        for name, content in files.items():
            (source / name).write_text(json.dumps(content))
        path = support.folder / "with-prompts.kgl"
        self.good("convert", source, "-o", path)
        plain = self.model()
        for options, prompt in [(["--prompt", "query"], "which bird: "), (["--prompt=passage"], "bird: "), ([], "bird: ")]:
            self.assertEqual(self.good("embed", path, "a wren", "--json", *options),
                             self.good("embed", plain, prompt + "a wren", "--json"), options)
        self.assertNotEqual(self.good("similarity", path, "a", "b", "--prompt", "query"),
                            self.good("similarity", path, "a", "b"))
        self.assertEqual(self.objects("tokenize", path, "a wren", "--json"),
                         self.objects("tokenize", plain, "a wren", "--json"))
        self.fails(2, "embed", path, "a", "--prompt", "document", says=["document", "query, passage"])
        data = support.folder / "prompts.tsv"
        data.write_text("score\tsentence1\tsentence2\n1\ta\tb\n2\tc\ta wren\n3\tx\ty z\n")
        self.good("eval", path, data, "--prompt", "query")
        self.fails(2, "eval", path, data, "--prompt", "document", says="query, passage")
        about = json.loads(self.good("inspect", path, "--json"))
        self.assertEqual(about["max_length"], 20)
        self.assertEqual({p["name"]: (p["text"], p["default"]) for p in about["prompts"]},
                         {"query": ("which bird: ", False), "passage": ("bird: ", True)})

    def test_dense_modules(self):
        source = support.folder / "with-dense"
        shutil.copytree(support.checkpoint("bert"), source)
        os.chmod(source, 0o755)
        prefix = "sentence_transformers.models."
        generator = random.Random(5)
        sizes, activations = [64, 48, 20], ["activation.Tanh", "linear.Identity"]
        modules = ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]
        files = {
            "modules.json": [{"idx": i, "name": str(i), "path": f"{i}_{m}" if i else "", "type": prefix + m}
                             for i, m in enumerate(modules)],
            "1_Pooling/config.json": {"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True}}
        layers = []
        for i in range(2):
            weight = [[generator.uniform(-0.3, 0.3) for _ in range(sizes[i])] for _ in range(sizes[i + 1])]
            bias = [generator.uniform(-1, 1) for _ in weight] if i == 0 else None
            layers.append((weight, bias))
            folder = source / f"{i + 2}_Dense"
            folder.mkdir()
            tensors = {"linear.weight": ("F32", [len(weight), sizes[i]],
                                         struct.pack(f"<{len(weight) * sizes[i]}f", *flat(weight)))}
            if bias:
                tensors["linear.bias"] = ("F32", [len(bias)], struct.pack(f"<{len(bias)}f", *bias))
            write_tensors(folder / "model.safetensors", tensors)
            files[f"{i + 2}_Dense/config.json"] = {
                "in_features": sizes[i], "out_features": sizes[i + 1], "bias": bias is not None,
                "activation_function": "torch.nn.modules." + activations[i]}
        (source / "1_Pooling").mkdir()
        for name, content in files.items():
            (source / name).write_text(json.dumps(content))
        path = support.folder / "with-dense.kgl"
        self.good("convert", source, "-o", path, "--precision", "fp32")
        values = self.objects("embed", self.model("--precision", "fp32"), "a wren", "--json")[0]["embedding"]
        for (weight, bias), function in zip(layers, (math.tanh, float)):
            values = [function(sum(w * x for w, x in zip(row, values)) + (bias[i] if bias else 0))
                      for i, row in enumerate(weight)]
        length = math.sqrt(sum(x * x for x in values))
        self.close(self.objects("embed", path, "a wren", "--json")[0]["embedding"], [x / length for x in values], 1e-5)
        self.good("convert", source, "-o", path)
        self.good("verify", path)
        good = files["2_Dense/config.json"]
        for change, says in (({"activation_function": "torch.nn.modules.activation.Softsign"}, "activation_function"),
                             ({"in_features": 32}, "in_features is 32"), ({"out_features": 47}, "linear.weight"),
                             ({"bias": False}, "linear.bias"), ({"module_input_name": "token_embeddings"}, "module_input"),
                             ({"activation_function": "my.Tanh"}, "activation_function")):
            (source / "2_Dense/config.json").write_text(json.dumps(dict(good, **change)))
            self.fails(1, "convert", source, "-o", path, says=says)

    def test_wrong_task(self):
        self.fails(1, "embed", support.model("bert-seqcls"), "a", says="embed")
        self.fails(1, "similarity", support.model("bert-seqcls"), "a", "b", says="embed")
        self.fails(1, "classify", self.model(), "a", says="class")

    def test_similarity(self):
        path = self.model()
        a, b = [self.objects("embed", path, text, "--json")[0]["embedding"] for text in ("a bird", "the sea")]
        cosine = sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
        answer = self.objects("similarity", path, "a bird", "the sea", "--json")[0]
        self.assertEqual(list(answer), ["similarity"])
        self.assertAlmostEqual(answer["similarity"], cosine, places=6)
        self.assertEqual(self.objects("similarity", path, "--json", stdin="a bird\tthe sea\n"), [answer])
        request = '{"text":"a bird","pair":"the sea"}\n'
        self.assertEqual(self.objects("similarity", path, "--json", "--jsonl", stdin=request), [answer])
        self.assertAlmostEqual(self.objects("similarity", path, "x", "x", "--json")[0]["similarity"], 1, places=6)
        self.assertEqual(self.good("similarity", path, "a bird", "the sea"), f"{cosine:.4f}\ta bird\tthe sea\n")
        self.fails(2, "similarity", path, "alone", says="even")


class Classify(support.TestCase):
    def test_scores_are_those_of_the_pipeline(self):
        tasks = support.SHARED / "models" / "tiny" / "tasks.json"
        if not tasks.exists():
            print("SKIPPED: classify against the recorded pipelines: KINGLET_SHARED is absent", flush=True)
            self.skipTest("no tasks.json")
        recorded = json.loads(tasks.read_text())["tasks"]
        for name in ["bert-seqcls", "bert-multilabel", "bert-regression"]:
            path = support.model(name, "--precision", "fp32")
            cases = recorded.get(name, {}).get("classify", [])
            for case in cases:
                request = {k: case[k] for k in ("text", "pair") if k in case}
                answer = self.objects("classify", path, "--jsonl", "--json", stdin=json.dumps(request))[0]
                for label, score in case["scores"].items():
                    self.assertAlmostEqual(answer["scores"][label], score, places=4)

    def test_softmax(self):
        path = support.model("bert-seqcls", "--precision", "fp32")
        answer = self.objects("classify", path, "a lovely film", "--json")[0]
        self.assertEqual(list(answer), ["label", "score", "scores"])
        scores = list(answer["scores"].values())
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertAlmostEqual(sum(scores), 1, places=6)
        self.assertEqual(answer["scores"][answer["label"]], answer["score"])
        self.assertEqual(answer["score"], scores[0])
        top = self.objects("classify", path, "a lovely film", "--json", "--top-k", "2")[0]
        self.assertEqual(list(top["scores"].items()), list(answer["scores"].items())[:2])
        self.assertEqual(len(self.objects("classify", path, "x", "--json", "--top-k", "99")[0]["scores"]), len(scores))

    def test_multi_label(self):
        path = support.model("bert-multilabel", "--precision", "fp32")
        for case in support.expected("bert-multilabel")[:10]:
            answer = self.objects("classify", path, case["text"], "--json")[0] if "pair" not in case else None
            if answer is None:
                continue
            answer.pop("truncated", None)
            self.assertEqual(list(answer), ["label", "score", "scores", "labels"])
            self.assertEqual(answer["labels"], [k for k, v in answer["scores"].items() if v > 0.5])
            self.assertTrue(all(0 < v < 1 for v in answer["scores"].values()))

    def test_regression(self):
        path = support.model("bert-regression", "--precision", "fp32")
        raw = self.objects("encode", path, "a bird", "--json")[0]["outputs"]["logits"]["data"]
        answer = self.objects("classify", path, "a bird", "--json")[0]
        self.assertEqual(len(raw), 1)
        self.assertEqual(answer["value"], raw[0])
        scoring = json.loads(self.good("inspect", path, "--json"))["scoring"]
        if scoring == "sigmoid":
            self.assertAlmostEqual(answer["score"], 1 / (1 + math.exp(-raw[0])), places=6)
        else:
            self.assertEqual(list(answer), ["value"])

    def test_pairs(self):
        path = support.model("bert-nsp")
        wanted = self.objects("classify", path, "--json", "--jsonl", stdin='{"text":"a","pair":"b c"}')
        self.assertEqual(self.objects("classify", path, "--json", "--pair", "a", "b c"), wanted)
        self.assertEqual(self.objects("classify", path, "--json", "--pair", stdin="a\tb c"), wanted)
        self.assertNotEqual(self.objects("classify", path, "--json", "a"), wanted)
        self.fails(2, "classify", path, "--pair", "a", says="even")

    def test_own_labels(self):
        path = support.model("bert-seqcls", "--labels", "one,two,[three]")
        answer = self.objects("classify", path, "x", "--json")[0]
        self.assertEqual(sorted(answer["scores"]), ["[three]", "one", "two"])

    def test_for_people(self):
        path = support.model("bert-seqcls")
        out = self.good("classify", path, "a\tb\x1b[31m")
        self.assertRegex(out, r"^\w+ 0\.\d{4}\ta b \[31m\n$")
        self.assertRegex(self.good("classify", path, "x", "--top-k", "2"), r"^\w+ 0\.\d{4}, \w+ 0\.\d{4}\tx\n$")


if __name__ == "__main__":
    support.main()
