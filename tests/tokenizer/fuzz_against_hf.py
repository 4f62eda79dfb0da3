#!/usr/bin/env python3
"""Compares our tokenizer with Hugging Face's on random texts: ids, type ids and byte offsets must be equal.

    pip install tokenizers==0.22.2 transformers==4.57.3
    python3 fuzz_against_hf.py DRIVER FOLDER… [--count N] [--seed S] [--made N]

DRIVER is the executable tokenize_driver. FOLDER are checkpoints with a WordPiece tokenizer. --made N adds N folders
that are made here: every mixture of normaliser settings, added tokens with random options, overriding
tokenizer_config.json files, vocab.txt files with odd lines. Exit code 1 at any difference. Prints its seed.
"""

import argparse
import itertools
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy  # noqa: E402
import tokenizers  # noqa: E402
import transformers  # noqa: E402

ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
MARKS = [c for c in ALL if unicodedata.combining(chr(c))]
KEPT_MARKS = [0x302E, 0x302F, 0x1B44, 0x1BAA, 0xA953, 0x111C0, 0x16FF0, 0x1D165, 0x1D166, 0x1D16D, 0x1D172, 0x1DFB,
              0x8D4, 0x8E1, 0x1E000, 0x1E944, 0x11C3F]
DECOMPOSED = [c for c in ALL if unicodedata.decomposition(chr(c)) and "<" not in unicodedata.decomposition(chr(c))]
MULTI_MARKS = [0x344, 0xF73, 0xF75, 0xF81, 0x1D15E, 0x1D15F, 0x1D160, 0x1D164, 0x1D1BB, 0x340, 0x343, 0x374]
SPACES = [9, 10, 11, 12, 13, 0x1C, 0x1F, 32, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x200B, 0x2028, 0x2029, 0x202F, 0x205F,
          0x3000, 0xFEFF]
CONTROLS = [0, 1, 7, 8, 0x7F, 0x80, 0x9F, 0xAD, 0x200D, 0x200E, 0xFFFD, 0xFFFE, 0xFFFF, 0xE000, 0x378, 0xE0001, 0x10FFFF]
CASES = [c for c in ALL if chr(c).lower() != chr(c)] + [0x130, 0x3A3, 0x3C2, 0x1E9E, 0xDF, 0xFB01, 0x149]
HAN = [0x4E00, 0x9FFF, 0xA000, 0x3400, 0x4DBF, 0x20000, 0x2A6DF, 0x2A700, 0x2B81F, 0x2B820, 0x2CEB0, 0xF900, 0xFAFF,
       0x2F800, 0x2FA1F, 0x3007]
PUNCTUATION = [c for c in ALL if unicodedata.category(chr(c)).startswith("P")] + [ord(c) for c in "$+<=>^`|~"]
FRAGMENTS = ["[MASK]", "[MASK", "MASK]", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[", "]", "[[MASK]]", "[mask]", "[Mask]",
             "##", "##s", "#", "[CLS][SEP]", " [MASK] ", "<mask>", " <mask>", "<s>", "</s>", "<pad>", "s>", "<"]


