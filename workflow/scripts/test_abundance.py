"""Test the abundance of populations in all contrasts, and give each row its verdict."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.populations import Question, test_abundance
from lammscope.abundance.verdicts import judge_abundance
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    samples = read_sample_table(inputs.samples)
    counts, scores = read_table(inputs.counts), read_table(inputs.scores)
    permutations = Permutations(**params.permutation, seed=params.seed)
    contrasts = {each["name"]: make_contrast(**each) for each in params.contrasts}
    tests = {
        name: test_abundance(
            Question(
                counts,
                Comparison(samples, contrast),
                **params.settings,
                sorts=params.sorts,
                scores=scores,
            ),
            permutations=permutations,
        )
        for name, contrast in contrasts.items()
    }
    tables, lamm = judge_abundance(tests, contrasts, primary=params.primary, level=params.level)
    for table, path in zip(tables.values(), snakemake.output.tables, strict=True):
        write_table(table, path)
    write_table(lamm, snakemake.output.lamm)
