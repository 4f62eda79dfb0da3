#!/usr/bin/env bash
# XQuAD in English, questions, from all-MiniLM-L6-v2: four fifths of the paragraphs to learn from, one to be judged on.
source "$(dirname "$0")/common.sh"
minilm
need "$data/xquad/xquad.en.json" "XQuAD as SQuAD JSON"
python3 - "$data/xquad/xquad.en.json" "$out" "${KINGLET_RECIPE_ROWS:-}" <<'PYTHON'
import json
import sys

paragraphs = [p for article in json.load(open(sys.argv[1], encoding="utf-8"))["data"] for p in article["paragraphs"]]
paragraphs = paragraphs[: int(sys.argv[3] or len(paragraphs))]
for name, part in (("train", [p for i, p in enumerate(paragraphs) if i % 5]), ("test", paragraphs[::5])):
    with open(f"{sys.argv[2]}/xquad-{name}.json", "w", encoding="utf-8") as file:
        json.dump({"data": [{"paragraphs": part}]}, file)
PYTHON
"$kinglet" finetune "$KINGLET_MINILM" --data "$out/xquad-train.json" --epochs 10 --lr 2e-4 --batch 16 \
  --max-length 256 -o "$out/xquad" "${more[@]}"
figures "$out/xquad" "$out/xquad-test.json"
