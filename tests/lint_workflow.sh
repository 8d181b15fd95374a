#!/bin/sh
# Snakemake's own linter, on a throw-away cohort so that sheets and matrices exist.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python -m lammscope.simulate "$folder" --patients 1 --cells 20 >/dev/null
snakemake --lint --configfile "$folder/config.yaml"
