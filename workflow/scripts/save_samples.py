"""Save the checked sample table: both sheets with phase and response of each sample."""

from snakemake.iocontainers import Snakemake

from lammscope.core.runtime import job_log, whole_file

snakemake: Snakemake
with job_log(snakemake.log[0]), whole_file(snakemake.output.samples) as temporary:
    temporary.write_text(snakemake.params.table, encoding="utf-8")
