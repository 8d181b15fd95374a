"""Check whether the p-values of the primary tests may be too small in this cohort."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.calibration import diagnose_calibration
from lammscope.abundance.populations import Question
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.expression.pseudobulk import read_pseudobulk

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params = snakemake.params
    counts = read_table(snakemake.input.counts)
    samples = read_sample_table(snakemake.input.samples)
    contrasts = [make_contrast(**definition) for definition in params.contrasts]
    questions = [
        Question(counts, Comparison(samples, contrast), **params.settings, sorts=params.sorts)
        for contrast in contrasts
    ]
    table = diagnose_calibration(
        questions,
        read_pseudobulk(snakemake.input.pseudobulk),
        denominator=params.denominator,
        expression=params.expression,
        permutations=Permutations(**params.permutation, seed=params.seed),
        **params.calibration,
    )
    write_table(table, snakemake.output.table)
