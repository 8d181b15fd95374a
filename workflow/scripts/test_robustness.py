"""Test LAMM cells again with one choice changed at a time, in one contrast."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.populations import Question
from lammscope.abundance.robustness import test_robustness
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params = snakemake.params
    samples = read_sample_table(snakemake.input.samples)
    question = Question(
        read_table(snakemake.input.counts),
        Comparison(samples, make_contrast(**params.contrast)),
        **params.settings,
        sorts=params.sorts,
        scores=read_table(snakemake.input.scores),
    )
    table = test_robustness(
        question,
        read_table(snakemake.input.thresholds),
        denominator=params.denominator,
        **params.lamm,
    )
    write_table(table, snakemake.output.table)
