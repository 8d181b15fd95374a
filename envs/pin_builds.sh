#!/bin/sh
# Write envs/NAME.PLATFORM.pin.txt, from which Snakemake makes exactly these conda packages (`--sdm conda`).
# Needs conda and its channels.
set -eu
cd "$(dirname "$0")/.."
if ! command -v conda >/dev/null; then
    echo "conda was not found. Install Miniforge, and run this again in a new shell." >&2
    exit 1
fi
platform=$(conda info --json | sed -n 's/^ *"platform": "\(.*\)",*$/\1/p')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for file in envs/*.yaml; do
    name=$(basename "$file" .yaml)
    conda env create --quiet --yes --prefix "$folder/$name" --file "$file" >/dev/null
    conda list --prefix "$folder/$name" --explicit --md5 >"envs/$name.$platform.pin.txt"
    echo "envs/$name.$platform.pin.txt"
done
