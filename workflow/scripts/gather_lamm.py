"""Gather the LAMM results: the primary one, and the secondary ones with Holm's correction."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.lamm_results import gather_lamm
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    contrasts, tables = snakemake.params.contrasts, map(read_table, snakemake.input.abundance)
    table = gather_lamm(
        dict(zip(contrasts, tables, strict=True)),
        primary=snakemake.params.primary,
        level=snakemake.params.level,
    )
    write_table(table, snakemake.output.table)
