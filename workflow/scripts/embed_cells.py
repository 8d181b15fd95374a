"""Compute principal components of the variable genes over all cells."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.embedding import embed_samples

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads):
    index = CellIndex(snakemake.input.cells)
    scores, components = embed_samples(snakemake.input.counts, index, n_pcs=snakemake.params.n_pcs)
    index.write_arrays(
        snakemake.output.pca,
        space=scores,
        loadings=components.loadings,
        variance=components.variance,
    )
