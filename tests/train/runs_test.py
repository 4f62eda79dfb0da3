"""Training runs on tiny models: every task, students, seeds, and what is refused."""

import json
import os
import re
import shutil
import subprocess
import unittest

import training
from support import TestCase, run
from training import TINY, finetune, folder, log, weights, write_labelled


def setUpModule():
    write_labelled(folder / "train.tsv", 384, 1)
    write_labelled(folder / "dev.tsv", 96, 2)
    code, out, errors = finetune(TINY / "bert-seqcls", folder / "train.tsv", folder / "teacher", "--dev",
                                 folder / "dev.tsv", "--epochs", "5", "--lr", "2e-3", "--batch", "16")
    assert code == 0, errors
    setUpModule.out, setUpModule.errors = out, errors


def compare_teachers(case, teacher, data):
    """A teacher in int8 says almost what it says in fp32."""
    losses = []
    for precision in ("fp32", "int8"):
        student = folder / f"{teacher.name}-{precision}"
        code, _, errors = run("distill", "--teacher", teacher, "--data", data, "--student", "layers=1", "-o", student,
                              "--teacher-precision", precision, "--max-steps", "10", "--max-length", "48", "--lr",
                              "1e-9", "--dropout", "0", "--threads", "1")
        case.assertEqual(code, 0, errors)
        losses.append(log(student)[0]["loss"])
    case.assertNotEqual(*losses)
    case.assertAlmostEqual(losses[0], losses[1], delta=0.05 * losses[0])


class Finetune(TestCase):
    def test_learns_and_converts(self):
        figure = float(re.search(r"the best on dev ([\d.]+) %", setUpModule.out).group(1))
        self.assertGreater(figure, 90, setUpModule.errors)
        self.good("convert", folder / "teacher", "-o", folder / "teacher.kgl", "--precision", "fp32")
        # The figure is the one of `kinglet eval`.
        told = self.good("eval", folder / "teacher.kgl", folder / "dev.tsv")
        self.assertAlmostEqual(float(told.split()[1]), figure, delta=0.006)
        self.assertFalse((folder / "teacher.training").exists())

    def test_log(self):
        lines = log(folder / "teacher")
        steps = [line for line in lines if "loss" in line]
        self.assertEqual(steps[-1]["step"], 120)
        self.assertLess(steps[-1]["loss"], steps[0]["loss"])
        self.assertEqual(len([line for line in lines if "dev" in line]), 5)

    def test_same_seed_same_weights(self):
        outputs = []
        for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
            code, _, errors = finetune(TINY / "bert-seqcls", folder / "train.tsv", folder / name, "--seed", seed,
                                       "--max-steps", "3")
            self.assertEqual(code, 0, errors)
            outputs.append(weights(folder / name))
        self.assertEqual(outputs[0], outputs[1])
        self.assertNotEqual(outputs[0], outputs[2])

    def test_new_head_from_data(self):
        data = write_labelled(folder / "pairs.tsv", 64, 3, ("no", "yes"), pairs=True)
        code, _, errors = finetune(TINY / "bert", data, folder / "pairs", "--train", "gradual", "--layer-decay", "0.9",
                                   "--epochs", "2", "--dev", data)
        self.assertEqual(code, 0, errors)
        self.good("convert", folder / "pairs", "-o", folder / "pairs.kgl")
        self.assertIn("yes", self.good("classify", folder / "pairs.kgl", "--json", "--pair", "one", "two"))

    def test_frozen_encoder_stays(self):
        results = []
        for name, what, steps in (("head1", "head", "1"), ("head2", "head", "2"), ("all2", "all", "2")):
            code, _, errors = finetune(TINY / "bert-seqcls", folder / "train.tsv", folder / name, "--train", what,
                                       "--max-steps", steps)
            self.assertEqual(code, 0, errors)
            results.append(training.tensors(folder / name))
        once, twice, everything = results
        # The pooler is the head's.
        changed = {name for name in once if once[name] != twice[name]}
        self.assertEqual(changed, {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight",
                                   "classifier.bias"})
        self.assertNotEqual(twice["bert.encoder.layer.0.output.dense.weight"],
                            everything["bert.encoder.layer.0.output.dense.weight"])

    def test_numbers(self):
        lines = (folder / "train.tsv").read_text().splitlines()[1:65]
        scores = {"negative": "0", "neutral": "1.5", "positive": "3"}
        data = folder / "scores.tsv"
        scored = [f"{scores[label]}\t{text}\n" for label, text in (line.split("\t") for line in lines)]
        data.write_text("score\ttext\n" + "".join(scored))
        code, out, errors = finetune(TINY / "bert", data, folder / "numbers", "--dev", data, "--epochs", "2")
        self.assertEqual(code, 0, errors)
        self.good("convert", folder / "numbers", "-o", folder / "numbers.kgl")
        self.assertIn("value", self.good("classify", folder / "numbers.kgl", "--json", "some text"))

    def test_tags(self):
        data = folder / "tags.conll"
        vocabulary = training.words()
        data.write_text("".join(f"{a}\tB-X\n{b}\tO\n{c}\tO\n\n" for a, b, c in
                                zip(vocabulary[:40], vocabulary[40:80], vocabulary[80:120])))
        code, _, errors = finetune(TINY / "bert", data, folder / "tags", "--dev", data, "--epochs", "2")
        self.assertEqual(code, 0, errors)
        self.good("convert", folder / "tags", "-o", folder / "tags.kgl")
        self.good("tag", folder / "tags.kgl", "some text")
        compare_teachers(self, folder / "tags", data)

    def test_questions(self):
        context = " ".join(training.words()[:70])
        answer = training.words()[50]
        data = folder / "questions.json"
        start = context.index(answer)
        data.write_text('{"data":[{"paragraphs":[{"context":"%s","qas":[{"id":"1","question":"what is it",'
                        '"answers":[{"text":"%s","answer_start":%d}]}]}]}]}' % (context, answer, start))
        code, out, errors = finetune(TINY / "bert", data, folder / "questions", "--dev", data, "--epochs", "60",
                                     "--lr", "2e-3", "--max-length", "48", "--evaluations", "1", "--batch", "8",
                                     "--patience", "60")
        self.assertEqual(code, 0, errors)
        self.good("convert", folder / "questions", "-o", folder / "questions.kgl", "--precision", "fp32")
        self.assertIn(answer, self.good("answer", folder / "questions.kgl", "what is it", context))
        compare_teachers(self, folder / "questions", data)


