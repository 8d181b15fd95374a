"""Save the follow-up of each patient, as `save_samples` does the other columns."""

from snakemake.iocontainers import Snakemake

from lammscope.core.runtime import job_log, whole_file

snakemake: Snakemake
with job_log(snakemake.log[0]), whole_file(snakemake.output.follow_up) as temporary:
    temporary.write_text(snakemake.params.table, encoding="utf-8")
