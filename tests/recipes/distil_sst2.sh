#!/usr/bin/env bash
# SST-2: a BERT student of three layers, with the tokens that the training texts have at least 12 times; first at a high
# rate, then at a low one. Wanted: at most 9.1 MB and at least 87.5 % on dev as int8, 5 times faster than the teacher in
# fp32.
source "$(dirname "$0")/common.sh"
need "$data/sst2/train.tsv" "SST-2 of GLUE as TSV (label, text)"
teacher sst2
train=$(part "$data/sst2/train.tsv") dev=$(part "$data/sst2/dev.tsv")
small=$out/sst2-tokens-12
learn=(--teacher "$small" --teacher-precision int8 --data "$train" --dev "$dev" --max-length 64 --batch 64
  --label-loss 0.3 --dropout 0 --threads 1)
"$kinglet" prune "$teacher" --vocabulary "$train" --min-count 12 -o "$small"
"$kinglet" distill "${learn[@]}" --student "${STUDENT:-layers=3}" --lr 2e-4 --epochs 1.2 -o "$out/distil-sst2-first" \
  "${more[@]}"
"$kinglet" finetune "$out/distil-sst2-first" --recover "${learn[@]}" --lr 5e-5 --epochs 0.4 --seed 2 \
  -o "$out/distil-sst2" "${more[@]}"
figures "$out/distil-sst2" "$dev"
"$kinglet" convert "$out/distil-sst2" -o "$out/distil-sst2.int8.kgl" --calibration "$train"
"$kinglet" eval "$out/distil-sst2.int8.kgl" "$dev" --threads "$(nproc)"
compare_speed "$out/distil-sst2.int8.kgl" "$teacher"
