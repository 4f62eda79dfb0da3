#!/usr/bin/env bash
# SST-2: a third of the encoder's operations, and one epoch that brings back what pruning has lost. Goal: 98.5 % of the
# teacher's accuracy. Exit code 1 where it is missed; with KINGLET_RECIPE_ROWS nothing is judged.
source "$(dirname "$0")/common.sh"
need "$data/sst2/train.tsv" "SST-2 of GLUE as TSV (label, text)"
teacher sst2
train=$(part "$data/sst2/train.tsv") dev=$(part "$data/sst2/dev.tsv")
"$kinglet" prune "$teacher" --target 0.35 --data "$train" --dev "$dev" -o "$out/pruned-sst2"
"$kinglet" finetune "$out/pruned-sst2" --recover --teacher "$teacher" --data "$train" --dev "$dev" --max-length 64 \
  --evaluations 4 --report "$out/recovered-sst2.html" -o "$out/recovered-sst2" "${more[@]}"
figures "$out/recovered-sst2" "$dev"
"$kinglet" convert "$teacher" -o "$out/teacher-sst2.fp32.kgl" --precision fp32
goal=98.5
[ -z "${KINGLET_RECIPE_ROWS:-}" ] || goal=0
awk -v goal=$goal -v got="$(accuracy "$out/recovered-sst2.fp32.kgl" "$dev")" \
  -v whole="$(accuracy "$out/teacher-sst2.fp32.kgl" "$dev")" 'BEGIN {
  printf "recovered: %.2f %% of the teacher (goal %s)\n", 100 * got / whole, goal
  exit 100 * got / whole < goal
}'
