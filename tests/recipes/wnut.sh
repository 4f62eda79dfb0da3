#!/usr/bin/env bash
# WNUT 2017, tagging, from all-MiniLM-L6-v2. Wanted: int8 within 0.5 F1 of fp32.
source "$(dirname "$0")/common.sh"
minilm
need "$data/wnut17/train.conll" "WNUT 2017 as CoNLL"
train=$(part "$data/wnut17/train.conll") dev=$(part "$data/wnut17/dev.conll") test=$(part "$data/wnut17/test.conll")
"$kinglet" finetune "$KINGLET_MINILM" --data "$train" --dev "$dev" --epochs 6 --lr 2e-4 -o "$out/wnut" "${more[@]}"
figures "$out/wnut" "$test"
