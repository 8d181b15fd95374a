"""Two-dimensional picture of the neighbourhood graph."""

from lammscope.core.indexed import read_arrays, read_cells, write_arrays
from lammscope.core.runtime import job_log
from lammscope.joint.umap import project_umap

with job_log(snakemake.log[0]):
    _, index = read_cells(snakemake.input.cells)
    umap = project_umap(
        read_arrays(snakemake.input.space, index=index)["space"],
        **read_arrays(snakemake.input.neighbors, index=index),
        min_dist=snakemake.params.min_dist,
        epochs=snakemake.params.epochs,
        max_cells=snakemake.params.max_cells,
        seed=snakemake.params.seed,
    )
    write_arrays(snakemake.output.umap, index=index, umap=umap)
