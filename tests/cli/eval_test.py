"""eval: metrics against counts made here from classify and similarity, and data files that are wrong."""

import json
import sys
import unittest
from pathlib import Path

import support

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from derive_checkpoint import derive  # noqa: E402

TEXTS = ["a small bird", "the sea is deep", "stocks fell", "he plays guitar", "", "what a lovely film", "x", "no"]


def ranks(values):
    order = sorted(values)
    return [order.index(v) + (order.count(v) + 1) / 2 for v in values]


def pearson(a, b):
    ma, mb = sum(a) / len(a), sum(b) / len(b)
    ab = sum((x - ma) * (y - mb) for x, y in zip(a, b))
    return ab / (sum((x - ma) ** 2 for x in a) * sum((y - mb) ** 2 for y in b)) ** 0.5


class Eval(support.TestCase):
    def data(self, text, name="data.tsv"):
        path = support.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def test_labels(self):
        path = support.model("bert-seqcls")
        labels = json.loads(self.good("inspect", path, "--json"))["labels"]
        answers = self.objects("classify", path, "--json", *TEXTS)
        truth = [labels[n % 3] for n in range(len(TEXTS))]
        right = sum(a["label"] == t for a, t in zip(answers, truth))
        by_name = self.data("label\ttext\n" + "".join(f"{t}\t{x}\n" for t, x in zip(truth, TEXTS)))
        self.assertEqual(self.good("eval", path, by_name), f"accuracy {100 * right / 8:.4f} ({right} of 8)\n")
        by_index = self.data("extra\ttext\tlabel\r\n" +
                             "".join(f"z\t{x}\t{labels.index(t)}\r\n" for t, x in zip(truth, TEXTS)) + "\r\n")
        about = json.loads(self.good("eval", path, by_index, "--json", "--batch", "3", "--threads", "2"))
        self.assertEqual(about, {"metric": "accuracy", "value": 100 * right / 8, "count": 8, "right": right,
                                 "truncated": 0})
        f1 = []
        predicted = [a["label"] for a in answers]
        for label in labels:
            either = truth.count(label) + predicted.count(label)
            both = sum(t == label == p for t, p in zip(truth, predicted))
            f1.append(2 * both / either)
        for metric in ["f1", "f1_macro"]:
            value = json.loads(self.good("eval", path, by_name, "--json", "--metric", metric))["value"]
            self.assertAlmostEqual(value, 100 * sum(f1) / 3, places=5)
        self.good("eval", path, by_name, "--metric", "matthews")
        self.good("eval", path, by_name, "--metric", "f1_micro")

    def test_pairs_of_a_classifier(self):
        path = support.model("bert-seqcls")
        answer = self.objects("classify", path, "--json", "--pair", "a", "b")[0]["label"]
        data = self.data(f"label\tsentence1\tsentence2\n{answer}\ta\tb\n")
        self.assertEqual(self.good("eval", path, data), "accuracy 100.0000 (1 of 1)\n")

    def test_entities_of_a_tagger(self):
        path = support.model("bert-ner", "--precision", "fp32")
        sentences = ["Angela Merkel visited Seoul .", "naïve café", "a"]
        predicted = []
        for sentence in sentences:
            outputs = self.objects("encode", path, sentence, "--json")[0]["outputs"]["logits"]
            offsets = self.objects("tokenize", path, sentence, "--json")[0]["offsets"]
            labels = json.loads(self.good("inspect", path, "--json"))["labels"]
            begin, tags = 0, []
            for word in sentence.split():
                token = next(i for i, o in enumerate(offsets) if o and o[1] > begin)
                row = outputs["data"][token * len(labels):(token + 1) * len(labels)]
                tags.append(labels[row.index(max(row))])
                begin += len(word.encode()) + 1
            predicted.append(tags)
        self.assertTrue(any(tag != "O" for tags in predicted for tag in tags))

        def conll(tag_lists):
            return "".join("".join(f"{w}\t{t}\n" for w, t in zip(s.split(), tags, strict=True)) + "\n"
                           for s, tags in zip(sentences, tag_lists))
        perfect = self.data("-DOCSTART- O\r\n\r\n" + conll(predicted).replace("\t", " X "), "perfect.conll")
        about = json.loads(self.good("eval", path, perfect, "--json", "--batch", "2"))
        self.assertEqual(about, {"metric": "f1", "value": 100, "count": 3, "precision": 100, "recall": 100,
                                 "truncated": 0})
        outside = [["O"] * len(tags) for tags in predicted]
        about = json.loads(self.good("eval", path, self.data(conll(outside), "outside.conll"), "--json"))
        self.assertEqual((about["value"], about["precision"], about["recall"]), (0, 0, 0))
        words = sum(map(len, predicted))
        right = sum(tag == "O" for tags in predicted for tag in tags)
        about = self.good("eval", path, self.data(conll(outside), "outside.conll"), "--metric", "accuracy")
        self.assertEqual(about, f"accuracy {100 * right / words:.4f} (3 sentences)\n")
        cut = json.loads(self.good("eval", path, perfect, "--json", "--max-length", "4"))
        self.assertGreater(cut["truncated"], 0)
        for text, says in (("word\n", ":1: no tag"), ("a O\n\tB-PER\n", ":2: no word"), ("\n\n", "no sentences"),
                           ("a O\nb B-BIRD\n", ':2: tag "B-BIRD" is not one of the model\'s (O, B-PER')):
            self.fails(1, "eval", path, self.data(text, "bad.conll"), says=["bad.conll", says])
        self.fails(2, "eval", path, perfect, "--metric", "spearman", says="f1, accuracy")

    def test_answers(self):
        source = derive(support.checkpoint("bert-seqcls"), support.folder / "eval-qa", "answer")
        path = support.folder / "eval-qa.kgl"
        self.good("convert", source, "-o", path)
        contexts = ["The “forest” lies in Brazil, and Peru has the rest.", "A kinglet weighs five grams."]
        found = [self.objects("answer", path, "where?", c, "--json")[0]["answers"][0]["text"] for c in contexts]
        none = self.objects("answer", path, "where?", contexts[0], "--json", "--no-answer")[0]["answers"][0]["text"]

        def squad(answers):
            qas = [[{"id": str(i), "question": "where?", "answers": [{"text": t, "answer_start": 0} for t in texts]}]
                   for i, texts in enumerate(answers)]
            return json.dumps({"data": [{"title": "t", "paragraphs": [
                {"context": c, "qas": q} for c, q in zip(contexts, qas)]}]})
        for answers, exact, f1 in (([[found[0]], [found[1]]], 100, 100),
                                   ([["nothing", f"The {found[0].upper()}!"], ["elephants"]], 50, 50),
                                   ([[found[0] + " x"], [found[1]]], 50, None)):
            data = self.data(squad(answers), "squad.json")
            about = json.loads(self.good("eval", path, data, "--json", "--batch", "1"))
            self.assertEqual((about["metric"], about["count"]), ("f1", 2))
            if f1 is None:
                self.assertTrue(50 < about["value"] < 100)
            else:
                self.assertAlmostEqual(about["value"], f1)
            self.assertEqual(self.good("eval", path, data, "--metric", "exact_match"),
                             f"exact_match {exact:.4f} (2 questions)\n")
        about = json.loads(self.good("eval", path, self.data(squad([[], [found[1]]]), "squad.json"), "--json"))
        with_none = self.objects("answer", path, "where?", contexts[1], "--json", "--no-answer")[0]["answers"][0]["text"]
        self.assertAlmostEqual(about["value"], 50 * ((none == "") + (with_none == found[1])))
        for text, says in (("{}", '"data"'), ('{"data":1}', "data: is not a list"), ('{"data":[]}', "no questions"),
                           ('{"data":[{"paragraphs":[{"context":1,"qas":[]}]}]}', "paragraphs[0].context"),
                           ("nonsense", "squad.json")):
            self.fails(1, "eval", path, self.data(text, "squad.json"), says=says)

    def test_pairs_of_an_embedding_model(self):
        path = support.model("bert", "--task", "embed")
        pairs = list(zip(TEXTS, TEXTS[1:]))
        scores = [3, 1, 2, 2, 5, 0.5, 1]
        cosines = [self.objects("similarity", path, a, b, "--json")[0]["similarity"] for a, b in pairs]
        data = self.data("score\tsentence1\tsentence2\n" + "".join(f"{s}\t{a}\t{b}\n" for s, (a, b) in zip(scores, pairs)))
        spearman = pearson(ranks(cosines), ranks(scores))
        for options in [[], ["--batch", "1"], ["--batch", "7"], ["--threads", "2"]]:
            self.assertEqual(self.good("eval", path, data, *options), f"spearman {100 * spearman:.4f} (7 pairs)\n")
        about = json.loads(self.good("eval", path, data, "--metric", "pearson", "--json"))
        self.assertAlmostEqual(about["value"], 100 * pearson(cosines, scores), places=4)
        cut = json.loads(self.good("eval", path, data, "--max-length", "3", "--json"))
        self.assertGreater(cut["truncated"], 0)

    def test_one_number(self):
        path = support.model("bert-regression")
        values = [a["value"] for a in self.objects("classify", path, "--json", *TEXTS)]
        data = self.data("score\ttext\n" + "".join(f"{n}\t{x}\n" for n, x in enumerate(TEXTS)))
        spearman = pearson(ranks(values), list(range(8)))
        self.assertEqual(self.good("eval", path, data), f"spearman {100 * spearman:.4f} (8 texts)\n")

    def test_metrics_that_do_not_suit(self):
        data = self.data("label\tscore\ttext\n0\t1\tx\n")
        self.fails(2, "eval", support.model("bert-seqcls"), data, "--metric", "spearman", says="expected one of accuracy")
        self.fails(2, "eval", support.model("bert", "--task", "embed"), data, "--metric", "accuracy", says="spearman")
        self.fails(2, "eval", support.model("bert-seqcls"), data, "--prompt", "query", says="--prompt")

    def test_models_that_do_not_suit(self):
        data = self.data("label\tscore\ttext\n0\t1\tx\n")
        self.fails(1, "eval", support.model("bert-mlm-untied"), data, says="neither")
        self.fails(1, "eval", support.model("bert-multilabel"), data, says="several")

    def test_undefined(self):
        path = support.model("bert", "--task", "embed")
        for rows in ["1\ta\tb\n", "1\ta\tb\n1\tc\td\n", "1\ta\tb\n2\ta\tb\n"]:
            self.fails(1, "eval", path, self.data("score\tsentence1\tsentence2\n" + rows), says="undefined")

    def test_bad_files(self):
        classifier, embedder = support.model("bert-seqcls"), support.model("bert", "--task", "embed")
        for text, says in [
            ("", "no examples"),
            ("label\ttext\n", "no examples"),
            ("label\ttext\n\n\n", "no examples"),
            ("text\nx\n", ':1: no column "label" or "score"'),
            ("label\tsentence\n0\tx\n", ':1: no column "text"'),
            ("label\tlabel\ttext\n0\t0\tx\n", "named twice"),
            ("label\ttext\tsentence1\tsentence2\n0\tx\ty\tz\n", "both"),
            ("label\tsentence1\n0\tx\n", "only one"),
            ("label\tsentence2\n0\tx\n", 'no column "text" or "sentence1"'),
            ("label\ttext\n0\tx\n0\n", ":3: 1 fields; expected 2"),
            ("label\ttext\n0\tx\n0\tx\ty\n", ":3: 3 fields; expected 2"),
            ("label\ttext\n0\tx\n\n0\tx\n", ":3: the line is empty"),
            ("label\ttext\n0\tx\nmaybe\ty\n", ':3: label "maybe" is not one of'),
            ("label\ttext\n3\tx\n", 'label "3"'),
            ("label\ttext\n-1\tx\n", 'label "-1"'),
            ("label\ttext\n\tx\n", 'label ""'),
            ("score\ttext\n1\tx\n", 'no column "label"'),
        ]:
            self.fails(1, "eval", classifier, self.data(text, "bad.tsv"), says=["bad.tsv", says])
        for text, says in [
            ("score\tsentence1\tsentence2\nhigh\ta\tb\n", ':2: score "high"'),
            ("score\tsentence1\tsentence2\nnan\ta\tb\n", ':2: score "nan"'),
            ("score\tsentence1\tsentence2\n1,5\ta\tb\n", ':2: score "1,5"'),
            ("score\tsentence1\tsentence2\n\ta\tb\n", ':2: score ""'),
            ("label\tsentence1\tsentence2\n1\ta\tb\n", 'no column "score"'),
            ("score\ttext\n1\ta\n", 'no columns "sentence1"'),
        ]:
            self.fails(1, "eval", embedder, self.data(text, "bad.tsv"), says=["bad.tsv", says])
        self.fails(1, "eval", classifier, "/no/such.tsv", says="/no/such.tsv: cannot open")
        self.fails(1, "eval", classifier, support.folder, says="is a directory")

    def test_byte_order_mark_and_nul(self):
        data = self.data(b"\xef\xbb\xbflabel\ttext\n0\ta\0b\xff\n")
        self.assertRegex(self.good("eval", support.model("bert-seqcls"), data), r"of 1\)")


if __name__ == "__main__":
    support.main()
