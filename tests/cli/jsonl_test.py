"""--jsonl: the objects that each command takes, and every way in which a line can be wrong."""

import json
import random
import unittest

import support

# line, what the message says
BAD_LINES = [
    ("", "expected a JSON object"),
    ("   ", "expected a JSON object"),
    ("nonsense", "expected a JSON object"),
    ("[]", "expected a JSON object"),
    ('"text"', "expected a JSON object"),
    ("null", "expected a JSON object"),
    ("{}", 'neither "text" nor "ids"'),
    ("{", "a field name in quotes"),
    ("{text:1}", "a field name in quotes"),
    ('{"text"', "expected :"),
    ('{"text" "a"}', "expected :"),
    ('{"text":', 'a string for "text"'),
    ('{"text":1}', 'a string for "text"'),
    ('{"text":null}', 'a string for "text"'),
    ('{"text":["a"]}', 'a string for "text"'),
    ('{"text":{"a":1}}', 'a string for "text"'),
    ('{"text":"a"', "expected , or }"),
    ('{"text":"a",}', "a field name in quotes"),
    ('{"text":"a"} x', "unexpected text after"),
    ('{"text":"a"}{"text":"b"}', "unexpected text after"),
    ('{"text":"a","text":"b"}', "given twice"),
    ('{"text":"a","te\\u0078t":"b"}', "given twice"),
    ('{"text":"a","colour":"b"}', 'unknown field "colour"'),
    ('{"text":"a","Text":"b"}', 'unknown field "Text"'),
    ('{"text":"a","language":1}', 'unknown field "language"'),
    ('{"text":"a","lang":1}', 'expected it with "ids"'),
    ('{"pair":"a"}', 'neither "text" nor "ids"'),
    ('{"text":"a","ids":[1]}', "both"),
    ('{"ids":[1],"pair":"a"}', "both"),
    ('{"text":"a","type_ids":[0]}', 'without "ids"'),
    ('{"type_ids":[0]}', 'neither "text" nor "ids"'),
    ('{"ids":1}', "array of whole numbers"),
    ('{"ids":"1"}', "array of whole numbers"),
    ('{"ids":[1.5]}', "not a whole number"),
    ('{"ids":[1e2]}', "not a whole number"),
    ('{"ids":[01]}', "array of whole numbers"),
    ('{"ids":[-]}', "array of whole numbers"),
    ('{"ids":["1"]}', "array of whole numbers"),
    ('{"ids":[true]}', "array of whole numbers"),
    ('{"ids":[null]}', "array of whole numbers"),
    ('{"ids":[1,]}', "array of whole numbers"),
    ('{"ids":[1', "expected , or ]"),
    ('{"ids":[2147483648]}', "32 bits"),
    ('{"ids":[-2147483649]}', "32 bits"),
    ('{"ids":[' + "9" * 5000 + "]}", "32 bits"),
    ('{"ids":[1,2],"type_ids":[0]}', "as many"),
    ('{"text":"a', "closing quote"),
    ('{"text":"a\\"}', "closing quote"),
    ('{"text":"a\\', "unknown escape"),
    ('{"text":"a\tb"}', "control character"),
    ('{"text":"\\x41"}', "unknown escape"),
    ('{"text":"\\u12"}', "hexadecimal"),
    ('{"text":"\\u12g4"}', "hexadecimal"),
    ('{"text":"\\ud800\\u12"}', "hexadecimal"),
    ("[" * 100000, "expected a JSON object"),
    ('{"text":' + "[" * 100000, 'a string for "text"'),
    ('{"ids":' + "[" * 100000, "array of whole numbers"),
    ('{"ids":[2,-1,3]}', "-1"),
    ('{"ids":[2,99999999,3]}', "99999999"),
    ('{"ids":[2,3],"type_ids":[0,7]}', "7"),
    ('{"ids":[]}', ""),
    ('{"ids":[' + ",".join(["2"] * 5000) + "]}", "5000"),
]


