"""Embed cells by scVI, from the raw counts of the variable genes and the batch."""

import pandas as pd

from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.integration_scvi import integrate_scvi

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    index = CellIndex(snakemake.input.cells)
    cells = index.cells
    counts, genes, _ = index.stack_counts(snakemake.input.counts)
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
    index.write_arrays(snakemake.output.space, space=space)
