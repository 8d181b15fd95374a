"""Compare genes between patients within each population, in one contrast."""

import anndata

from lammscope.contrasts import Contrast
from lammscope.expression import excluded_pseudobulks, test_expression
from lammscope.runtime import job_log
from lammscope.sheets import read_samples
from lammscope.sidecars import write_table

with job_log(snakemake.log[0]):
    pseudobulk = anndata.read_h5ad(snakemake.input.pseudobulk)
    samples = read_samples(snakemake.params.cohort)
    contrast = Contrast(**snakemake.params.contrast)
    settings = dict(snakemake.params.settings)
    settings["exclude"] = [*settings["exclude"], snakemake.params.car_features]
    write_table(test_expression(pseudobulk, samples, contrast, **settings), snakemake.output.table)
    excluded = excluded_pseudobulks(pseudobulk, samples, contrast, min_cells=settings["min_cells"])
    write_table(excluded, snakemake.output.excluded)
