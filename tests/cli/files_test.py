"""convert, inspect and verify: what they write and say, and files that are not what they should be."""

import json
import os
import pty
import shutil
import subprocess
import unittest

import support


def read_terminal(leader):
    """All that was written to the other end, which is closed; it may come in parts."""
    parts = []
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:  # EIO: there is nothing more
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)


class Convert(support.TestCase):
    def test_says_what_it_wrote_and_is_quiet_otherwise(self):
        target = support.folder / "said.kgl"
        out = self.good("convert", support.checkpoint("bert"), "-o", target)
        size = target.stat().st_size
        self.assertIn(f"said.kgl: {size:,} bytes, int8", out)
        self.assertEqual([p.name for p in support.folder.glob("said*")], ["said.kgl"])

    def test_same_bytes_every_time(self):
        a, b = support.folder / "a.kgl", support.folder / "b.kgl"
        for target in (a, b):
            self.good("convert", support.checkpoint("bert"), "--output", target)
        self.assertEqual(a.read_bytes(), b.read_bytes())

    def test_replaces_an_older_file(self):
        target = support.folder / "older.kgl"
        target.write_text("older")
        self.good("convert", support.checkpoint("bert"), "-o", target)
        self.good("verify", target)

    def test_a_failure_leaves_the_older_file(self):
        target = support.folder / "kept.kgl"
        target.write_text("kept")
        broken = support.folder / "broken"
        shutil.copytree(support.checkpoint("bert"), broken, dirs_exist_ok=True)
        os.chmod(broken, 0o755)
        (broken / "config.json").unlink()
        self.fails(1, "convert", broken, "-o", target, says="config.json")
        self.assertEqual(target.read_text(), "kept")
        self.assertEqual([p.name for p in support.folder.glob("kept*")], ["kept.kgl"])

    def test_bad_paths(self):
        self.fails(1, "convert", "/no/such/checkpoint", "-o", support.folder / "x.kgl", says="/no/such/checkpoint")
        source = support.checkpoint("bert")
        self.fails(1, "convert", source, "-o", "/no/such/folder/x.kgl", says="/no/such/folder")
        self.fails(1, "convert", source, "-o", support.folder)
        if os.path.exists("/dev/full"):
            self.fails(1, "convert", source, "-o", "/dev/full")

    def test_unknown_pattern_and_wrong_number_of_labels(self):
        source = support.checkpoint("bert-seqcls")
        self.fails(1, "convert", source, "-o", support.folder / "x.kgl", "--labels", "one,two")
        self.fails(1, "convert", source, "-o", support.folder / "x.kgl", "--keep-fp32", "[no-such-matrix]",
                   says="[no-such-matrix]")

    def test_keep_fp32(self):
        source = support.model("bert", "--keep-fp32", "*")
        tensors = json.loads(self.good("inspect", source, "--json"))["tensors"]
        self.assertFalse([t for t in tensors if t["layout"] == "tile16x8"])

    def test_progress_on_a_terminal_only(self):
        target = support.folder / "progress.kgl"
        leader, follower = pty.openpty()
        done = subprocess.run([support.KINGLET, "convert", support.checkpoint("bert"), "-o", target],
                              stdout=subprocess.PIPE, stderr=follower, env=dict(os.environ, TERM="xterm"), timeout=60)
        os.close(follower)
        shown = read_terminal(leader).decode()
        os.close(leader)
        self.assertEqual(done.returncode, 0)
        self.assertIn("%", shown)
        self.assertTrue(shown.endswith("\r\x1b[K"), "the bar is wiped at the end")


