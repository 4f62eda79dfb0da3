#!/usr/bin/env bash
# WNUT 2017, tagging, from all-MiniLM-L6-v2. Wanted: int8 within 0.5 F1 of fp32.
source "$(dirname "$0")/common.sh"
minilm
need "$data/wnut17/train.conll" "WNUT 2017 as CoNLL"
"$kinglet" finetune "$KINGLET_MINILM" --data "$data/wnut17/train.conll" --dev "$data/wnut17/dev.conll" --epochs 6 \
  --lr 2e-4 -o "$out/wnut" "${more[@]}"
figures "$out/wnut" "$data/wnut17/test.conll"
