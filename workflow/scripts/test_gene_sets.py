"""Test gene sets within each population, with the patient as the unit, in all contrasts."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.gene_sets import read_gene_sets
from lammscope.core.indexed import write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.expression.gene_sets import test_gene_sets
from lammscope.expression.pseudobulk import read_pseudobulk

snakemake: Snakemake
with job_log(snakemake.log[0]) as log:
    params = snakemake.params
    samples = read_sample_table(snakemake.input.samples)
    pseudobulk = read_pseudobulk(snakemake.input.pseudobulk)
    gene_sets = read_gene_sets(map(find_resource, params.gene_sets))
    contrasts = [make_contrast(**each) for each in params.contrasts]
    for contrast, path in zip(contrasts, snakemake.output.tables, strict=True):
        log.info("contrast %s", contrast.name)
        table = test_gene_sets(
            pseudobulk,
            Comparison(samples, contrast),
            gene_sets=gene_sets,
            min_genes=params.min_genes,
            permutations=Permutations(**params.permutation, seed=params.seed),
            **params.settings,
        )
        write_table(table, path)
