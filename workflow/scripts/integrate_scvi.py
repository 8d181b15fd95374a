"""Embed cells by scVI, from the raw counts of the variable genes and the batch."""

import pandas as pd

from lammscope.integration import integrate_scvi
from lammscope.runtime import job_log
from lammscope.sidecars import read_cells, stack_counts, write_arrays

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    cells, index = read_cells(snakemake.input.cells)
    counts, genes, _ = stack_counts(snakemake.input.counts, index=index)
    covariates = pd.DataFrame(
        {name: cells["sample"].map(of) for name, of in snakemake.params.covariates.items()},
        index=cells.index,
    )
    space = integrate_scvi(
        counts,
        cells["sample"].map(snakemake.params.batches).to_numpy(),
        covariates=covariates,
        genes=genes,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
        model_folder=snakemake.output.model,
        **snakemake.params.settings,
    )
    write_arrays(snakemake.output.space, index=index, space=space)
