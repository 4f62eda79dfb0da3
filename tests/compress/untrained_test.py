"""`kinglet compress` without kinglet-train: what it plans, what it makes, what it refuses, and being killed."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "train"))
import training  # noqa: E402
from support import KINGLET, TestCase, folder  # noqa: E402

SEED = int(os.environ.get("KINGLET_SEED", time.time_ns() % 100000))
SOURCE = training.TINY / "bert-seqcls"


def setUpModule():
    training.write_labelled(folder / "train.tsv", 384, 1)
    training.write_labelled(folder / "dev.tsv", 96, 2)
    (folder / "alone").mkdir()
    shutil.copy(KINGLET, folder / "alone" / "kinglet")


def arguments(output, budget, loss="50%", *more, data="train.tsv", dev="dev.tsv"):
    words = [folder / "alone" / "kinglet", "compress", SOURCE, "--data", folder / data, "--dev", folder / dev,
             "--budget", budget, "--max-loss", loss, "-o", folder / output, *more]
    return list(map(str, words))


def compress(*words, **files):
    """Runs it where no kinglet-train is found."""
    done = subprocess.run(arguments(*words, **files), capture_output=True, text=True,
                          env=dict(os.environ, PATH="/nowhere"))
    return done.returncode, done.stdout, done.stderr


def size(text):
    return int(text.replace(",", ""))


class Untrained(TestCase):
    def test_plans_then_prunes(self):
        code, out, errors = compress("small.kgl", "180kB", "50%", "--report", str(folder / "small.html"))
        self.assertEqual((code, errors), (0, ""), out)
        self.assertIn("libtorch-dev", out)  # how to get the rest
        self.assertNotIn("with training", out)
        self.assertLess(out.index("plan 1: at most"), out.index("vocabulary-1: "))
        # The expected size is not exceeded, and not far off.
        expected = size(re.search(r"plan 1: at most ([\d,]+) bytes", out).group(1))
        actual = (folder / "small.kgl").stat().st_size
        self.assertLessEqual(actual, expected)
        self.assertLessEqual(expected, 180_000)
        self.assertGreater(actual, 0.9 * expected)
        # The figure is that of `kinglet eval`.
        figure = float(re.search(r"small\.kgl: .* accuracy ([\d.]+)", out).group(1))
        told = self.good("eval", folder / "small.kgl", folder / "dev.tsv")
        self.assertAlmostEqual(float(told.split()[1]), figure, delta=0.006)
        self.assertFalse((folder / "small.kgl.compress").exists())
        page = (folder / "small.html").read_text()
        for text in ("What was planned", "prune to", "good enough", "Size by pass", "int8"):
            self.assertIn(text, page)

    def test_what_fits_is_only_rounded(self):
        code, out, errors = compress("whole.kgl", "1MB", "5")
        self.assertEqual((code, errors), (0, ""), out)
        self.good("convert", SOURCE, "-o", folder / "plain.kgl")
        self.assertEqual((folder / "whole.kgl").read_bytes(), (folder / "plain.kgl").read_bytes())

    def test_dry_run_leaves_nothing(self):
        before = sorted(path.name for path in folder.iterdir())
        code, out, errors = compress("dry.kgl", "180kB", "50%", "--plan")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("plan 1: at most", out)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), before)

    def test_what_cannot_be_reached(self):
        code, out, errors = compress("none.kgl", "20kB")
        self.assertEqual((code, errors.count("\n")), (1, 1))
        self.assertRegex(errors, r"no plan is within 20,000 bytes: the smallest, .* has [\d,]+; training could do more")
        self.assertFalse((folder / "none.kgl").exists() or (folder / "none.kgl.compress").exists())

    def test_the_best_is_kept_but_no_success(self):
        (folder / "lost.kgl").write_text("what was here")
        self.write_own_answers()
        code, out, errors = compress("lost.kgl", "150kB", "0", "--report", str(folder / "lost.html"), dev="own.tsv")
        self.assertEqual((code, errors.count("\n")), (1, 1), errors)
        self.assertIn("was not reached: the best within the budget", errors)
        self.assertIn("libtorch-dev", errors)
        self.assertEqual((folder / "lost.kgl").read_text(), "what was here")
        best = folder / "lost.kgl.compress" / "best.kgl"
        self.assertLessEqual(best.stat().st_size, 150_000)
        self.good("verify", best)
        self.assertIn("too much is lost", (folder / "lost.html").read_text())
        code, _, errors = compress("lost.kgl", "150kB", "0", "--seed", "7", dev="own.tsv")
        self.assertEqual(code, 1)
        self.assertIn("another seed (1 then, 7 now)", errors)
        # A lower aim goes on with what is there, and succeeds without doing it again.
        again = compress("lost.kgl", "150kB", "100%", dev="own.tsv")
        self.assertEqual((again[0], again[2]), (0, ""), again)
        self.assertIn("going on with", again[1])
        self.assertGreater((folder / "lost.kgl").stat().st_size, 1000)

    def write_own_answers(self):
        """What the model says itself as the truth: a figure of 100, of which pruning can only lose."""
        self.good("convert", SOURCE, "-o", folder / "fp32.kgl", "--precision", "fp32")
        texts = [line.split("\t")[1] for line in (folder / "dev.tsv").read_text().splitlines()[1:]]
        answers = self.objects("classify", folder / "fp32.kgl", "--json", *texts)
        lines = [f"{answer['label']}\t{text}\n" for answer, text in zip(answers, texts)]
        (folder / "own.tsv").write_text("label\ttext\n" + "".join(lines))

    def test_killed_at_any_moment(self):
        start = time.monotonic()
        self.assertEqual(compress("once.kgl", "150kB", "100%")[0], 0)
        took = time.monotonic() - start
        expected = (folder / "once.kgl").read_bytes()
        rng, kills = random.Random(SEED), 0
        while True:
            process = subprocess.Popen(arguments("killed.kgl", "150kB", "100%"), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, env=dict(os.environ, PATH="/nowhere"))
            try:
                _, errors = process.communicate(timeout=rng.uniform(0, took) if kills < 4 else 100)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                output = folder / "killed.kgl"
                self.assertTrue(not output.exists() or output.read_bytes() == expected, f"seed {SEED}")
                continue
            self.assertEqual((process.returncode, errors), (0, b""), f"seed {SEED}, {kills} kills")
            break
        self.assertEqual((folder / "killed.kgl").read_bytes(), expected, f"seed {SEED}, {kills} kills")
        self.assertFalse((folder / "killed.kgl.compress").exists())
        leftovers = [path.name for path in folder.iterdir() if path.name.startswith(".kinglet-")]
        self.assertEqual(leftovers, [], f"seed {SEED}")


class Refusals(TestCase):
    def refused(self, code, says, *words):
        got, out, errors = compress("x.kgl", *words)
        self.assertEqual((got, errors.count("\n")), (code, 1), errors)
        self.assertIn(says, errors)
        self.assertFalse((folder / "x.kgl").exists() or (folder / "x.kgl.compress").exists())

    def test_command_line(self):
        self.refused(2, "is not a size", "9XB")
        self.refused(2, "is not a size", "0")
        self.refused(2, "is not a loss", "9MB", "much")
        self.refused(2, "is not a loss", "9MB", "-3%")
        self.fails(2, "compress", SOURCE, says="no data")
        self.fails(2, "compress", SOURCE, "--data", "a", "--dev", "b", "--budget", "1MB", "--max-loss", "1",
                   says="no output")
        self.fails(2, "compress", "--data", "a", says="SRC")

    def test_files(self):
        (folder / "empty").mkdir()
        for says, more, files in (
            ("none.tsv", (), {"dev": "none.tsv"}),
            ("none.tsv", (), {"data": "none.tsv"}),
            ("nowhere", ("--report", str(folder / "nowhere" / "r.html")), {}),
        ):
            got, _, errors = compress("y.kgl", "180kB", "50%", *more, **files)
            self.assertEqual((got, errors.count("\n")), (1, 1), errors)
            self.assertIn(says, errors)
            self.assertFalse((folder / "y.kgl").exists())
            shutil.rmtree(folder / "y.kgl.compress", ignore_errors=True)
        self.fails(1, "compress", folder / "empty", "--data", folder / "train.tsv", "--dev", folder / "dev.tsv",
                   "--budget", "1MB", "--max-loss", "1", "-o", folder / "z.kgl", says="config.json")

    def test_a_folder_of_another_kind_is_not_touched(self):
        taken = folder / "taken.kgl.compress"
        taken.mkdir()
        (taken / "mine").write_text("mine")
        code, _, errors = compress("taken.kgl", "180kB")
        self.assertEqual(code, 1)
        self.assertIn("it holds \"mine\"", errors)
        self.assertEqual((taken / "mine").read_text(), "mine")


if __name__ == "__main__":
    unittest.main()
