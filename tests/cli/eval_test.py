"""eval: metrics against counts made here from classify and similarity, and data files that are wrong."""

import json
import random
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


def mersenne(seed):
    """The numbers of std::mt19937: Python's generator, started as the C++ standard says."""
    state = [seed]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xffffffff)
    generator = random.Random()
    generator.setstate((3, (*state, 624), None))
    return lambda: generator.getrandbits(32)


def interval(values, metric, resamples, seed):
    """The middle 95 % of `metric` over resamples of `values`, times 100."""
    draw, found = mersenne(seed), []
    for _ in range(resamples):
        found.append(metric([values[draw() * len(values) >> 32] for _ in values]))
    found.sort()

    def quantile(q):
        place = q * (len(found) - 1)
        below = int(place)
        above = min(below + 1, len(found) - 1)
        return found[below] + (place - below) * (found[above] - found[below])
    return 100 * quantile(0.025), 100 * quantile(0.975)


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

    def test_interval_and_confusion(self):
        path = support.model("bert-seqcls")
        labels = json.loads(self.good("inspect", path, "--json"))["labels"]
        predicted = [a["label"] for a in self.objects("classify", path, "--json", *TEXTS)]
        truth = [labels[n % 3] for n in range(len(TEXTS))]
        data = self.data("label\ttext\n" + "".join(f"{t}\t{x}\n" for t, x in zip(truth, TEXTS)))
        about = json.loads(self.good("eval", path, data, "--json", "--bootstrap", "200", "--confusion"))
        low, high = interval([t == p for t, p in zip(truth, predicted)], lambda s: sum(s) / len(s), 200,
                             about["interval"]["seed"])
        self.assertAlmostEqual(about["interval"]["low"], low, places=5)
        self.assertAlmostEqual(about["interval"]["high"], high, places=5)
        self.assertEqual((about["interval"]["level"], about["interval"]["resamples"]), (95, 200))
        pairs = list(zip(truth, predicted))
        self.assertEqual(about["confusion"], {"labels": labels, "rows": [[pairs.count((t, p)) for p in labels]
                                                                         for t in labels]})
        out = self.good("eval", path, data, "--bootstrap", "200", "--confusion", "--metric", "all")
        self.assertIn(f"  95 % interval {low:.4f} to {high:.4f} (200 resamples, seed 1)\n", out)
        for metric in ("accuracy", "f1", "f1_macro", "f1_micro", "matthews"):
            self.assertRegex(out, f"(?m)^{metric} ")
        every = json.loads(self.good("eval", path, data, "--json", "--metric", "all"))["metrics"]
        self.assertEqual(every["accuracy"], about["value"])
        self.assertEqual(every["f1_micro"], about["value"])
        self.fails(2, "eval", support.model("bert", "--task", "embed"), data, "--confusion", says="--confusion")

    def test_agreement_of_classifiers(self):
        path, other = support.model("bert-seqcls"), support.model("bert-seqcls", "--labels", "x,y,z")
        fp32 = support.model("bert-seqcls", "--precision", "fp32")
        texts = self.data("text\n" + "".join(f"{x}\n" for x in TEXTS if x), "texts.tsv")
        ours, theirs = ([a["label"] for a in self.objects("classify", m, "--json", *filter(None, TEXTS))]
                        for m in (path, fp32))
        about = json.loads(self.good("eval", path, texts, "--json", "--against", fp32))
        differing = [(i + 2, a, b) for i, (a, b) in enumerate(zip(ours, theirs)) if a != b]
        self.assertIsNone(about["metric"])
        agreement = about["agreement"]
        self.assertEqual(agreement["equal"], len(ours) - len(differing))
        self.assertEqual([(d["line"], d["answer"], d["other"]) for d in agreement["differences"]], differing)
        # The other side of the same coin: a model whose labels are swapped differs everywhere, and is listed up to N.
        labels = json.loads(self.good("inspect", path, "--json"))["labels"]
        swapped = support.model("bert-seqcls", "--labels", ",".join([labels[1], labels[2], labels[0]]))
        data = self.data("label\ttext\n" + "".join(f"{labels[0]}\t{x}\n" for x in TEXTS))
        about = json.loads(self.good("eval", path, data, "--json", "--against", swapped, "--differences", "3"))
        self.assertEqual((about["agreement"]["equal"], about["agreement"]["differing"]), (0, len(TEXTS)))
        self.assertEqual(len(about["agreement"]["differences"]), 3)
        out = self.good("eval", path, data, "--against", swapped, "--differences", "3", "--bootstrap", "50")
        self.assertIn(f"0.0000 % equal labels (0 of {len(TEXTS)})", out)
        self.assertIn(f"  … and {len(TEXTS) - 3} more\n", out)
        self.assertEqual(out.count(", there "), 3)
        self.fails(1, "eval", path, data, "--against", other, says='label "x"')
        self.fails(1, "eval", path, data, "--against", support.model("bert", "--task", "embed"), says="another task")
        self.fails(1, "eval", path, texts, says="no column")
        self.fails(1, "eval", path, texts, "--against", fp32, "--metric", "f1", says="no labels or scores")
        self.fails(2, "eval", path, data, "--differences", "3", says="--against")

    def test_agreement_of_embeddings_and_numbers(self):
        path, fp32 = support.model("bert", "--task", "embed"), support.model("bert", "--task", "embed", "--precision",
                                                                             "fp32")
        data = self.data("text\n" + "".join(f"{x}\n" for x in TEXTS if x), "texts.tsv")
        ours, theirs = ([o["embedding"] for o in self.objects("embed", m, "--json", *filter(None, TEXTS))]
                        for m in (path, fp32))
        cosines = [sum(x * y for x, y in zip(a, b)) / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
                   for a, b in zip(ours, theirs)]
        agreement = json.loads(self.good("eval", path, data, "--json", "--against", fp32))["agreement"]
        self.assertAlmostEqual(agreement["mean_cosine"], sum(cosines) / len(cosines), places=5)
        self.assertAlmostEqual(agreement["least_cosine"], min(cosines), places=5)
        self.assertEqual(agreement["least_line"], cosines.index(min(cosines)) + 2)
        path, fp32 = support.model("bert-regression"), support.model("bert-regression", "--precision", "fp32")
        ours, theirs = ([a["value"] for a in self.objects("classify", m, "--json", *TEXTS)] for m in (path, fp32))
        gaps = [abs(a - b) for a, b in zip(ours, theirs)]
        data = self.data("score\ttext\n" + "".join(f"{n}\t{x}\n" for n, x in enumerate(TEXTS)))
        about = json.loads(self.good("eval", path, data, "--json", "--against", fp32, "--bootstrap", "50"))
        self.assertAlmostEqual(about["agreement"]["mean_difference"], sum(gaps) / len(gaps), places=6)
        self.assertAlmostEqual(about["agreement"]["largest_difference"], max(gaps), places=6)
        spearman = [pearson(ranks(v), list(range(8))) for v in (ours, theirs)]
        self.assertAlmostEqual(about["agreement"]["value"], 100 * spearman[1], places=5)
        self.assertLessEqual(about["agreement"]["change"]["low"], 100 * (spearman[1] - spearman[0]) + 1e-6)

    def test_agreement_of_taggers(self):
        path, fp32 = support.model("bert-ner"), support.model("bert-ner", "--precision", "fp32")
        data = self.data("".join(f"{w}\tO\n" for w in "Angela Merkel visited Seoul .".split()), "o.conll")
        agreement = json.loads(self.good("eval", path, data, "--json", "--against", fp32))["agreement"]
        self.assertEqual((agreement["count"], agreement["share"]), (5, 100 * agreement["equal"] / 5))
        self.assertEqual(agreement["differing"], int(agreement["equal"] < 5))

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
