"""Find populations with differences among all contrasts, and the genes that pass within them."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.expression.hierarchy import gather_expression

snakemake: Snakemake
with job_log(snakemake.log[0]):
    contrasts, tables = snakemake.params.contrasts, map(read_table, snakemake.input.expression)
    table = gather_expression(
        dict(zip(contrasts, tables, strict=True)), max_fdr=snakemake.params.max_fdr
    )
    write_table(table, snakemake.output.table)
