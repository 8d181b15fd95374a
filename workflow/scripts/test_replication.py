"""Test the primary result of a first cohort in this one: one row, in the first direction."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.populations import Question
from lammscope.abundance.primary import primary_row
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.outcome.replication import test_replication

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    comparison = Comparison(read_sample_table(inputs.samples), make_contrast(**params.contrast))
    question = Question(
        read_table(inputs.counts), comparison, **params.settings, sorts=params.sorts
    )
    table = test_replication(
        primary_row(read_table(inputs.abundance[0]), denominator=params.first["denominator"]),
        question,
        params.first,
        permutations=Permutations(**params.permutation, seed=params.seed),
    )
    write_table(table, snakemake.output.replication)