class Distill(TestCase):
    def student(self, name, shape, *options):
        code, out, errors = run("distill", "--teacher", folder / "teacher", "--data", folder / "train.tsv", "--dev",
                                folder / "dev.tsv", "--student", shape, "-o", folder / name, "--threads", "1", *options)
        self.assertEqual(code, 0, errors)
        self.good("convert", folder / name, "-o", folder / (name + ".kgl"))
        return float(re.search(r"the best on dev ([\d.]+) %", out).group(1))

    def test_fewer_layers(self):
        self.assertGreater(self.student("layers", "layers=1", "--lr", "2e-3", "--batch", "16"), 80)

    def test_as_many_positions_as_tokens(self):
        teacher = folder / "short"
        shutil.copytree(folder / "teacher", teacher)
        config = json.loads((teacher / "tokenizer_config.json").read_text())
        (teacher / "tokenizer_config.json").write_text(json.dumps(dict(config, model_max_length=16)))
        code, _, errors = run("distill", "--teacher", teacher, "--data", folder / "train.tsv", "--student", "layers=1",
                              "-o", folder / "short-student", "--max-steps", "1")
        self.assertEqual(code, 0, errors)
        config = json.loads((folder / "short-student" / "config.json").read_text())
        self.assertEqual(config["max_position_embeddings"], 16)
        self.good("convert", folder / "short-student", "-o", folder / "short.kgl")
        self.assertIn("limits       16 tokens", self.good("inspect", folder / "short.kgl"))
        self.student("shorter", "layers=1,positions=12", "--max-steps", "1")
        self.assertIn("limits       12 tokens", self.good("inspect", folder / "shorter.kgl"))
        code, _, errors = run("distill", "--teacher", teacher, "--data", folder / "train.tsv", "--student",
                              "layers=1,positions=17", "-o", folder / "x")
        self.assertEqual(code, 1)
        self.assertIn("16 tokens", errors)
        shutil.rmtree(folder / "x.training", ignore_errors=True)

    def test_albert(self):
        self.student("albert", "albert,embedding=32", "--attention-loss", "1", "--hidden-loss", "1", "--epochs", "1")

    def test_distilbert_from_scratch(self):
        texts = folder / "texts.txt"
        texts.write_text("some more text\nand another one\n")
        self.student("distilbert", "distilbert,hidden=32,heads=2", "--init", "scratch", "--texts", texts, "--augment",
                     "1", "--hidden-loss", "0.5", "--label-loss", "0.5", "--epochs", "1")

    def test_teacher_in_int8(self):
        compare_teachers(self, folder / "teacher", folder / "train.tsv")
        code, _, errors = run("distill", "--teacher", folder / "teacher", "--data", folder / "train.tsv", "--student",
                              "layers=1", "-o", folder / "x", "--teacher-precision", "int8", "--hidden-loss", "1")
        self.assertEqual(code, 1)
        self.assertIn("logits only", errors)

    def test_recover(self):
        code, out, errors = finetune(folder / "teacher", folder / "train.tsv", folder / "recovered", "--recover",
                                     "--teacher", folder / "teacher", "--max-steps", "2")
        self.assertEqual(code, 0, errors)


class Refusals(TestCase):
    def refused(self, part, *arguments, code=1):
        got, out, errors = run(*arguments)
        self.assertEqual(got, code, errors)
        self.assertIn(part, errors)
        self.assertFalse((folder / "x").exists())
        shutil.rmtree(folder / "x.training", ignore_errors=True)

    def test_messages(self):
        data, tiny = folder / "train.tsv", TINY / "bert-seqcls"
        self.refused("no such file", "finetune", folder / "nothing", "--data", data, "-o", folder / "x")
        self.refused("cannot open", "finetune", tiny, "--data", folder / "none.tsv", "-o", folder / "x")
        (folder / "huge.tsv").write_text("score\ttext\n1e30\ta text\n1\tanother\n")
        self.refused("not a finite number", "finetune", tiny, "--data", folder / "huge.tsv", "-o", folder / "x")
        self.refused("no data", "finetune", tiny, "-o", folder / "x", code=2)
        wrong = write_labelled(folder / "wrong.tsv", 5, 1, ("good", "bad"))
        self.refused("not one of the model's", "distill", "--teacher", folder / "teacher", "--student", "bert",
                     "--data", wrong, "-o", folder / "x")
        self.refused("--student", "distill", "--teacher", folder / "teacher", "--student", "gpt", "--data", data, "-o",
                     folder / "x")

    def test_missing_executable(self):
        alone = folder / "alone"
        alone.mkdir()
        shutil.copy(os.environ["KINGLET_CLI"], alone / "kinglet")
        done = subprocess.run([alone / "kinglet", "finetune", TINY / "bert", "--data", folder / "train.tsv", "-o",
                               folder / "x"], capture_output=True, text=True, env=dict(os.environ, PATH="/nowhere"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("libtorch-dev", done.stderr)


if __name__ == "__main__":
    unittest.main()
