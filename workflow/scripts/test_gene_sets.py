"""Test gene sets within each population, with the patient as the unit, in one contrast."""

import anndata
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

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params = snakemake.params
    samples = read_sample_table(snakemake.input.samples)
    table = test_gene_sets(
        anndata.read_h5ad(snakemake.input.pseudobulk),
        Comparison(samples, make_contrast(**params.contrast)),
        gene_sets=read_gene_sets(map(find_resource, params.gene_sets)),
        min_genes=params.min_genes,
        permutations=Permutations(**params.permutation, seed=params.seed),
        **params.settings,
    )
    write_table(table, snakemake.output.table)
