"""The report as HTML: pages from fixed numbers and of conversions, parsed, and shown to Chromium where there is one."""

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
import support  # noqa: E402

VOID = {"meta", "link"}


class Checker(html.parser.HTMLParser):
    """Every element is closed in order, nothing is fetched and nothing can run."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.text, self.counts = [], [], "", {}

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        names = [name for name, _ in attributes]
        if len(names) != len(set(names)):
            self.problems.append(f"{tag}: an attribute twice")
        for name, value in attributes:
            if name.startswith("on") or tag in ("script", "iframe", "img", "object", "base", "form"):
                self.problems.append(f"{tag} {name}")
            if name in ("src", "href", "xlink:href", "action", "data") and value != "data:,":
                self.problems.append(f"{tag} {name}={value}")
            if value and re.search(r"url\(|@import|//", value):
                self.problems.append(f"{tag} {name}={value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            if re.search(r"url\(|@import|//|expression", data):
                self.problems.append("the style fetches something")
        else:
            self.text += data

    def check(self, test, page):
        self.feed(page)
        self.close()
        test.assertEqual(self.problems + self.open, [])
        test.assertTrue(page.startswith("<!DOCTYPE html>"))
        for tag in ("html", "head", "body", "main", "h1"):
            test.assertEqual(self.counts[tag], 1, tag)
        return self


class Pages(support.TestCase):
    pages = {}  # name: path, for the browser

    def page(self, path):
        self.pages[path.stem] = path
        return Checker().check(self, path.read_text(encoding="utf-8"))

    def data(self, name, text):
        path = support.folder / name
        path.write_text(text)
        return path

    def test_1_fixed_numbers(self):
        done = subprocess.run([os.environ["KINGLET_DRAWINGS"]], env=dict(os.environ, KINGLET_PAGES=str(support.folder)),
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        for name in ("full", "bare", "hostile", "odd"):
            checked = self.page(support.folder / f"{name}.html")
            self.assertNotIn("\ufffdscript", checked.text)
            if name == "hostile":
                self.assertIn("<script>alert(1)</script>", checked.text)

    def test_2_conversions(self):
        folder = support.folder
        texts = ["a small bird", "the sea is deep", "stocks fell", "he plays guitar", "<b>&</b>", "a lovely film"]
        labels = self.data("labels.tsv", "label\ttext\n" + "".join(f"{i % 3}\t{t}\n" for i, t in enumerate(texts)))
        source, out, page = support.checkpoint("bert-seqcls"), folder / "c.kgl", folder / "classifier.html"
        said = self.good("convert", source, "-o", out, "--dev", labels, "--report", page)
        plain = folder / "plain.kgl"
        self.good("convert", source, "-o", plain)
        self.assertEqual(out.read_bytes(), plain.read_bytes())  # the page changes nothing
        fp32 = folder / "fp32.kgl"
        self.good("convert", source, "-o", fp32, "--precision", "fp32")
        text = self.page(page).text
        values = [json.loads(self.good("eval", model, labels, "--json"))["value"] for model in (fp32, out)]
        for value in values:
            self.assertIn(f"{value:.2f}", text)
            self.assertIn(f": accuracy {value:.4f} (95 %: ", said)
        for part in ("embeddings", "attention", "feed-forward", "tokenizer and program", "16 tokens", "equal labels",
                     source.name, f"{out.stat().st_size:,}", "kinglet convert "):
            self.assertIn(part, text)

        page = folder / "embeddings.html"
        pairs = self.data("pairs.tsv", "score\tsentence1\tsentence2\n" +
                          "".join(f"{i}\t{a}\t{b}\n" for i, (a, b) in enumerate(zip(texts, texts[1:]))))
        self.good("convert", support.checkpoint("bert"), "--task", "embed", "-o", out, "--dev", pairs, "--report", page)
        text = self.page(page).text
        self.assertIn("mean cosine", text)
        self.assertIn("spearman", text)

        page = folder / "unmeasured.html"
        self.good("convert", support.checkpoint("bert-mlm-untied"), "-o", out, "--precision", "fp32", "--report", page)
        text = self.page(page).text
        self.assertIn("Accuracy was not measured", text)
        self.assertIn("--dev", text)

    def test_2_prunings(self):
        folder = support.folder
        texts = ["a small bird", "the sea is deep", "stocks fell", "he plays guitar", "<b>&</b>", "a lovely film"]
        labels = self.data("labels.tsv", "label\ttext\n" + "".join(f"{i % 3}\t{t}\n" for i, t in enumerate(texts)))
        source, out = support.checkpoint("bert-seqcls"), folder / "pruned"
        page = folder / "pruned.html"
        said = self.good("prune", source, "--vocabulary", labels, "--layers", "1", "--target", "0.35", "--data", labels,
                         "--dev", labels, "--curve", "--report", page, "-o", out)
        text = self.page(page).text
        for part in ("1 of its 2 layers, 35 % of its encoder", "layer removed", "smaller vocabulary, int8",
                     "pruned, fp32", "operations kept"):
            self.assertIn(part, text)
        self.assertEqual(said.count(": gone\n"), 1)
        self.assertEqual(re.findall(r"target (\S+):", said), ["1.00", "0.35", "0.20"])
        for line in re.findall(r"(?:checkpoint|pruned), int8: accuracy ([0-9.]+)", said):
            self.assertIn(f"{float(line):.2f}", text)

        page = folder / "vocabulary.html"
        self.good("prune", source, "--vocabulary", labels, "--report", page, "--dev", labels, "-o", out)
        self.assertIn("tokens", self.page(page).text)

    def test_3_failures_leave_no_page(self):
        folder = support.folder
        bad = self.data("bad.tsv", "label\ttext\nnonsense\tx\n")
        source, out, page = support.checkpoint("bert-seqcls"), folder / "never.kgl", folder / "never.html"
        self.fails(1, "convert", source, "-o", out, "--report", page, "--dev", bad, says='label "nonsense"')
        self.fails(1, "convert", source, "-o", out, "--report", page, "--dev", folder / "absent.tsv", says="absent.tsv")
        self.fails(1, "convert", folder / "absent", "-o", out, "--report", page, says="absent")
        self.fails(1, "convert", source, "-o", out, "--report", folder / "no" / "page.html", says="page.html")
        self.fails(1, "convert", source, "-o", folder, "--report", page, says=str(folder))
        self.fails(2, "convert", source, "-o", out, "--dev", bad, says="--report")
        self.assertEqual([p.name for p in folder.iterdir() if "never" in p.name], [])

    def test_4_browser(self):
        script = Path(__file__).parent / "show.mjs"
        shown = [self.pages[name] for name in ("full", "hostile", "classifier", "pruned")]
        done = None
        if shutil.which("node"):
            done = subprocess.run(["node", script, support.folder, *shown], capture_output=True, text=True)
        if done is None or done.returncode == support.SKIPPED:
            print("SKIPPED: the report in a browser: " + ("node is not installed" if done is None else done.stdout),
                  flush=True)
            raise unittest.SkipTest("no browser")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    support.main()
