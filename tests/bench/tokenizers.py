#!/usr/bin/env python3
"""Tokenizers side by side with Hugging Face's, on one thread: processor time for the same lines of text, taking turns.

    pip install tokenizers==0.22.2 transformers==4.57.3
    python3 tokenizers.py DRIVER TEXTS FOLDER… [--rounds N]

DRIVER is tests/tokenizer/tokenize_driver of a release build, TEXTS a file with a text a line, FOLDER checkpoints with a
tokenizer. Both give ids, type ids and offsets; the numbers of tokens must be equal. The least time of each counts.
"""

import argparse
import os
import re
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

# This file has the name of the package.
sys.path = [path for path in sys.path if os.path.abspath(path or ".") != os.path.dirname(os.path.abspath(__file__))]

import transformers  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("texts")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with open(arguments.texts, encoding="utf-8", newline="\n") as file:
        lines = file.read().removesuffix("\n").split("\n")
    size = sum(len(line.encode()) for line in lines)
    print(f"{len(lines)} lines, {size} bytes\n| tokenizer | tokens | kinglet MB/s | Hugging Face MB/s | ratio |\n|---|---|---|---|---|")
    worst = float("inf")
    for folder in arguments.folders:
        backend = transformers.AutoTokenizer.from_pretrained(folder).backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        ours = theirs = float("inf")
        for _ in range(arguments.rounds):
            reply = subprocess.run([arguments.driver, folder, "--bench", arguments.texts], check=True, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            found = re.search(r"(\d+) tokens: ([\d.]+) s", reply)
            ours = min(ours, float(found[2]))
            begin = time.process_time()
            encodings = backend.encode_batch(lines)
            theirs = min(theirs, time.process_time() - begin)
            tokens = sum(len(encoding) for encoding in encodings)
            del encodings
            if tokens != int(found[1]):
                sys.exit(f"{folder}: {found[1]} tokens, but Hugging Face has {tokens}")
        worst = min(worst, theirs / ours)
        print(f"| {os.path.basename(os.path.normpath(folder))} | {tokens} | {size / ours / 1e6:.1f} | "
              f"{size / theirs / 1e6:.2f} | {theirs / ours:.1f} |", flush=True)
    print(f"the least ratio is {worst:.1f}")


if __name__ == "__main__":
    main()
