"""`kinglet compress` with kinglet-train: recovery, students, reports, and being killed while it trains."""

import json
import os
import random
import re
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "train"))
import training  # noqa: E402
from support import KINGLET, TestCase, folder, run  # noqa: E402

SEED = int(os.environ.get("KINGLET_SEED", time.time_ns() % 100000))


def setUpModule():
    training.write_labelled(folder / "train.tsv", 384, 1)
    training.write_labelled(folder / "dev.tsv", 96, 2)
    code, _, errors = training.finetune(training.TINY / "bert-seqcls", folder / "train.tsv", folder / "teacher",
                                        "--dev", folder / "dev.tsv", "--epochs", "5", "--lr", "2e-3", "--batch", "16",
                                        "--report", folder / "teacher.html")
    assert code == 0, errors
    # What the teacher says as the truth: a figure of 100, which no smaller model is likely to have.
    assert run("convert", folder / "teacher", "-o", folder / "teacher.kgl", "--precision", "fp32")[0] == 0
    texts = [line.split("\t")[1] for line in (folder / "dev.tsv").read_text().splitlines()[1:]]
    answers = [json.loads(line) for line in run("classify", folder / "teacher.kgl", "--json", *texts)[1].splitlines()]
    (folder / "own.tsv").write_text("label\ttext\n" + "".join(
        f"{answer['label']}\t{text}\n" for answer, text in zip(answers, texts)))


def arguments(name, *more):
    words = ["compress", folder / "teacher", "--data", folder / "train.tsv", "--dev", folder / "own.tsv", "--budget",
             "160kB", "--max-loss", "0", "--threads", "1", "-o", folder / f"{name}.kgl", *more]
    return list(map(str, words))


def result(name):
    """The output, or the best file where nothing was good enough."""
    kept = folder / f"{name}.kgl.compress" / "best.kgl"
    return (kept if kept.exists() else folder / f"{name}.kgl").read_bytes()


class Trained(TestCase):
    def test_report_of_training(self):
        page = (folder / "teacher.html").read_text()
        for text in ("How it learnt", "Learning rate", "kinglet finetune", "the best so far", "int8"):
            self.assertIn(text, page)

    def test_trains_where_pruning_loses_and_goes_on_after_kills(self):
        start = time.monotonic()
        code, out, errors = run(*arguments("whole", "--report", folder / "whole.html"))
        took = time.monotonic() - start
        plans = re.findall(r"plan (\d+), with training: at most ([\d,]+) bytes", out)
        self.assertGreaterEqual(len(plans), 2, out)  # recovery, and a student of fewer layers
        self.assertLess(out.index("with training"), out.index("plan 1: prune to"))
        self.assertRegex(out, r"plan 2: (recover|distil)")
        page = (folder / "whole.html").read_text()
        self.assertIn("How it learnt", page)
        self.assertLessEqual(len(result("whole")), 160_000)
        if code == 0:
            self.assertIn("good enough", page)
            self.assertFalse((folder / "whole.kgl.compress").exists())
        else:
            self.assertIn("was not reached: the best within the budget", errors.splitlines()[-1])
            self.assertFalse((folder / "whole.kgl").exists())

        rng, kills = random.Random(SEED), 0
        while True:
            process = subprocess.Popen([KINGLET, *arguments("killed")], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True)
            try:
                _, told = process.communicate(timeout=rng.uniform(0.2, 1) * took if kills < 3 else 300)
            except subprocess.TimeoutExpired:
                process.kill()  # and kinglet-train with it
                process.communicate()
                kills += 1
                continue
            break
        self.assertEqual(process.returncode, code, f"seed {SEED}, {kills} kills: {told}")
        self.assertEqual(result("killed"), result("whole"), f"seed {SEED}, {kills} kills")

    def test_stopped_politely(self):
        """SIGTERM in the middle of training: kinglet-train keeps its state, and both end."""
        process = subprocess.Popen([KINGLET, *arguments("stopped")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        for line in process.stdout:
            if re.match(r"plan \d+: (recover|distil)", line):
                break
        for line in process.stderr:
            if "steps of" in line and "on cpu" in line and " 8 steps" not in line:
                break
        process.terminate()
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn("the same command goes on from there", errors.splitlines()[-1])
        self.assertFalse((folder / "stopped.kgl").exists())


if __name__ == "__main__":
    unittest.main()
