"""Standard input and output: line ends, streams without end, readers that go away, closed descriptors, full disks."""

import json
import os
import select
import signal
import subprocess
import time
import unittest

import support


class Streams(support.TestCase):
    def embed(self):
        return support.model("bert", "--task", "embed")

    def test_line_ends(self):
        path = self.embed()
        wanted = self.good("embed", path, "--json", "a", "", "b c")
        for stdin in ["a\n\nb c\n", "a\n\nb c", "a\r\n\r\nb c\r\n"]:
            self.assertEqual(self.good("embed", path, "--json", stdin=stdin), wanted, stdin)

    def test_no_lines_no_answers(self):
        self.assertEqual(self.good("embed", self.embed(), "--json", stdin=""), "")

    def test_an_empty_line_is_an_empty_text(self):
        path = self.embed()
        self.assertEqual(self.good("embed", path, "--json", stdin="\n"), self.good("embed", path, "--json", ""))

    def test_texts_that_look_like_options_or_syntax(self):
        path = support.model("bert")
        texts = ["[a, b]", "++", "{}", "%%", "-5 degrees", "-", "embed", "help", "", "'x'", "a=b", "[]"]
        answers = self.objects("tokenize", path, "--json", *texts)
        self.assertEqual(len(answers), len(texts))
        lines = self.objects("tokenize", path, "--json", stdin="".join(text + "\n" for text in texts))
        self.assertEqual(answers, lines)
        behind = self.objects("tokenize", path, "--json", "--", "--json", "-x", "--")
        self.assertEqual(behind, self.objects("tokenize", path, "--json", stdin="--json\n-x\n--\n"))
        self.fails(2, "tokenize", path, "-x", says=["-x", "behind --"])

    def test_options_anywhere(self):
        path = support.model("bert")
        wanted = self.good("tokenize", path, "a", "b", "--json", "--max-length", "5")
        self.assertEqual(self.good("tokenize", "--json", path, "--max-length=5", "a", "b"), wanted)
        self.assertEqual(self.good("tokenize", "--max-length", "5", path, "a", "--json", "b"), wanted)

    def test_long_lines(self):
        path = self.embed()
        text = "word " * 400_000  # 2 MB
        answer = self.objects("embed", path, "--json", stdin=text)[0]
        self.assertIs(answer["truncated"], True)
        self.assertEqual(answer["embedding"], self.objects("embed", path, "--json", text[:5000])[0]["embedding"])

    def test_answers_come_before_the_input_ends(self):
        path = self.embed()
        for options in [[], ["--batch", "64"]]:
            process = subprocess.Popen([support.KINGLET, "embed", path, "--json", *options], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
            for text in [b"a\n", b"b\n"]:
                process.stdin.write(text)
                process.stdin.flush()
                ready, _, _ = select.select([process.stdout], [], [], 60)
                self.assertTrue(ready, "no answer while the input is open")
                self.assertIn("embedding", json.loads(process.stdout.readline()))
            process.stdin.close()
            self.assertEqual(process.wait(60), 0)
            process.stdout.close()

    def test_a_reader_that_goes_away_ends_an_endless_stream(self):
        path = self.embed()
        yes = subprocess.Popen(["yes", "a text"], stdout=subprocess.PIPE)
        process = subprocess.Popen([support.KINGLET, "embed", path, "--json"], stdin=yes.stdout,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        yes.stdout.close()
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(60), 1)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        yes.wait(60)

    def test_closed_descriptors(self):
        path = self.embed()

        def shell(command):
            done = subprocess.run(["sh", "-c", command, "sh", support.KINGLET, path], capture_output=True, timeout=60)
            return done.returncode, done.stderr.decode()

        self.assertEqual(shell('"$1" embed "$2" a >&-'), (1, ""))
        self.assertEqual(shell('"$1" --version >&-'), (1, ""))
        self.assertEqual(shell('"$1" embed "$2" a 2>&- >/dev/null'), (0, ""))
        code, errors = shell('"$1" embed "$2" <&-')
        self.assertEqual(code, 1)
        self.assertIn("standard input", errors)
        code, errors = shell('"$1" embed "$2" </')
        self.assertEqual(code, 1)
        self.assertIn("standard input", errors)

    def test_a_closed_standard_output_does_not_reach_the_new_file(self):
        target = support.folder / "closed.kgl"
        source = support.checkpoint("bert")
        subprocess.run(["sh", "-c", '"$1" convert "$2" -o "$3" >&- 2>&-', "sh", support.KINGLET, source, target],
                       timeout=60)
        self.good("verify", target)

    def test_a_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([support.KINGLET, "embed", self.embed(), "a"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), "^kinglet: standard output: cannot write: .+\n$")

    def test_errors_do_not_lose_the_answers_before_them(self):
        code, out, errors = support.run("tokenize", support.model("bert"), "--json", "--pair",
                                        stdin="a\tb\nno tab\na\tb\tc\nc\td\n")
        self.assertEqual(code, 1)
        answers = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(["error" in answer for answer in answers], [False, True, True, False])
        self.assertIn("line 2: no TAB", answers[1]["error"])
        self.assertIn("line 3: more than one TAB", answers[2]["error"])
        self.assertEqual(len(errors.splitlines()), 2)

    def test_errors_for_people_stay_in_their_place(self):
        code, out, _ = support.run("similarity", self.embed(), stdin="a\ta\nx\nb\tb\n")
        self.assertEqual(code, 1)
        lines = out.splitlines()
        self.assertTrue(lines[0].startswith("1.0000\t"))
        self.assertTrue(lines[1].startswith("error: standard input, line 2: no TAB"))
        self.assertTrue(lines[2].startswith("1.0000\t"))

    def test_interrupt(self):
        process = subprocess.Popen([support.KINGLET, "embed", self.embed()], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), -signal.SIGINT)
        process.stdin.close()


if __name__ == "__main__":
    support.main()
