#!/usr/bin/env bash
# SICK, three-way inference on pairs, from all-MiniLM-L6-v2: of two seeds the one that is better on dev. Wanted: 86.5 % on
# test.
source "$(dirname "$0")/common.sh"
minilm
need "$data/sick/train.tsv" "SICK as TSV (label, sentence1, sentence2)"
train=$(part "$data/sick/train.tsv") dev=$(part "$data/sick/dev.tsv") test=$(part "$data/sick/test.tsv")
on_dev=
for seed in 1 2; do
  "$kinglet" finetune "$KINGLET_MINILM" --data "$train" --dev "$dev" --epochs 4 --lr 1e-4 --max-length 96 --seed $seed \
    -o "$out/sick-$seed" "${more[@]}"
  "$kinglet" convert "$out/sick-$seed" -o "$out/sick-dev.kgl" --precision fp32
  on_dev+="$(accuracy "$out/sick-dev.kgl" "$dev") $seed"$'\n'
done
rm "$out/sick-dev.kgl"
echo "accuracy on dev, and the seed:" && echo -n "$on_dev"
figures "$out/sick-$(sort -g <<<"$on_dev" | tail -n 1 | cut -d ' ' -f 2)" "$test"
