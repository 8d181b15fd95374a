"""Test the differential expression of genes within each population, in some contrasts."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import write_table
from lammscope.core.runtime import job_log
from lammscope.expression.genes import test_expression
from lammscope.expression.missing import excluded_pseudobulks, missingness
from lammscope.expression.pseudobulk import read_pseudobulk

snakemake: Snakemake
with job_log(snakemake.log[0]) as log:
    params, settings, output = snakemake.params, snakemake.params.settings, snakemake.output
    samples = read_sample_table(snakemake.input.samples)
    pseudobulk = read_pseudobulk(snakemake.input.pseudobulk)
    contrasts = [make_contrast(**each) for each in params.contrasts]
    paths = zip(output.tables, output.excluded, output.missing, strict=True)
    for contrast, (of_genes, of_excluded, of_missing) in zip(contrasts, paths, strict=True):
        log.info("contrast %s", contrast.name)
        cohort = (pseudobulk, Comparison(samples, contrast))
        table = test_expression(
            *cohort,
            engine=params.engine,
            threads=params.threads,
            permutations=Permutations(**params.permutation, seed=params.seed),
            **settings,
        )
        write_table(table, of_genes)
        excluded = excluded_pseudobulks(*cohort, min_cells=settings["min_cells"])
        write_table(excluded, of_excluded)
        write_table(missingness(*cohort, min_cells=settings["min_cells"]), of_missing)
