#!/usr/bin/env python3
"""Prunes the vocabularies of checkpoints and compares the tokenizers before and after in transformers.

    pip install tokenizers==0.22.2 transformers==4.57.3 safetensors sentencepiece numpy
    python3 prune_against_hf.py KINGLET FOLDER… [--count N] [--seed S] [--min-count N]

KINGLET is the executable. For each folder some random texts choose the tokens that stay; then, on N others:
- a text whose tokens all stay becomes the same tokens, as strings, and each token has the row that it had;
- any other text gets no unknown token where it had none.
Exit code 1 at any difference. Prints its seed.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy  # noqa: E402
import safetensors  # noqa: E402
import transformers  # noqa: E402

from fuzz_against_hf import Texts  # noqa: E402


def embedding(folder):
    """The token embedding of a folder with one safetensors file, or None."""
    path = os.path.join(folder, "model.safetensors")
    if not os.path.exists(path):
        return None
    with safetensors.safe_open(path, "numpy") as weights:
        for name in weights.keys():
            if name.endswith(("word_embeddings.weight", "tok_embeddings.weight")):
                try:
                    return weights.get_tensor(name).astype(numpy.float32)
                except TypeError:  # BF16
                    return None
    return None


class Pruned:
    def __init__(self, kinglet, folder, texts, min_count, place):
        self.folder = folder
        self.before = transformers.AutoTokenizer.from_pretrained(folder)
        data = os.path.join(place, "texts.txt")
        with open(data, "w", encoding="utf-8", newline="\n") as file:
            for text in texts(self.before):
                file.write("".join(" " if c in "\r\n\t" else c for c in text) + "\n")
        out = os.path.join(place, "pruned")
        subprocess.run([kinglet, "prune", folder, "--vocabulary", data, "--min-count", str(min_count), "-o", out],
                       check=True)
        self.after = transformers.AutoTokenizer.from_pretrained(out)
        self.config = transformers.AutoConfig.from_pretrained(out)
        self.rows = embedding(folder), embedding(out)
        self.kept = set(self.after.get_vocab())

    def tokens(self, tokenizer, text, pair):
        ids = tokenizer(text, pair)["input_ids"]
        return ids, tokenizer.convert_ids_to_tokens(ids)

    def differences(self, text, pair):
        """What is wrong with a text, and whether all its tokens stay."""
        old_ids, old = self.tokens(self.before, text, pair)
        new_ids, new = self.tokens(self.after, text, pair)
        kept = all(token in self.kept for token in old)
        if max(new_ids, default=0) >= self.config.vocab_size:
            return f"an id of {new_ids} is not below {self.config.vocab_size}", kept
        if not kept:
            unknown = self.before.unk_token
            return ("a new unknown token" if unknown in new and unknown not in old else None), kept
        if old != new:
            return f"{old} became {new}", kept
        if self.rows[0] is not None and not numpy.array_equal(self.rows[0][old_ids], self.rows[1][new_ids]):
            return "rows differ", kept
        return None, kept


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kinglet")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--min-count", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print("seed", options.seed)
    failed = False
    for folder in options.folders:
        rng = random.Random(options.seed)

        def texts_of(tokenizer, count):
            pieces = [tokenizer.convert_tokens_to_string([t]) if "##" not in t else t for t in tokenizer.get_vocab()]
            maker = Texts(rng, sorted(pieces), sorted(tokenizer.get_added_vocab()))
            return [maker.text().encode(errors="replace").decode() for _ in range(count)]

        with tempfile.TemporaryDirectory() as place:
            pruned = Pruned(options.kinglet, folder, lambda t: texts_of(t, 60), options.min_count, place)
            same = 0
            texts = texts_of(pruned.before, options.count)
            for text, pair in zip(texts, [None, None, None] + texts):
                if rng.random() < 0.5:
                    pair = None
                if rng.random() < 0.5:  # few words: often all of their tokens stay
                    text, pair = " ".join(text.split()[:2]), None
                wrong, kept = pruned.differences(text, pair)
                same += kept
                if wrong is not None:
                    failed = True
                    print(f"{folder}: {text!r} and {pair!r}: {wrong}")
                    break
            print(f"{os.path.basename(folder)}: {len(pruned.kept)} of {len(pruned.before.get_vocab())} tokens; "
                  f"{same} of {len(texts)} texts with kept tokens only")
    sys.exit(failed)


if __name__ == "__main__":
    main()
