"""The command line itself: help, version, unknown commands and options, argument counts, exit codes."""

import os
import unittest

import support

COMMANDS = ["convert", "inspect", "verify", "tokenize", "encode", "embed", "classify", "tag", "answer", "fill-mask",
            "similarity", "rerank", "eval", "bench", "prune", "finetune", "distill",
            "compress"]


class Usage(support.TestCase):
    def test_help_lists_every_command(self):
        for arguments in (["--help"], ["-h"], ["help"]):
            out = self.good(*arguments)
            for command in COMMANDS:
                self.assertIn(f"\n  {command} ", out)

    def test_every_command_has_a_manual(self):
        for command in COMMANDS:
            out = self.good(command, "--help")
            self.assertIn(f"Usage: kinglet {command} ", out)
            self.assertIn("Example", out)
            self.assertIn("Options:\n", out)
            self.assertEqual(out, self.good("help", command))
            for line in out.splitlines():
                self.assertLessEqual(len(line), 120)

    def test_task_commands_share_their_options(self):
        for command in ["tokenize", "encode", "embed", "classify", "similarity"]:
            out = self.good(command, "--help")
            for option in ["--json", "--jsonl", "--max-length", "--threads", "--batch", "--top-k"]:
                self.assertIn(f"  {option}", out)

    def test_version_names_the_kernel_path(self):
        self.assertRegex(self.good("--version"), r"^kinglet \d+\.\d+\.\d+ \(kernel path: \w+\)\n$")
        out = self.good("--version", env={"KINGLET_ISA": "reference"})
        self.assertIn("(kernel path: reference)", out)

    def test_unsupported_kernel_path(self):
        for name in ["neon_i8mm" if os.uname().machine == "x86_64" else "avx2", "no_such_path"]:
            self.fails(1, "--version", env={"KINGLET_ISA": name}, says=name)

    def test_no_command(self):
        self.fails(2, says="expected kinglet COMMAND")

    def test_unknown_commands(self):
        for command in ["embedd", "", "--frobnicate"]:
            self.fails(2, command, says="expected one of convert, inspect")

    def test_options_that_do_not_go_together(self):
        alone = ["prune", "model", "--vocabulary", "texts", "-o", "out"]
        for option in (["--data", "d.tsv"], ["--texts", "9"], ["--seed", "2"]):
            self.fails(2, *alone, *option, says=f"{option[0]} goes with --target or --layers")
        layers = ["prune", "model", "--layers", "2", "--data", "d.tsv", "-o", "out"]
        for option in (["--curve"], ["--budget", "latency"]):
            self.fails(2, *alone, *option, says=f"{option[0]} goes with --target")
            self.fails(2, *layers, *option, says=f"{option[0]} goes with --target")
        self.fails(2, *layers, "--min-count", "2", says="--min-count goes with --vocabulary")
        self.fails(2, "prune", "model", "-o", "out", says="--layers K")
        self.fails(2, "prune", "model", "--layers", "2", "-o", "out", says="--data F")
        self.fails(2, "prune", "model", "--layers", "0", "--data", "d.tsv", "-o", "out", says="--layers")

    def test_unknown_options(self):
        for command in COMMANDS:
            self.fails(2, command, "m.kgl", "--frobnicate", says=["--frobnicate", f"see kinglet {command} --help"])
        self.fails(2, "convert", "x", "-o", "y", "--calibrate", "f", says="--calibrate")
        self.fails(2, "convert", "x", "-o", "y", "--max-loss", "1", says="--calibration F")
        self.fails(2, "convert", "x", "-o", "y", "--dev", "d.tsv", says="--report")

    def test_missing_arguments(self):
        for command in COMMANDS[:COMMANDS.index("eval")]:
            self.fails(2, command, says=["an argument is missing", f"kinglet {command} "])
        self.fails(2, "eval", "m.kgl", says="DATA")
        self.fails(2, "bench", says="--shape")
        self.fails(2, "convert", "x", says="-o OUT.kgl")

    def test_too_many_arguments(self):
        for command in ["inspect", "verify", "bench"]:
            self.fails(2, command, "a", "b", says=["too many arguments", '"b"'])
        self.fails(2, "eval", "a", "b", "c", says='"c"')
        self.fails(2, "convert", "a", "b", "-o", "c", says='"b"')

    def test_option_values(self):
        for option in ["--threads", "--batch", "--max-length", "--top-k"]:
            for value in ["0", "-1", "x", "1.5", "", "99999999999999999999", "1,2", "0x10"]:
                self.fails(2, "embed", "m.kgl", "text", f"{option}={value}", says=option)
            self.fails(2, "embed", "m.kgl", "text", option)
        self.fails(2, "embed", "m.kgl", "text", "--threads", "1", "--threads", "2", says="--threads")
        self.fails(2, "tokenize", "m.kgl", "--offsets", "words", says="--offsets")
        self.fails(2, "convert", "x", "-o", "y", "--precision", "int4", says="--precision")
        self.fails(2, "convert", "x", "-o", "y", "--task", "sing", says="--task")
        self.fails(2, "convert", "x", "-o", "y", "--labels", "a,,b", says="--labels")
        self.fails(2, "eval", "m.kgl", "d.tsv", "--metric", "bleu", says="--metric")
        self.fails(2, "bench", "--shape", "gpt", says="--shape")
        self.fails(2, "bench", "--shape", "bert-tiny", "--lengths", "16,,32", says="--lengths")
        self.fails(2, "bench", "--shape", "bert-tiny", "--lengths", "0", says="--lengths")
        self.fails(2, "bench", "m.kgl", "--precision", "fp32", says="--shape")
        self.fails(2, "bench", "m.kgl", "--shape", "bert-tiny", says="both")

    def test_a_message_is_one_line_whatever_it_repeats(self):
        self.fails(2, "frob\nnicate\x1b[31m", says="frob nicate [31m")
        self.fails(1, "embed", "no\nsuch\nfile", "text", says="no such file")


if __name__ == "__main__":
    support.main()
