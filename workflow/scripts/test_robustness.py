"""Test LAMM cells again with one choice changed at a time, in all contrasts."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.populations import Question
from lammscope.abundance.robustness import test_robustness
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]) as log:
    params, inputs = snakemake.params, snakemake.input
    samples = read_sample_table(inputs.samples)
    counts, scores = read_table(inputs.counts), read_table(inputs.scores)
    thresholds = read_table(inputs.thresholds)
    contrasts = [make_contrast(**each) for each in params.contrasts]
    for contrast, path in zip(contrasts, snakemake.output.tables, strict=True):
        log.info("contrast %s", contrast.name)
        question = Question(
            counts,
            Comparison(samples, contrast),
            **params.settings,
            sorts=params.sorts,
            scores=scores,
        )
        table = test_robustness(question, thresholds, denominator=params.denominator, **params.lamm)
        write_table(table, path)
