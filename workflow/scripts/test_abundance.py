"""Test the abundance of populations in one contrast, with the patient as the unit."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.populations import Question, test_abundance
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import make_contrast
from lammscope.cohort.permutation import Permutations
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
    permutations = Permutations(**params.permutation, seed=params.seed)
    table = test_abundance(question, permutations=permutations)
    write_table(table, snakemake.output.table)
