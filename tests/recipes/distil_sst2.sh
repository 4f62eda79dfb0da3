#!/usr/bin/env bash
# SST-2: a BERT student of three layers from the teacher, on its logits and those of changed copies.
source "$(dirname "$0")/common.sh"
need "$data/sst2/train.tsv" "SST-2 of GLUE as TSV (label, text)"
teacher sst2
"$kinglet" distill --teacher "$teacher" --data "$data/sst2/train.tsv" --dev "$data/sst2/dev.tsv" \
  --student "${STUDENT:-layers=3}" --max-length 64 --epochs 3 --evaluations 2 -o "$out/distil-sst2" "${more[@]}"
figures "$out/distil-sst2" "$data/sst2/dev.tsv"
