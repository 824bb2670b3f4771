#!/usr/bin/env bash
# Gets the Kubernetes programs of the end-to-end tests and prints the folder that holds them.
# KUBEBUILDER_ASSETS is taken as it is where it is complete; else kube-apiserver and kubectl are
# built once from their Go modules into the cache folder, keyed by version, system and processor.
# Nothing is written inside the checkout. Messages go to standard error, the folder to standard output.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

programs=(kube-apiserver kubectl)

if [[ -n "${KUBEBUILDER_ASSETS:-}" ]]; then
  complete=yes
  for program in "${programs[@]}"; do
    [[ -x "$KUBEBUILDER_ASSETS/$program" ]] || complete=no
  done
  if [[ $complete == yes ]]; then
    echo "$KUBEBUILDER_ASSETS"
    exit 0
  fi
  echo "KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS) lacks one of: ${programs[*]}; looking in the cache instead" >&2
fi

version=$(awk '$1 == "require" && $2 == "k8s.io/kubernetes" { print $3 } $1 == "k8s.io/kubernetes" { print $2 }' go.mod | head -n 1)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/certkeep/kube-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)"

for program in "${programs[@]}"; do
  if [[ -x "$folder/$program" ]]; then continue; fi
  if [[ "${1:-}" == --if-cached ]]; then
    echo "$folder/$program is not built yet: run test/e2e/kube/build.sh (about five minutes, once)" >&2
    exit 1
  fi
  if ! command -v go >/dev/null; then
    echo "building $program needs Go 1.24 or later on PATH, or KUBEBUILDER_ASSETS naming a folder that holds it" >&2
    exit 1
  fi
  mkdir -p "$folder"
  echo "building $program $version into $folder (minutes, once) …" >&2
  stamp="-X k8s.io/component-base/version.gitVersion=$version"
  # A name of its own until it is whole: two builds at once, or a build cut short, leave nothing half done.
  partial="$folder/.$program.$$"
  trap 'rm -f "$partial"' EXIT
  nice -n 15 env CGO_ENABLED=0 go build -trimpath -ldflags="-s -w $stamp" -o "$partial" "k8s.io/kubernetes/cmd/$program"
  mv "$partial" "$folder/$program"
done
echo "$folder"