class JsonLines(support.TestCase):
    def test_each_bad_line_has_its_error_and_spoils_no_other(self):
        path = support.model("bert")
        good = '{"text":"a good line"}'
        wanted = self.objects("encode", path, "--jsonl", "--json", stdin=good)[0]
        lines = "".join(f"{good}\n{bad}\n" for bad, _ in BAD_LINES)
        for options in [[], ["--batch", "5"]]:
            code, out, errors = support.run("encode", path, "--jsonl", "--json", *options, stdin=lines)
            self.assertEqual(code, 1)
            answers = [json.loads(line) for line in out.splitlines()]
            self.assertEqual(len(answers), 2 * len(BAD_LINES))
            self.assertEqual(len(errors.splitlines()), len(BAD_LINES))
            for n, (bad, says) in enumerate(BAD_LINES):
                self.assertEqual(answers[2 * n], wanted)
                self.assertEqual(list(answers[2 * n + 1]), ["error"], bad[:100])
                self.assertIn(says, answers[2 * n + 1]["error"], bad[:100])
                self.assertIn(f"line {2 * n + 2}: ", answers[2 * n + 1]["error"])
                self.assertIn(f"line {2 * n + 2}: ", errors.splitlines()[n])

    def test_what_is_allowed(self):
        path = support.model("bert")

        def ids(line):
            return self.objects("tokenize", path, "--jsonl", "--json", stdin=line)[0]["ids"]

        plain = ids('{"text":"a bird"}')
        for line in ['{ "text" : "a bird" }', '\t{"text":"a bird"}  ', '{"text":"a bird"}\r', '{"text":"a\\u0020bird"}',
                     '\ufeff{"text":"a bird"}', '{"text":"\\u0061\\tbird"}']:
            self.assertEqual(ids(line + "\n"), plain, line)
        self.assertEqual(ids('{"pair":"b","text":"a"}'), ids('{"text":"a","pair":"b"}'))
        self.assertEqual(ids('{"text":""}'), self.objects("tokenize", path, "--json", "")[0]["ids"])

    def test_surrogates(self):
        path = support.model("bert")

        def answer(text):
            return self.objects("tokenize", path, "--jsonl", "--json", stdin='{"text":"%s b"}' % text)[0]

        self.assertEqual(answer("\\ud834\\udd1e"), answer("𝄞"))
        for half in ["\\ud800", "\\udfff", "\\uDBFF"]:
            self.assertEqual(answer(half), answer("\ufffd"))
        self.assertEqual(answer("\\ud800x"), answer("\ufffdx"))
        self.assertEqual(answer("\\ud800\\ud834\\udd1e"), answer("\ufffd𝄞"))
        self.assertEqual(answer("\\udd1e\\ud834"), answer("\ufffd\ufffd"))

    def test_invalid_utf8_in_a_string(self):
        path = support.model("bert")
        answer = self.objects("tokenize", path, "--jsonl", "--json", stdin=b'{"text":"\xff b"}')[0]
        self.assertEqual(answer["offsets"][-2], [2, 3])

    def test_errors_are_valid_json_whatever_the_line_holds(self):
        path = support.model("bert")
        code, out, _ = support.run("tokenize", path, "--jsonl", "--json", stdin=b'{"\xff\x80\\u0007\\"":1}\n')
        self.assertEqual(code, 1)
        self.assertIn("\ufffd\ufffd", json.loads(out)["error"])

    def test_commands_take_their_own_fields_only(self):
        path = support.model("bert", "--task", "embed")
        ids = '{"ids":[2,3]}'
        self.fails(1, "tokenize", path, "--jsonl", stdin=ids, says='unknown field "ids"')
        self.fails(1, "similarity", path, "--jsonl", stdin=ids, says='unknown field "ids"')
        self.fails(1, "similarity", path, "--jsonl", stdin='{"text":"a"}', says='no "pair"')
        self.assertEqual(len(self.objects("embed", path, "--jsonl", "--json", stdin=ids)), 1)

    def test_no_texts_beside_jsonl(self):
        self.fails(2, "embed", support.model("bert"), "a", "--jsonl", says="--jsonl")

    def test_damaged_lines(self):
        """Random damage to good lines: an answer or an error for each, and nothing else."""
        path = support.model("bert")
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        lines = []
        for _ in range(2000):
            line = bytearray(rng.choice([b'{"text":"a \\u00e9 b","pair":"c"}', b'{"ids":[2,5,3],"type_ids":[0,0,0]}']))
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(line))
                kind = rng.randrange(3)
                if kind == 0:
                    line[at] = rng.randrange(256)
                elif kind == 1:
                    del line[at:at + rng.randrange(1, 4)]
                else:
                    line[at:at] = bytes(rng.choice(b'{}[]",:\\u0123456789-.eE') for _ in range(rng.randrange(1, 4)))
                line = line or bytearray(b"x")
            lines.append(bytes(line).replace(b"\n", b" "))
        code, out, _ = support.run("encode", path, "--jsonl", "--json", "--max-length", "8", stdin=b"\n".join(lines))
        self.assertIn(code, (0, 1), f"seed {seed}")
        answers = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(len(answers), len(lines), f"seed {seed}")
        for line, answer in zip(lines, answers):
            self.assertTrue("outputs" in answer or "error" in answer, (seed, line))


if __name__ == "__main__":
    support.main()
