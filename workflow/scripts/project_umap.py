"""Compute the UMAP of the neighborhood graph."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.umap import project_umap

snakemake: Snakemake
with job_log(snakemake.log[0]):
    index = CellIndex(snakemake.input.cells)
    umap = project_umap(
        index.read_arrays(snakemake.input.space)["space"],
        **index.read_arrays(snakemake.input.neighbors),
        min_dist=snakemake.params.min_dist,
        epochs=snakemake.params.epochs,
        max_cells=snakemake.params.max_cells,
        seed=snakemake.params.seed,
    )
    index.write_arrays(snakemake.output.umap, umap=umap)
