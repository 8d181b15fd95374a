"""The LAMM results of the run: the primary one, and the secondary ones with Holm's correction."""

from lammscope.lamm_results import gather_lamm
from lammscope.runtime import job_log
from lammscope.sidecars import read_table, write_table

with job_log(snakemake.log[0]):
    contrasts, tables = snakemake.params.contrasts, map(read_table, snakemake.input.abundance)
    table = gather_lamm(
        dict(zip(contrasts, tables, strict=True)),
        primary=snakemake.params.primary,
        level=snakemake.params.level,
    )
    write_table(table, snakemake.output.table)
