"""Compare populations between patients in one contrast."""

from lammscope.abundance.populations import test_abundance
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

with job_log(snakemake.log[0]):
    table = test_abundance(
        read_table(snakemake.input.counts),
        read_sample_table(snakemake.input.samples),
        Contrast(**snakemake.params.contrast),
        seed=snakemake.params.seed,
        sorts=snakemake.params.sorts,
        **snakemake.params.settings,
    )
    write_table(table, snakemake.output.table)
