"""Gather the pseudobulks of all samples and populations, and the ambient RNA in them."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate.ambient import read_ambient
from lammscope.annotate.sums import all_genes, read_sums
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.runtime import job_log
from lammscope.expression.ambient import ambient_shares
from lammscope.expression.pseudobulk import build_pseudobulk, write_pseudobulk

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.cells)
    pseudobulk = build_pseudobulk(
        read_sums(snakemake.input.sums, index),
        genes=all_genes(snakemake.input.sums),
        ambient=read_ambient(snakemake.input.ambient, index),
    )
    write_pseudobulk(pseudobulk, snakemake.output.pseudobulk)
    write_table(ambient_shares(pseudobulk), snakemake.output.ambient)
