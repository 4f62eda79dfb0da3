#!/usr/bin/env bash
# SST-2: an ALBERT student, whose layers share their weights. Wanted: 92 % of the teacher, int8 within 0.5 points.
source "$(dirname "$0")/common.sh"
need "$data/sst2/train.tsv" "SST-2 of GLUE as TSV (label, text)"
teacher sst2
"$kinglet" distill --teacher "$teacher" --data "$data/sst2/train.tsv" --dev "$data/sst2/dev.tsv" \
  --student "${STUDENT:-albert,layers=4}" --max-length 64 --epochs 3 --evaluations 2 -o "$out/albert-sst2" "${more[@]}"
figures "$out/albert-sst2" "$data/sst2/dev.tsv"