class Texts:
    def __init__(self, rng, vocabulary, added):
        self.rng = rng
        self.vocabulary = vocabulary
        self.fragments = FRAGMENTS + added * 3 + [a.upper() for a in added] + [a[: len(a) // 2] for a in added]
        self.pool = []
        self.makers = [self.any, self.hard, self.marks, self.hangul, self.special, self.pieces, self.long, self.ascii,
                       self.words, self.special]

    def choice_of(self, *pools):
        return chr(self.rng.choice(self.rng.choice(pools)))

    def any(self):
        return "".join(chr(self.rng.choice(ALL)) for _ in range(self.rng.randrange(20)))

    def hard_char(self):
        return self.choice_of(MARKS, KEPT_MARKS, DECOMPOSED, MULTI_MARKS, SPACES, CONTROLS, CASES, HAN, PUNCTUATION,
                              range(0x20, 0x7F), range(0x20, 0x7F), range(0xC0, 0x250), range(0xAC00, 0xD7A4),
                              range(0x1100, 0x1200))

    def hard(self):
        return "".join(self.hard_char() for _ in range(self.rng.randrange(30)))

    def marks(self):
        out = []
        for _ in range(self.rng.randrange(1, 5)):
            out.append(self.choice_of(range(0x61, 0x7B), DECOMPOSED, MULTI_MARKS, SPACES, HAN, [0x130]))
            out += [self.choice_of(MARKS, MARKS, KEPT_MARKS, MULTI_MARKS, [0x300, 0x316, 0x34F], CONTROLS[:3])
                    for _ in range(self.rng.randrange(8))]
        return "".join(out)

    def hangul(self):
        return "".join(self.choice_of(range(0xAC00, 0xD7A4), range(0xAC00, 0xD7A4), range(0x1100, 0x1200),
                                      range(0x3130, 0x3190), [32], [32, 0x2E, 0x302E])
                       for _ in range(self.rng.randrange(24)))

    def special(self):
        parts = []
        for _ in range(self.rng.randrange(1, 7)):
            kind = self.rng.randrange(4)
            parts.append(self.rng.choice(self.fragments) if kind < 2
                         else self.choice_of(SPACES, [32], range(0x61, 0x67)) if kind == 2 else self.hard_char())
        return "".join(parts)

    def pieces(self):
        parts = []
        for _ in range(self.rng.randrange(1, 10)):
            token = self.rng.choice(self.vocabulary)
            parts.append(token[2:] if token.startswith("##") and self.rng.random() < 0.9 else token)
            if self.rng.random() < 0.4:
                parts.append(" ")
            if self.rng.random() < 0.05:
                parts.append(self.hard_char())
        return "".join(parts)

    def long(self):
        n = self.rng.choice([98, 99, 100, 101, 102, 300])
        kind = self.rng.randrange(4)
        if kind == 0:
            return "a" * n + self.rng.choice(["", " b", "\u0301", "\u200d", "."])
        if kind == 1:
            return "".join(self.rng.choice("abcdeé") for _ in range(n))
        if kind == 2:
            return "가" * (n // 3 + self.rng.randrange(2))
        return "x" + "\u0301" * n + "yz" * self.rng.randrange(60)

    def ascii(self):
        return "".join(chr(self.rng.choice(range(128) if self.rng.random() < 0.2 else range(32, 127)))
                       for _ in range(self.rng.randrange(60)))

    def words(self):
        out = []
        for _ in range(self.rng.randrange(1, 12)):
            word = "".join(self.rng.choice("etaoinshrdlu") for _ in range(self.rng.randrange(1, 9)))
            if self.rng.random() < 0.3:
                word = word.capitalize()
            if self.rng.random() < 0.05:
                word += self.hard_char()
            out.append(word)
        return self.rng.choice([" ", " ", "-", ", "]).join(out)

    def one(self):
        text = self.rng.choice(self.makers)()
        while self.rng.random() < 0.15:
            text += self.rng.choice(["", " "]) + self.rng.choice(self.makers)()
        return text

    def text(self):
        """A part of one made text and all or none of another: making each anew would be most of the time."""
        rng = self.rng
        if len(self.pool) < POOL:
            self.pool.append(self.one())
            return self.pool[-1]
        first, second = self.pool[int(rng.random() * POOL)], self.pool[int(rng.random() * POOL)]
        return first[int(rng.random() * 2 * len(first)):] + second[:int(rng.random() * 2 * len(second))]

    def raw(self):
        """Bytes, some of them not UTF-8."""
        data = self.text().encode()
        if self.rng.random() < 0.05:
            data = bytearray(data)
            for _ in range(self.rng.randrange(1, 4)):
                at = self.rng.randrange(len(data) + 1)
                kind = self.rng.randrange(3)
                if kind == 0:
                    data[at:at] = bytes([self.rng.choice([0x80, 0xBF, 0xC0, 0xC2, 0xE0, 0xE2, 0xED, 0xEF, 0xF0, 0xF4, 0xF5,
                                                          0xFF, self.rng.randrange(256)])])
                elif kind == 1 and at < len(data):
                    del data[at]
                elif at < len(data):
                    data[at] = self.rng.randrange(256)
            data = bytes(data)
        return data


def decode(data):
    """The text with U+FFFD for bad sequences, and where in `data` every character begins (and the end)."""
    text, starts, at = [], [], 0
    while True:
        try:
            part = data[at:].decode()
            error = None
        except UnicodeDecodeError as e:
            part, error = data[at : at + e.start].decode(), e
        for c in part:
            text.append(c)
            starts.append(at)
            at += len(c.encode())
        if error is None:
            break
        text.append("\ufffd")
        starts.append(at)
        at += error.end - error.start
    text = "".join(text)
    assert text == data.decode(errors="replace")
    return text, starts + [len(data)]


class Ours:
    def __init__(self, driver, folder):
        self.process = subprocess.Popen([driver, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, cases):
        """The replies to all cases, one after the other, as numbers."""
        parts = []
        for text, pair, max_length, prefix in cases:
            second = pair if pair is not None else b""
            parts += [struct.pack("<5I", pair is not None, max_length, len(prefix), len(text), len(second)), prefix, text,
                      second]
        parts.append(struct.pack("<5I", FLUSH, 0, 0, 0, 0))
        self.process.stdin.write(b"".join(parts))
        self.process.stdin.flush()
        (size,) = struct.unpack("<I", self.process.stdout.read(4))
        return self.process.stdout.read(4 * size)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


NO_OFFSET = 0xFFFFFFFF


FLUSH = 2
POOL = 20000


def byte_begins(lengths):
    """Where the characters of texts begin, from their lengths in bytes; each text has one entry more, its end."""
    begins = numpy.zeros(len(lengths) + 1, numpy.int64)
    numpy.cumsum(lengths, out=begins[1:])
    return begins


def lengths_of(text):
    codes = numpy.frombuffer(text.encode("utf-32-le"), numpy.uint32)
    return 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)


def flat(lists, kind, count):
    return numpy.fromiter(itertools.chain.from_iterable(lists), kind, count)


def expected(encodings, cases, lengths):
    """What the driver has to reply. `lengths`: of every character, in bytes, of each text and of each pair behind its
    text."""
    counts = numpy.fromiter((len(e) for e in encodings), numpy.int64, len(encodings))
    total = int(counts.sum())
    rows = numpy.empty((total, 4), numpy.uint32)
    rows[:, 0] = flat((e.ids for e in encodings), numpy.uint32, total)
    rows[:, 1] = flat((e.type_ids for e in encodings), numpy.uint32, total)
    offsets = flat(itertools.chain.from_iterable(e.offsets for e in encodings), numpy.int64, 2 * total).reshape(total, 2)
    added = flat((e.special_tokens_mask for e in encodings), bool, total)
    # Characters of all texts in a row: where each text begins there.
    chars = numpy.array([len(l) for l in lengths], numpy.int64)
    first_char = byte_begins(chars)
    begins = byte_begins(numpy.concatenate(lengths) if lengths else [])
    seconds = numpy.array([case[1] is not None for case in cases])
    text_of = numpy.repeat(byte_begins(1 + seconds)[:-1], counts)
    if seconds.any():
        text_of += flat(([s == 1 for s in e.sequence_ids] if pair else [False] * len(e)
                         for e, pair in zip(encodings, seconds)), bool, total)
    base = first_char[text_of][:, None]
    skip = numpy.repeat(numpy.array([len(case[3]) for case in cases], numpy.int64), counts)
    if seconds.any():
        skip[text_of != numpy.repeat(byte_begins(1 + seconds)[:-1], counts)] = 0
    places = numpy.maximum(begins[base + offsets] - begins[base] - skip[:, None], 0)
    places[added] = NO_OFFSET
    rows[:, 2:] = places
    # A header before each.
    result = numpy.zeros(3 * len(encodings) + 4 * total, numpy.uint32)
    heads = 3 * numpy.arange(len(encodings)) + 4 * byte_begins(counts)[:-1]
    result[heads + 1] = [bool(case[2]) and bool(e.overflowing) for e, case in zip(encodings, cases)]
    result[heads + 2] = counts
    body = numpy.ones(len(result), bool)
    body[heads] = body[heads + 1] = body[heads + 2] = False
    result[body] = rows.reshape(-1)
    return result


def replies(numbers, count):
    """Each reply by itself."""
    at = 0
    for _ in range(count):
        end = at + 3 + 4 * int(numbers[at + 2])
        yield numbers[at:end].tolist()
        at = end


def compare(driver, folder, count, rng, label):
    loaded = transformers.AutoTokenizer.from_pretrained(folder)
    backend = loaded.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    vocabulary = list(backend.get_vocab())
    added = [t.content for t in backend.get_added_tokens_decoder().values()]
    texts = Texts(rng, vocabulary, added)
    ours = Ours(driver, folder)
    done = tokens = differences = 0
    begin = time.time()
    # With less than the special tokens, `tokenizers` counts below zero, and we refuse.
    least = backend.num_special_tokens_to_add(True)
    lengths_to_try = [0, 0, 0, 0, 0, 0, 0] + [n for n in (3, 4, 5, 8, 13, 16) if n >= least]
    while done < count:
        # Truncation is a property of the backend, so a batch has one length.
        max_length = rng.choice(lengths_to_try)
        if max_length:
            backend.enable_truncation(max_length)
        else:
            backend.no_truncation()
        with_pairs = rng.random() < 0.15
        cases, inputs, lengths = [], [], []
        for _ in range(min(1000, count - done)):
            text = texts.raw()
            prefix = texts.text().encode() if with_pairs and rng.random() < 0.2 else b""
            pair = texts.raw() if with_pairs and rng.random() < 0.7 else None
            given = []
            for data in (prefix + text, pair):
                if data is None:
                    continue
                try:
                    given.append(data.decode())
                    lengths.append(lengths_of(given[-1]))
                except UnicodeDecodeError:
                    one, starts = decode(data)
                    given.append(one)
                    lengths.append(numpy.diff(starts).astype(numpy.int64))
            inputs.append(given[0] if pair is None else tuple(given))
            cases.append((text, pair, max_length, prefix))
        try:
            encodings = backend.encode_batch(inputs)
        except BaseException:  # a panic of the Rust code: find the texts that it cannot take, and leave them out
            kept, at = [], 0
            encodings, kept_lengths = [], []
            for case, given in zip(cases, inputs):
                parts = 1 if case[1] is None else 2
                try:
                    encodings.append(backend.encode_batch([given])[0])
                    kept.append(case)
                    kept_lengths += lengths[at : at + parts]
                except BaseException:
                    pass
                at += parts
            cases, lengths = kept, kept_lengths
        want = expected(encodings, cases, lengths)
        got = ours.run(cases)
        done += len(cases)
        tokens += sum(len(e) for e in encodings)
        if got != want.tobytes():
            both = zip(cases, replies(numpy.frombuffer(got, numpy.uint32), len(cases)), replies(want, len(cases)))
            for case, mine, theirs in both:
                if mine != theirs:
                    differences += 1
                    if differences <= 5:
                        print(f"DIFFERENT {folder}: text {case[0]!r} pair {case[1]!r} max_length {max_length} "
                              f"prefix {case[3]!r}\n  chars {[hex(ord(c)) for c in case[0].decode(errors='replace')]}\n"
                              f"  status, truncated, count: ours {mine[:3]} want {theirs[:3]}\n"
                              f"  ours {[tuple(mine[i:i+4]) for i in range(3, len(mine), 4)]}\n"
                              f"  want {[tuple(theirs[i:i+4]) for i in range(3, len(theirs), 4)]}", flush=True)
        if label and done % 100000 == 0 and done < count:
            print(f"  {done} texts, {differences} differences, {time.time() - begin:.0f} s", flush=True)
    code = ours.close()
    if differences or code or label:
        print(f"{label or folder}: {done} texts, {tokens} tokens, {differences} differences, driver's exit code {code}",
              flush=True)
    return differences + (code != 0)


def make_folder(root, index, rng):
    """A tokenizer folder with odd settings. Returns its path and a description."""
    folder = os.path.join(root, f"made-{index}")
    os.makedirs(folder)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary += list(letters) + ["##" + c for c in letters] + [c.upper() for c in letters]
    vocabulary += [".", "!", "[", "]", "#", "$", "中", "国", "é", "##é", "e", "\u0301", "##\u0301", "ᄀ", "##ᅡ", "##ᆨ", "가",
                   "##나", "i̇", "ß", "σ", "ς", "\u302e", "##\u302e", "\U0001d165", "##\U0001d165", "\U0001d157", "ing", "##ing",
                   "the", "##the", "abc", "##abcd", "ab", "##ab", "한", "##국", "\u1e000", "##1", "1", "MASK", "mask"]
    vocabulary += ["".join(rng.choice("abceé가나") for _ in range(rng.randrange(2, 5))) for _ in range(200)]
    vocabulary += ["##" + "".join(rng.choice("abceé가나") for _ in range(rng.randrange(1, 4))) for _ in range(200)]
    vocabulary = list(dict.fromkeys(vocabulary))
    config = {}
    options = lambda: {k: rng.random() < 0.5 for k in ("lstrip", "rstrip", "single_word")}  # noqa: E731
    contents = ["new", "NEW", "[new]", "abc", "aé", "É", "가나", "中", " sp ", "x y", "<e>", "\u0301e", "the", "##ing", "!!", "a",
                "İ", "[MASK]x", "new1"]
    if rng.random() < 0.5:
        config["do_lower_case"] = rng.random() < 0.5
    if rng.random() < 0.5:
        config["strip_accents"] = rng.choice([None, True, False])
    if rng.random() < 0.5:
        config["tokenize_chinese_chars"] = rng.random() < 0.5
    config["tokenizer_class"] = rng.choice(["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "ElectraTokenizer",
                                            "PreTrainedTokenizerFast"])
    if rng.random() < 0.3:
        config["mask_token"] = rng.choice(["[MASK]", "<mask>", {"__type": "AddedToken", "content": "[MASK]", **options(),
                                                               "normalized": rng.random() < 0.5}])
    if rng.random() < 0.3:
        config["additional_special_tokens"] = rng.sample(contents, 2)
    if rng.random() < 0.2:
        config["extra_special_tokens"] = {"image_token": "<image>"}
    plain = rng.random() < 0.35
    if plain:
        config["tokenizer_class"] = rng.choice(["BertTokenizer", "DistilBertTokenizer"])
        if rng.random() < 0.2:
            config["do_basic_tokenize"] = False
        lines = vocabulary + rng.sample(vocabulary, 3) + ["", "later"] if rng.random() < 0.5 else vocabulary
        end = rng.choice(["\n", "\r\n"])
        with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8", newline="") as f:
            f.write(end.join(lines) + rng.choice(["", end]))
        if rng.random() < 0.4:
            with open(os.path.join(folder, "added_tokens.json"), "w") as f:
                json.dump({c: len(lines) + i for i, c in enumerate(rng.sample(contents, 3))}, f)
        if rng.random() < 0.4:
            with open(os.path.join(folder, "special_tokens_map.json"), "w") as f:
                json.dump({"mask_token": {"content": "[MASK]", **options(), "normalized": rng.random() < 0.5},
                           "cls_token": "[CLS]", "additional_special_tokens": rng.sample(contents, 2)}, f)
    else:
        tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(
            {t: i for i, t in enumerate(vocabulary)}, unk_token="[UNK]",
            max_input_chars_per_word=rng.choice([100, 100, 5, 1])))
        tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(
            clean_text=rng.random() < 0.6, handle_chinese_chars=rng.random() < 0.6,
            strip_accents=rng.choice([None, True, True, False]), lowercase=rng.random() < 0.6)
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        kind = rng.randrange(3)
        if kind == 0:
            tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        elif kind == 1:
            tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
                single="[CLS]:0 $A:0 [SEP]:0", pair=rng.choice(["[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", "$B:2 [SEP]:1 $A:0"]),
                special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
        names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        if rng.random() < 0.8:
            tokenizer.add_special_tokens(names)
        for content in rng.sample(contents, rng.randrange(6)):
            token = tokenizers.AddedToken(content, **options(), normalized=rng.random() < 0.5, special=rng.random() < 0.3)
            tokenizer.add_tokens([token])
        tokenizer.save(os.path.join(folder, "tokenizer.json"))
        if rng.random() < 0.4:
            with open(os.path.join(folder, "special_tokens_map.json"), "w") as f:
                json.dump({"mask_token": {"content": "[MASK]", **options(), "normalized": rng.random() < 0.5},
                           "additional_special_tokens": rng.sample(contents, 2)}, f)
        if rng.random() < 0.3:
            # As transformers saves it, so that added_tokens_decoder is there, with a token changed afterwards.
            with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
                json.dump(config, f)
            loaded = transformers.AutoTokenizer.from_pretrained(folder)
            if rng.random() < 0.5:
                loaded.add_tokens([tokenizers.AddedToken(rng.choice(contents), **options())])
            loaded.save_pretrained(folder)
            if rng.random() < 0.5:
                with open(os.path.join(folder, "tokenizer_config.json")) as f:
                    config = json.load(f)
                for token in config.get("added_tokens_decoder", {}).values():
                    if rng.random() < 0.3:
                        token.update(options())
            else:
                config = None
    if config is not None:
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
            json.dump(config, f)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--count", type=int, default=10000, help="texts per folder")
    parser.add_argument("--made", type=int, default=0, help="folders to make")
    parser.add_argument("--made-count", type=int, default=300, help="texts per made folder")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    assert tokenizers.__version__ == "0.22.2" and transformers.__version__ == "4.57.3", "see --help"
    print(f"seed {arguments.seed}", flush=True)
    bad = 0
    for folder in arguments.folders:
        bad += compare(arguments.driver, folder, arguments.count, random.Random(arguments.seed), folder)
    skipped = 0
    for index in range(arguments.made):
        rng = random.Random(arguments.seed * 1000003 + index)
        with tempfile.TemporaryDirectory() as root:
            try:
                folder = make_folder(root, index, rng)
                transformers.AutoTokenizer.from_pretrained(folder)
            except Exception as e:  # a mixture that Hugging Face itself refuses
                skipped += 1
                continue
            try:
                different = compare(arguments.driver, folder, arguments.made_count, rng, "")
            except (BrokenPipeError, struct.error):
                print(f"made {index}: our converter refused it", flush=True)
                different = 1
            if different:
                print(f"made {index}: files {sorted(os.listdir(folder))}", flush=True)
                for name in sorted(os.listdir(folder)):
                    if name != "vocab.txt":
                        content = json.load(open(os.path.join(folder, name)))
                        if name == "tokenizer.json":
                            content["model"].pop("vocab")
                        print(f"  {name}: {json.dumps(content)[:1500]}", flush=True)
            bad += different
    if arguments.made:
        print(f"{arguments.made} made folders, {skipped} of them refused by Hugging Face", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
