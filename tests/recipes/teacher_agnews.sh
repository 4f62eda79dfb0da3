#!/usr/bin/env bash
# The AG News teacher: all-MiniLM-L6-v2, fine-tuned on 10,001 texts. The one in ../shared has 90.32 % on dev.
source "$(dirname "$0")/common.sh"
minilm
need "$data/agnews/train10k.tsv" "AG News as TSV (label, text)"
train=$(part "$data/agnews/train10k.tsv") dev=$(part "$data/agnews/dev.tsv")
"$kinglet" finetune "$KINGLET_MINILM" --data "$train" --dev "$dev" --epochs 3 --lr 5e-5 -o "$out/teacher-agnews" \
  "${more[@]}"
