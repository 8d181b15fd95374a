"""Compute the primary result in every specification, and test all of them at once."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.outcome.choices import explain_choices, summarize
from lammscope.outcome.joint_test import test_jointly
from lammscope.outcome.specifications import Asker, Tables, test_specifications

snakemake: Snakemake
with job_log(snakemake.log[0]) as log:
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    comparison = Comparison(read_sample_table(inputs.samples), make_contrast(**params.contrast))
    counts = zip(map(read_table, inputs.counts), map(read_table, inputs.thresholds), strict=True)
    tables = dict(zip(params.folders, (Tables(*both) for both in counts), strict=True))
    asker = Asker(tables, comparison, params.settings, params.covariates)
    found = test_specifications(params.specifications, params.folder_of, asker)
    permutations = Permutations(**params.permutation, seed=params.seed)
    joint = test_jointly(found.defined, comparison, permutations)
    summary = summarize(found.table, joint, contrast=comparison.contrast.name)
    write_table(found.table, output.specifications)
    write_table(summary, output.summary)
    write_table(explain_choices(found.table, params.choices), output.choices)
    log.info("%d of %d specifications defined", len(found.defined), len(found.table))
