#!/usr/bin/env bash
# Builds the program that reads a restored certificate by Tailscale's own store (tailscale.com/ipn/store/kubestore,
# from the Go module proxy) into the cache folder, keyed by version, source, system and processor, and prints its
# path. With --if-cached it builds nothing and fails where the program isn't there. Nothing is written inside the checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=$(awk '$1 == "require" && $2 == "tailscale.com" { print $3 } $1 == "tailscale.com" { print $2 }' go.mod | head -n 1)
source=$(cat main.go go.sum | sha256sum | cut -c1-12)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/certkeep/kubestore-$version-$source-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)"
program="$folder/kubestore-read"

if [[ ! -x "$program" ]]; then
  if [[ "${1:-}" == --if-cached ]]; then
    echo "kubestore-read is not built yet: run test/e2e/tailscale/build.sh (two minutes, once; needs Go 1.26)" >&2
    exit 1
  fi
  command -v go >/dev/null || { echo "building kubestore-read needs Go 1.26 or later on PATH" >&2; exit 1; }
  mkdir -p "$folder"
  echo "building kubestore-read from tailscale.com $version (two minutes, once) …" >&2
  # A name of its own until it is whole: a build that is cut short leaves nothing half done.
  partial="$folder/.kubestore-read.$$"
  CGO_ENABLED=0 go build -trimpath -o "$partial" . >&2
  mv "$partial" "$program"
fi
echo "$program"
