"""Rank marker genes of the clusters by effect size over samples."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.markers import find_markers
from lammscope.annotate.sums import all_genes, read_sums
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.cells)
    markers = find_markers(
        (of_sample for _, of_sample in read_sums(snakemake.input.sums, index)),
        genes=all_genes(snakemake.input.sums),
        n_top=snakemake.params.n_top,
        min_pct=snakemake.params.min_pct,
    )
    write_table(markers, snakemake.output.markers)
