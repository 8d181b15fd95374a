"""Test gene sets against all other genes within each population, in one contrast."""

import anndata
from snakemake.iocontainers import Snakemake

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.gene_sets import read_gene_sets
from lammscope.core.indexed import write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.expression.gene_sets import test_gene_sets

snakemake: Snakemake
with job_log(snakemake.log[0]):
    samples = read_sample_table(snakemake.input.samples)
    table = test_gene_sets(
        anndata.read_h5ad(snakemake.input.pseudobulk),
        Comparison(samples, make_contrast(**snakemake.params.contrast)),
        gene_sets=read_gene_sets(map(find_resource, snakemake.params.gene_sets)),
        min_genes=snakemake.params.min_genes,
        **snakemake.params.settings,
    )
    write_table(table, snakemake.output.table)
