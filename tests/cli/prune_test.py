"""`kinglet prune`: what it says, what it refuses, and that a killed run leaves nothing."""

import signal
import subprocess
import time
import unittest

import support

WORDS = "the film is good and bad or far too long for a small bird in the tall trees".split()


class Prune(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = support.folder / "prune"
        cls.place.mkdir()
        cls.texts = cls.place / "texts.txt"
        lines = [" ".join(WORDS[(i * 7 + j * 3) % len(WORDS)] for j in range(3 + i % 9)) for i in range(80)]
        cls.texts.write_text("\n".join(lines) + "\n")
        cls.source = support.checkpoint("bert-seqcls")

    def left(self):
        return sorted(path.name for path in self.place.iterdir() if path != self.texts)

    def prune(self, *options):
        return ["prune", self.source, *options, "-o", self.place / "out"]

    def test_what_it_says(self):
        said = self.good(*self.prune("--layers", "1", "--target", "0.4", "--data", self.texts, "--vocabulary",
                                     self.texts))
        lines = said.splitlines()
        self.assertRegex(lines[1], r"^  \d+ of 1,200 tokens \(\d+ seen in 80 texts\)$")
        self.assertRegex(lines[2], r"^  3\d\.\d % of the encoder's operations, [\d,]+ of its [\d,]+ parameters \(80 ")
        self.assertEqual([line.endswith(": gone") for line in lines[3:]].count(True), 1)
        self.assertEqual(len(lines), 5)
        model = support.folder / "pruned.kgl"
        self.good("convert", self.place / "out", "-o", model)
        self.good("classify", model, "the film is good")
        self.assertEqual(self.left(), ["out"])
        said = self.good(*self.prune("--vocabulary", self.texts))  # in the place of the first
        self.assertEqual(len(said.splitlines()), 2)

    def test_refusals(self):
        before = self.left()
        for layers in ("2", "9"):
            self.fails(1, *self.prune("--layers", layers, "--data", self.texts), says="the model has 2 layers")
        self.fails(1, *self.prune("--layers", "1", "--target", "0.6", "--data", self.texts), says="takes nothing more")
        self.fails(1, *self.prune("--target", "0.01", "--data", self.texts), says="target is too small")
        self.fails(1, *self.prune("--layers", "1", "--data", self.place / "absent"), says="absent")
        shared = support.SHARED / "models/tiny/albert-seqcls"
        if shared.exists():
            self.fails(1, "prune", shared, "--layers", "1", "--data", self.texts, "-o", self.place / "out",
                       says='"albert" cannot be pruned')
        self.assertEqual(self.left(), before)

    def test_killed(self):
        """In the middle, while the smaller vocabulary stands in its folder without a name."""
        before = self.left()
        command = [support.KINGLET, *self.prune("--target", "0.5", "--data", self.texts, "--vocabulary", self.texts)]
        command[-1] = self.place / "killed"
        for number in (signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and not any(name.startswith(".kinglet-") for name in self.left()):
                time.sleep(0.001)
            process.send_signal(number)
            self.assertEqual(process.wait(60), -number)
            self.assertEqual(self.left(), before)


if __name__ == "__main__":
    support.main()
