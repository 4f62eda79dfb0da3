#!/usr/bin/env bash
# SST-2: an ALBERT student, whose layers share their weights. Wanted: 92 % of the teacher, int8 within 0.5 points.
source "$(dirname "$0")/common.sh"
need "$data/sst2/train.tsv" "SST-2 of GLUE as TSV (label, text)"
teacher sst2
train=$(part "$data/sst2/train.tsv") dev=$(part "$data/sst2/dev.tsv")
"$kinglet" distill --teacher "$teacher" --teacher-precision int8 --data "$train" --dev "$dev" \
  --student "${STUDENT:-albert,layers=4,embedding=384}" --max-length 64 --batch 64 --label-loss 0.3 --dropout 0 \
  --lr 2e-4 --epochs 2 --evaluations 2 -o "$out/albert-sst2" "${more[@]}"
figures "$out/albert-sst2" "$dev"
