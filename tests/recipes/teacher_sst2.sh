#!/usr/bin/env bash
# The SST-2 teacher: all-MiniLM-L6-v2, fine-tuned. The one in ../shared has 90.25 % on dev.
source "$(dirname "$0")/common.sh"
minilm
need "$data/sst2/train.tsv" "SST-2 of GLUE as TSV (label, text)"
train=$(part "$data/sst2/train.tsv") dev=$(part "$data/sst2/dev.tsv")
"$kinglet" finetune "$KINGLET_MINILM" --data "$train" --dev "$dev" --epochs 2 --lr 5e-5 --max-length 64 \
  --evaluations 2 -o "$out/teacher-sst2" "${more[@]}"
