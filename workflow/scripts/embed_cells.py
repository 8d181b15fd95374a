"""Principal components of the variable genes over all cells."""

from lammscope.core.indexed import read_cells, write_arrays
from lammscope.core.runtime import job_log
from lammscope.joint.embedding import embed_samples

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    cells, index = read_cells(snakemake.input.cells)
    scores, components = embed_samples(
        snakemake.input.counts, cells, index=index, n_pcs=snakemake.params.n_pcs
    )
    write_arrays(
        snakemake.output.pca,
        index=index,
        space=scores,
        loadings=components.loadings,
        variance=components.variance,
    )
