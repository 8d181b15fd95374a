"""Test ligand-receptor pairs in all contrasts, with the patient as the unit."""

from snakemake.iocontainers import Snakemake

from lammscope.axis.groups import lineages_of, make_groups
from lammscope.axis.pair_tests import test_pairs
from lammscope.axis.primary import primary_of
from lammscope.axis.question import Tables, ask
from lammscope.axis.values import patient_values
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.pairs import read_pairs
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0]) as log:
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    samples = read_sample_table(inputs.samples)
    tables = Tables(*map(read_table, (inputs.libraries, inputs.terms, inputs.counts)))
    pairs = read_pairs(map(find_resource, params.pairs))
    groups = make_groups(params.groups, lineages_of(tables.cells), level=params.level)
    permutations = Permutations(**params.permutation, seed=params.seed)
    contrasts = [make_contrast(**each) for each in params.contrasts]
    for contrast, path, values in zip(contrasts, output.tables, output.values, strict=True):
        log.info("contrast %s", contrast.name)
        question = ask(pairs, groups, tables, Comparison(samples, contrast), **params.settings)
        primary = primary_of(params.primary, contrast.name, level=params.level)
        table = test_pairs(question, permutations=permutations, primary=primary)
        write_table(table, path)
        write_table(patient_values(question), values)
