"""The installed package against the command line it comes with: the same bits, and clear errors.

    python -m unittest discover platforms/python/tests

KINGLET_MINILM names the checkpoint of all-MiniLM-L6-v2; without it its tests are skipped.
"""
import gc
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np

import kinglet

DATA = pathlib.Path(__file__).resolve().parents[3] / "tests/data/tiny"
TEXT = "A kinglet is among the smallest of birds."
FOLDER = tempfile.TemporaryDirectory()


def converted(name, **options):
    output = pathlib.Path(FOLDER.name) / f"{name}.kgl"
    if not output.exists():
        kinglet.convert(DATA / name, output, **options)
    return output


def command_line(*arguments):
    lines = subprocess.run(
        [sys.executable, "-m", "kinglet", *map(str, arguments), "--json"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return [json.loads(line) for line in lines]


class Embedding(unittest.TestCase):
    def setUp(self):
        self.path = converted("bert", task="embed")
        self.model = kinglet.Model(self.path)

    def test_the_same_bits_as_the_command_line(self):
        expected = np.array(command_line("embed", self.path, TEXT)[0]["embedding"], dtype=np.float32)
        one = self.model.encode(TEXT)
        many = self.model.encode([TEXT, "", "another"] * 200)
        self.assertEqual(one.dtype, np.float32)
        self.assertEqual(one.shape, (self.model.dimension,))
        self.assertEqual(many.shape, (600, self.model.dimension))
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(many[597], expected)

    def test_ids(self):
        tokens = self.model.tokenize(TEXT)
        np.testing.assert_array_equal(
            self.model.encode(kinglet.Ids(tokens.ids, tokens.type_ids)), self.model.encode(TEXT)
        )
        with self.assertRaisesRegex(kinglet.Error, "ids"):
            self.model.encode(kinglet.Ids([10**6]))
        with self.assertRaisesRegex(ValueError, "as many"):
            self.model.encode(kinglet.Ids([1, 2], [0]))

    def test_offsets_are_code_points(self):
        text = "naïve 😀 cafe\u0301 42"
        tokens = self.model.tokenize(text)
        self.assertEqual([tokens.offsets[0], tokens.offsets[-1]], [None, None])
        expected = command_line("tokenize", self.path, text, "--offsets", "codepoints")[0]
        self.assertEqual([list(o) if o else None for o in tokens.offsets], expected["offsets"])
        self.assertEqual(tokens.ids, expected["ids"])
        self.assertEqual(tokens.tokens, expected["tokens"])

    def test_truncation_and_settings(self):
        short = kinglet.Model(self.path, max_length=8, batch=3, threads=2)
        self.assertEqual(short.max_length, 8)
        np.testing.assert_array_equal(short.encode("a b c d e f"), self.model.encode("a b c d e f"))
        self.assertTrue(short.tokenize("a b c d e f g h i", max_length=8).truncated)
        with self.assertRaises(kinglet.Error):
            kinglet.Model(self.path, max_length=100000)
        for wrong in ({"threads": 0}, {"batch": -1}, {"max_length": 2**40}):
            with self.assertRaisesRegex(ValueError, f"{next(iter(wrong))} is .*expected at least 1"):
                kinglet.Model(self.path, **wrong)
        with self.assertRaisesRegex(ValueError, "max_length is -1"):
            self.model.tokenize("a", max_length=-1)
        for wrong in ({"top_k": 0}, {"max_answer_tokens": -1}, {"stride": -7}):
            with self.assertRaisesRegex(ValueError, next(iter(wrong))):
                self.model.answer("a", "b", **wrong)
        with self.assertRaisesRegex(ValueError, "top_k"):
            self.model.fill_mask("a", top_k=-1)
        with self.assertRaises(TypeError):
            kinglet.Model(self.path, threads="2")

    def test_threads(self):
        expected = self.model.encode([TEXT] * 20)
        results = [None] * 8

        def work(i):
            results[i] = self.model.encode([TEXT] * 20)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(results))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            np.testing.assert_array_equal(result, expected)

    def test_closing_while_it_computes(self):
        texts = [TEXT] * 2000
        expected = self.model.encode(TEXT)
        results = []
        model = kinglet.Model(self.path)
        begun = threading.Event()

        def work():
            begun.set()
            results.append(model.encode(texts))

        thread = threading.Thread(target=work)
        thread.start()
        begun.wait()
        model.close()
        thread.join()
        # The call either came too late, which is an error in its thread, or it finished.
        if results:
            np.testing.assert_array_equal(results[0][-1], expected)
        with self.assertRaisesRegex(kinglet.Error, "closed"):
            model.encode(TEXT)

    def test_wrong_inputs(self):
        for wrong in ([3], [None], [("a",)], [("a", 3)], [b"bytes"]):
            with self.assertRaises((TypeError, RuntimeError)):
                self.model.encode(wrong)
        with self.assertRaises(UnicodeEncodeError):
            self.model.encode("\ud800")
        with self.assertRaises(kinglet.Error):
            self.model.classify("no such task")
        with self.assertRaisesRegex(kinglet.Error, "prompt"):
            self.model.encode("a", prompt_name="nobody")
        with self.assertRaisesRegex(ValueError, "prompt_name"):
            self.model.encode("a", prompt_name="a\0b")
        with self.assertRaises(UnicodeEncodeError):
            self.model.encode("a", prompt_name="\ud800")
        self.assertEqual(self.model.encode([]).shape, (0, self.model.dimension))

    def test_a_huge_text_is_cut(self):
        self.assertEqual(self.model.encode("word " * 1_000_000).shape, (self.model.dimension,))

    def test_close(self):
        with kinglet.Model(self.path) as model:
            model.encode(TEXT)
        model.close()
        for call in (lambda: model.encode(TEXT), lambda: model.tokenize(TEXT)):
            with self.assertRaisesRegex(kinglet.Error, "closed"):
                call()

    def test_memory_is_flat(self):
        def cycles(count):
            for _ in range(count):
                kinglet.Model(self.path).encode(TEXT)
            gc.collect()
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        before = cycles(200)
        self.assertLess(cycles(2000) - before, 2048)  # KiB


class OtherTasks(unittest.TestCase):
    def test_classify(self):
        path = converted("bert-seqcls")
        model = kinglet.Model(path)
        expected = command_line("classify", path, TEXT)[0]
        result = model.classify(TEXT)
        self.assertEqual(result.label, expected["label"])
        self.assertEqual({k: np.float32(v) for k, v in result.scores.items()},
                         {k: np.float32(v) for k, v in expected["scores"].items()})
        self.assertEqual(len(model.classify([TEXT, ("a", "b")])), 2)

    def test_tag(self):
        path = converted("bert-ner")
        model = kinglet.Model(path)
        text = "Anna café 😀 Berlin and more"
        expected = command_line("tag", path, text, "--offsets", "codepoints")[0]["entities"]
        found = model.tag(text)
        self.assertEqual([(e.label, e.text, e.begin, e.end) for e in found],
                         [(e["label"], e["text"], e["begin"], e["end"]) for e in expected])
        self.assertEqual(len(model.tag([text] * 20)), 20)
        with self.assertRaises(ValueError):
            model.tag(text, aggregation="mean")

    def test_raw_outputs(self):
        path = converted("bert-pretraining")
        model = kinglet.Model(path)
        outputs = model.outputs("a b c")
        expected = command_line("encode", path, "a b c")[0]["outputs"]
        self.assertEqual(set(outputs), set(expected))
        for name, value in outputs.items():
            self.assertEqual(list(value.shape), expected[name]["shape"])
            np.testing.assert_array_equal(value.ravel(), np.array(expected[name]["data"], dtype=np.float32))


class Errors(unittest.TestCase):
    def test_names_of_files(self):
        path = os.fsencode(converted("bert", task="embed"))
        odd = os.path.join(os.fsencode(FOLDER.name), b"mod\xe8le.kgl")  # no UTF-8
        with open(path, "rb") as source, open(odd, "wb") as copy:
            copy.write(source.read())
        expected = kinglet.Model(path).encode(TEXT)
        for name in (odd, os.fsdecode(odd), pathlib.Path(os.fsdecode(odd))):
            np.testing.assert_array_equal(kinglet.Model(name).encode(TEXT), expected)
        with self.assertRaisesRegex(kinglet.Error, "no-such-\ufffd"):
            kinglet.Model(b"no-such-\xe8.kgl")
        with self.assertRaisesRegex(ValueError, r"U\+0000"):
            kinglet.Model(path + b"\0x")
        with self.assertRaises(TypeError):
            kinglet.Model(3)

    def test_files(self):
        with self.assertRaisesRegex(kinglet.Error, "no-such-file"):
            kinglet.Model("no-such-file.kgl")
        with self.assertRaisesRegex(kinglet.Error, "no-such-folder"):
            kinglet.convert("no-such-folder", "out.kgl")


@unittest.skipUnless(os.environ.get("KINGLET_MINILM"), "SKIPPED: MiniLM in Python: KINGLET_MINILM is not set")
class MiniLM(unittest.TestCase):
    def test_a_kitten_is_a_cat(self):
        path = pathlib.Path(FOLDER.name) / "minilm.kgl"
        kinglet.convert(os.environ["KINGLET_MINILM"], path)
        model = kinglet.Model(path)
        near = model.similarity("A cat sleeps on the sofa.", "A kitten naps on the couch.")
        far = model.similarity("A cat sleeps on the sofa.", "The stock market fell sharply.")
        self.assertGreater(near, far + 0.4)

    def test_the_example(self):
        root = DATA.parents[2]
        printed = subprocess.run(
            [sys.executable, root / "platforms/python/example/search.py", os.environ["KINGLET_MINILM"]],
            check=True, capture_output=True, text=True, cwd=FOLDER.name).stdout.splitlines()

        def rows(name):
            lines = (root / "tests/demo" / name).read_text(encoding="utf-8").splitlines()[1:]
            return [line.split("\t") for line in lines]

        topics = {text: topic for topic, text in rows("texts.tsv")}
        for topic, question in rows("questions.tsv"):
            best = printed[printed.index(question) + 1].split(maxsplit=1)[1]
            self.assertEqual(topics[best], topic, question)


if __name__ == "__main__":
    unittest.main()
