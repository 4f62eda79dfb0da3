"""tests/data/sst2-tiny, a small classifier with real weights: what it says of sentences that people can judge."""

import json
import unittest

import support

CHECKPOINT = support.DATA / "sst2-tiny"
REVIEWS = support.DATA.parent / "demo" / "reviews.tsv"
MEGABYTE = 1000000


def setUpModule():
    for precision in ("int8", "fp32"):
        code, _, errors = support.run("convert", CHECKPOINT, "-o", path(precision), "--precision", precision)
        assert code == 0, errors


def path(precision):
    return support.folder / f"sst2-tiny.{precision}.kgl"


class Sst2Tiny(support.TestCase):
    def positive(self, precision, *texts):
        return [answer["scores"]["positive"] for answer in self.objects("classify", path(precision), "--json", *texts)]

    def test_small(self):
        self.assertLess(path("int8").stat().st_size, 2.27 * MEGABYTE)
        self.assertLess(sum(file.stat().st_size for file in CHECKPOINT.iterdir()), 6 * MEGABYTE)

    def test_judges_as_people_do(self):
        for precision in ("int8", "fp32"):
            result = json.loads(self.good("eval", path(precision), REVIEWS, "--json"))
            self.assertEqual(result["count"], 24)
            self.assertGreaterEqual(result["value"], 100 * 20 / 24, precision)

    def test_int8_agrees_with_fp32(self):
        texts = [line.split("\t")[1] for line in REVIEWS.read_text().splitlines()[1:]]
        for text, quantized, exact in zip(texts, self.positive("int8", *texts), self.positive("fp32", *texts)):
            self.assertAlmostEqual(quantized, exact, delta=0.1, msg=text)
            if abs(exact - 0.5) > 0.1:
                self.assertEqual(quantized > 0.5, exact > 0.5, text)

    def test_words_weigh(self):
        for precision in ("int8", "fp32"):
            good, bad = self.positive(precision, "a wonderful film", "a terrible film")
            self.assertGreater(good, 0.9)
            self.assertLess(bad, 0.1)

    def test_offsets_of_words_and_pieces(self):
        text = "Wonderful  acting, unquestionably: Zyxwv!"
        answer = self.objects("tokenize", path("int8"), text, "--json")[0]
        spans = [span for span in answer["offsets"] if span is not None]
        tokens = [token for token, span in zip(answer["tokens"], answer["offsets"]) if span is not None]
        pieces = [token.removeprefix("##") for token in tokens]
        self.assertEqual([text[begin:end].lower() for begin, end in spans], pieces)
        self.assertEqual("".join(text[begin:end] for begin, end in spans), text.replace(" ", ""))
        # A word that reviews have is one token; one that they lack is pieces, down to letters, and never unknown.
        self.assertEqual(tokens[0], "wonderful")
        self.assertGreater(sum(begin >= text.index("Zyxwv") for begin, _ in spans), 2)
        self.assertNotIn("[UNK]", tokens)


if __name__ == "__main__":
    unittest.main()
