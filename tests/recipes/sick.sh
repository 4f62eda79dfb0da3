#!/usr/bin/env bash
# SICK, three-way inference on pairs, from all-MiniLM-L6-v2. Wanted: 86.5 % on test.
source "$(dirname "$0")/common.sh"
minilm
need "$data/sick/train.tsv" "SICK as TSV (label, sentence1, sentence2)"
train=$(part "$data/sick/train.tsv") dev=$(part "$data/sick/dev.tsv") test=$(part "$data/sick/test.tsv")
"$kinglet" finetune "$KINGLET_MINILM" --data "$train" --dev "$dev" --epochs 4 --lr 1e-4 --max-length 96 \
  -o "$out/sick" "${more[@]}"
figures "$out/sick" "$test"
