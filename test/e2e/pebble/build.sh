#!/usr/bin/env bash
# Builds Pebble once from its Go module into the cache folder, keyed by version, system and processor,
# and prints the folder. Nothing is written inside the checkout. Messages go to standard error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=$(awk '$1 == "github.com/letsencrypt/pebble/v2" { print $2 }' go.mod)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/certkeep/pebble-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)"

if [[ ! -x "$folder/pebble" ]]; then
  if [[ "${1:-}" == --if-cached ]]; then
    echo "$folder/pebble is not built yet: run test/e2e/pebble/build.sh" >&2
    exit 1
  fi
  if ! command -v go >/dev/null; then
    echo "building pebble needs Go 1.24 or later on PATH" >&2
    exit 1
  fi
  mkdir -p "$folder"
  echo "building pebble $version into $folder …" >&2
  # A name of its own until it is whole: two builds at once, or a build cut short, leave nothing half done.
  partial="$folder/.pebble.$$"
  trap 'rm -f "$partial"' EXIT
  nice -n 15 env CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$partial" github.com/letsencrypt/pebble/v2/cmd/pebble
  mv "$partial" "$folder/pebble"
fi
echo "$folder"
