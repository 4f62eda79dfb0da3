#!/usr/bin/env bash
# AG News: a DistilBERT student of the teacher. Wanted: 97 % of the teacher.
source "$(dirname "$0")/common.sh"
need "$data/agnews/train10k.tsv" "AG News as TSV (label, text)"
teacher agnews
"$kinglet" distill --teacher "$teacher" --data "$data/agnews/train10k.tsv" --dev "$data/agnews/dev.tsv" \
  --student distilbert --augment 2 --epochs 3 -o "$out/distil-agnews" "${more[@]}"
figures "$out/distil-agnews" "$data/agnews/dev.tsv" --max-length 128
