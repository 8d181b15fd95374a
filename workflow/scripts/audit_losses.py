"""Audit the patients lost because of too few cells: whether one arm loses more than the other."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.losses import audit_losses
from lammscope.abundance.populations import Question
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    counts, samples = read_table(inputs.counts), read_sample_table(inputs.samples)
    contrasts = [make_contrast(**definition) for definition in params.contrasts]
    questions = [
        Question(counts, Comparison(samples, contrast), **params.settings, sorts=params.sorts)
        for contrast in contrasts
    ]
    missing = [read_table(path) for path in inputs.missing]
    losses = audit_losses(questions, missing, min_cells=params.min_cells)
    write_table(losses, snakemake.output.losses)
