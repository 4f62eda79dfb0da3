#!/usr/bin/env bash
# AG News: a DistilBERT student of the teacher. Wanted: 97 % of the teacher.
source "$(dirname "$0")/common.sh"
need "$data/agnews/train10k.tsv" "AG News as TSV (label, text)"
teacher agnews
train=$(part "$data/agnews/train10k.tsv") dev=$(part "$data/agnews/dev.tsv")
"$kinglet" distill --teacher "$teacher" --teacher-precision int8 --data "$train" --dev "$dev" --student distilbert \
  --augment 2 --epochs 3 -o "$out/distil-agnews" "${more[@]}"
figures "$out/distil-agnews" "$dev" --max-length 128