class Inspect(support.TestCase):
    def test_json(self):
        path = support.model("bert-seqcls")
        about = json.loads(self.good("inspect", path, "--json"))
        self.assertEqual(about["bytes"], path.stat().st_size)
        self.assertEqual(about["architecture"], "bert")
        self.assertEqual(about["precision"], "int8")
        self.assertEqual(about["task"], "classify")
        self.assertEqual(about["labels"], ["negative", "neutral", "positive"])
        self.assertEqual(about["tokenizer"]["model"], "WordPiece")
        self.assertEqual([o["name"] for o in about["outputs"]], ["logits"])
        self.assertGreater(about["samples"], 0)
        self.assertEqual(sum(about["parts"].values()), sum(t["bytes"] for t in about["tensors"]))
        self.assertLessEqual(sum(about["parts"].values()), about["bytes"])
        self.assertEqual(about["program"][0]["op"], "embed")
        self.assertIn("attention", [step["op"] for step in about["program"]])
        self.assertIn("kernel_path", about)

    def test_for_people(self):
        path = support.model("bert-seqcls", "--precision", "fp32")
        out = self.good("inspect", path)
        for text in ["bert, fp32", "classify", "WordPiece", "negative", "kernel path", "weights by part", "program",
                     "attention", "tensors", f"{path.stat().st_size:,} bytes"]:
            self.assertIn(text, out)

    def test_kernel_path(self):
        out = self.good("inspect", support.model("bert"), env={"KINGLET_ISA": "reference"})
        self.assertRegex(out, "kernel path +reference")


class BadModels(support.TestCase):
    commands = [["inspect"], ["verify"], ["tokenize"], ["encode"], ["embed"], ["classify"], ["similarity"]]

    def all_refuse(self, path, says):
        for command in self.commands:
            self.fails(1, *command, path, says=says, stdin="x\n")
        data = support.folder / "one.tsv"
        data.write_text("label\ttext\n0\tx\n")
        self.fails(1, "eval", path, data, says=says)
        self.fails(1, "bench", path, says=says)

    def test_no_such_file(self):
        self.all_refuse("/no/such/model.kgl", "/no/such/model.kgl")

    def test_a_folder(self):
        self.all_refuse(str(support.folder), str(support.folder))

    def test_something_else(self):
        other = support.folder / "other.kgl"
        other.write_bytes(b"not a model" * 100)
        self.all_refuse(other, "other.kgl")
        other.write_bytes(b"")
        self.all_refuse(other, "other.kgl")

    def test_damaged(self):
        good = support.model("bert").read_bytes()
        damaged = support.folder / "damaged.kgl"
        for at in (0, 9, 20, 70, len(good) // 2, len(good) - 1):
            data = bytearray(good)
            data[at] ^= 0x5A
            damaged.write_bytes(data)
            self.fails(1, "verify", damaged, says="damaged.kgl")
        for size in (1, 63, 64, 65, len(good) // 2, len(good) - 1):
            damaged.write_bytes(good[:size])
            self.fails(1, "verify", damaged, says="damaged.kgl")
        damaged.write_bytes(good + b"x")
        self.fails(1, "verify", damaged, says="damaged.kgl")

    def test_unsupported_kernel_path(self):
        for command in self.commands:
            self.fails(1, *command, support.model("bert"), env={"KINGLET_ISA": "no_such_path"}, says="no_such_path")

    def test_a_converted_model_that_does_not_open_is_called_by_its_name(self):
        out = support.folder / "bad-labels.kgl"
        code, _, errors = support.run("convert", support.checkpoint("bert-seqcls"), "-o", out, "--labels", "a\x01,b,c")
        self.assertEqual((code, errors.count("\n")), (1, 1))
        self.assertIn("bad-labels.kgl: the converted model does not open: label 0", errors)
        self.assertNotIn("descriptor", errors)
        self.assertFalse(out.exists())

    def test_verify(self):
        for name in ["bert", "bert-seqcls"]:
            for precision in ["int8", "fp32"]:
                self.assertIn("self-test passed", self.good("verify", support.model(name, "--precision", precision)))
        self.good("verify", support.model("bert"), env={"KINGLET_ISA": "reference"})


if __name__ == "__main__":
    support.main()
