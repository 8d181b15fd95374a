"""Compare LAMM cells again with one choice changed at a time, in one contrast."""

from lammscope.abundance.robustness import test_robustness
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

with job_log(snakemake.log[0]):
    table = test_robustness(
        read_table(snakemake.input.counts),
        read_table(snakemake.input.thresholds),
        read_sample_table(snakemake.input.samples),
        Contrast(**snakemake.params.contrast),
        denominator=snakemake.params.denominator,
        sorts=snakemake.params.sorts,
        **snakemake.params.lamm,
        **snakemake.params.settings,
    )
    write_table(table, snakemake.output.table)
