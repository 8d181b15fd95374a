#!/bin/sh
# Time the demo cohort from nothing to the report, and show the largest memory of any job.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cores=${CORES:-2}
start=$(date +%s)
python -m lammscope.simulate "$folder/demo" --threads "$cores" >/dev/null
simulated=$(date +%s)
snakemake --snakefile Snakefile --directory "$folder" --configfile "$folder/demo/config.yaml" \
    --workflow-profile profiles/default --cores "$cores" >"$folder/log" 2>&1 || { tail -40 "$folder/log"; exit 1; }
end=$(date +%s)
echo "simulation $((simulated - start)) s, workflow $((end - simulated)) s on $cores cores"
find "$folder/results/benchmarks" -name '*.tsv' -exec awk -F'\t' 'FNR == 2 && $3 != "-" {print $3 " MiB " FILENAME}' {} + |
    sed "s#$folder/results/benchmarks/##" | sort -rn | head -5
