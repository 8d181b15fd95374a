"""Test programs and states of T cells in all contrasts, and their associations with LAMM cells."""

from snakemake.iocontainers import Snakemake

from lammscope.axis.associations import Cohort, test_associations
from lammscope.axis.state_tests import read_measures, test_states
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
    measures = read_measures(map(read_table, inputs.measures))
    permutations = Permutations(**params.permutation, seed=params.seed)
    for values, path in zip(params.contrasts, snakemake.output.tables, strict=True):
        tested = test_states(
            measures,
            Comparison(samples, make_contrast(**values)),
            min_cells=params.min_cells["t"],
            sorts=params.sorts,
            permutations=permutations,
        )
        write_table(tested, path)
    cohort = Cohort(
        samples,
        measures=measures,
        supply=read_measures(map(read_table, inputs.supply)),
        timepoints=params.timepoints,
        sorts=params.sorts,
        **{name: read_table(inputs[name]) for name in ("counts", "scores", "quality")},
    )
    found = test_associations(cohort, min_cells=params.min_cells, permutations=permutations)
    for table, name in zip(found, ("associations", "patients"), strict=True):
        write_table(table, snakemake.output[name])
