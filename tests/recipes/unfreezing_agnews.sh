#!/usr/bin/env bash
# AG News: frozen encoder, gradual unfreezing and everything, with their logs and pages. Wanted: gradual within 0.5
# points of all.
source "$(dirname "$0")/common.sh"
minilm
need "$data/agnews/train10k.tsv" "AG News as TSV (label, text)"
texts=$(part "$data/agnews/train10k.tsv") dev=$(part "$data/agnews/dev.tsv")
for train in head gradual all; do
  decay=1
  [ $train = gradual ] && decay=0.95
  rate=5e-5
  [ $train = head ] && rate=1e-3
  "$kinglet" finetune "$KINGLET_MINILM" --data "$texts" --dev "$dev" --epochs 3 --lr $rate --train $train \
    --layer-decay $decay --evaluations 2 --report "$out/agnews-$train.html" -o "$out/agnews-$train" "${more[@]}"
done
grep -H '"dev"' "$out"/agnews-{head,gradual,all}/training_log.jsonl
