"""Test the abundance of neighborhoods in all contrasts, with the patient as the unit."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.neighborhood_tests import summarize_neighborhoods, test_neighborhoods
from lammscope.abundance.neighborhoods import Neighborhoods
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]) as log:
    params, output = snakemake.params, snakemake.output
    index = CellIndex(snakemake.input.index)
    labels = index.read_table(snakemake.input.cells, columns=["cell", "sample", "population"])
    populations = labels["population"].unique()
    neighborhoods = Neighborhoods(**index.read_arrays(snakemake.input.neighborhoods))
    samples = read_sample_table(snakemake.input.samples)
    contrasts = [make_contrast(**each) for each in params.contrasts]
    for contrast, path, by_type in zip(contrasts, output.tables, output.by_type, strict=True):
        log.info("contrast %s", contrast.name)
        table = test_neighborhoods(
            neighborhoods, labels, Comparison(samples, contrast), **params.settings
        )
        write_table(table, path)
        summary = summarize_neighborhoods(table, populations, **params.limits)
        write_table(summary, by_type)
