"""Search by meaning from Python: from a checkpoint to answers.

    python platforms/python/example/search.py CHECKPOINT [TEXTS.tsv QUESTIONS.tsv]

CHECKPOINT: a folder of a sentence-embedding model, such as all-MiniLM-L6-v2 (./demo prints where it keeps it). The
files have columns `topic` and `text`; default: those of ./demo."""

import csv
import pathlib
import sys
import tempfile

import kinglet

DEMO = pathlib.Path(__file__).resolve().parents[3] / "tests/demo"


def column(path, name):
    with open(path, encoding="utf-8", newline="") as file:
        return [row[name] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def main(checkpoint, texts=DEMO / "texts.tsv", questions=DEMO / "questions.tsv"):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.kgl"
        kinglet.convert(checkpoint, path)
        with kinglet.Model(path) as model:
            passages, asked = column(texts, "text"), column(questions, "text")
            scores = model.encode(asked) @ model.encode(passages).T  # embeddings have the length 1
    for question, row in zip(asked, scores):
        print(question)
        for index in row.argsort()[::-1][:3]:
            print(f"  {row[index]:.2f}  {passages[index]}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
