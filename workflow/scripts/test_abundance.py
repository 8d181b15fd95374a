"""Compare populations between patients in one contrast."""

from lammscope.abundance import test_abundance
from lammscope.contrasts import Contrast
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.sheets import read_samples

with job_log(snakemake.log[0]):
    table = test_abundance(
        read_table(snakemake.input.counts),
        read_samples(snakemake.params.cohort),
        Contrast(**snakemake.params.contrast),
        seed=snakemake.params.seed,
        sorts=snakemake.params.sorts,
        **snakemake.params.settings,
    )
    write_table(table, snakemake.output.table)
