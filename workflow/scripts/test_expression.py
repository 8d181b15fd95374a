"""Test the differential expression of genes within each population, in one contrast."""

import anndata
from snakemake.iocontainers import Snakemake

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import write_table
from lammscope.core.runtime import job_log
from lammscope.expression.genes import test_expression
from lammscope.expression.missing import excluded_pseudobulks, missingness

snakemake: Snakemake
with job_log(snakemake.log[0]):
    samples = read_sample_table(snakemake.input.samples)
    cohort = (
        anndata.read_h5ad(snakemake.input.pseudobulk),
        Comparison(samples, make_contrast(**snakemake.params.contrast)),
    )
    params, settings, output = snakemake.params, snakemake.params.settings, snakemake.output
    table = test_expression(
        *cohort,
        engine=params.engine,
        threads=params.threads,
        permutations=Permutations(**params.permutation, seed=params.seed),
        **settings,
    )
    write_table(table, output.table)
    excluded = excluded_pseudobulks(*cohort, min_cells=settings["min_cells"])
    write_table(excluded, output.excluded)
    write_table(missingness(*cohort, min_cells=settings["min_cells"]), output.missing)
