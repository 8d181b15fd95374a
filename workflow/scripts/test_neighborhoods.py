"""Test the abundance of neighborhoods in one contrast, with the patient as the unit."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.neighborhood_tests import summarize_neighborhoods, test_neighborhoods
from lammscope.abundance.neighborhoods import Neighborhoods
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.index)
    labels = index.read_table(snakemake.input.cells, columns=["cell", "sample", "population"])
    samples = read_sample_table(snakemake.input.samples)
    table = test_neighborhoods(
        Neighborhoods(**index.read_arrays(snakemake.input.neighborhoods)),
        labels,
        Comparison(samples, make_contrast(**snakemake.params.contrast)),
        **snakemake.params.settings,
    )
    write_table(table, snakemake.output.table)
    populations = labels["population"].unique()
    summary = summarize_neighborhoods(table, populations, **snakemake.params.limits)
    write_table(summary, snakemake.output.by_type)
