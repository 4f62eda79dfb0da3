#!/usr/bin/env bash
# SST-2 in 9 MB with at most 3 % of the accuracy lost, by one command.
source "$(dirname "$0")/common.sh"
need "$data/sst2/train.tsv" "SST-2 of GLUE as TSV (label, text)"
teacher sst2
train=$(part "$data/sst2/train.tsv") dev=$(part "$data/sst2/dev.tsv")
"$kinglet" compress "$teacher" --data "$train" --dev "$dev" --budget "${BUDGET:-9MB}" \
  --max-loss "${LOSS:-3%}" -o "$out/compressed-sst2.kgl" --report "$out/compressed-sst2.html"
"$kinglet" eval "$out/compressed-sst2.kgl" "$dev" --threads "$(nproc)"
