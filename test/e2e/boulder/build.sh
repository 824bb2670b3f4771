#!/usr/bin/env bash
# Builds the comparison with Let's Encrypt's own rate-limit code once, into the cache folder, keyed by its
# module's version and this program's own text, and prints the program's path. Messages go to standard error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=$(awk '$1 == "github.com/letsencrypt/boulder" { print $2 } $2 == "github.com/letsencrypt/boulder" { print $3 }' go.mod)
text=$(cat main.go go.sum | sha256sum | cut -c1-12)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/certkeep/boulder-$version-$text-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)"
program="$folder/limits"

if [[ ! -x "$program" ]]; then
  if [[ "${1:-}" == --if-cached ]]; then
    echo "$program is not built yet: run test/e2e/boulder/build.sh" >&2
    exit 1
  fi
  if ! command -v go >/dev/null; then
    echo "building the comparison needs Go 1.26 or later on PATH" >&2
    exit 1
  fi
  mkdir -p "$folder"
  echo "building the comparison with boulder $version …" >&2
  partial="$folder/.limits.$$"
  trap 'rm -f "$partial"' EXIT
  nice -n 15 env CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$partial" .
  mv "$partial" "$program"
fi
echo "$program"
