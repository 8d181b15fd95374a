"""Find Leiden clusters of the neighborhood graph."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.clustering import cluster_cells
from lammscope.joint.neighbors import shared_neighbor_graph

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    index = CellIndex(snakemake.input.cells)
    graph = shared_neighbor_graph(index.read_arrays(snakemake.input.neighbors)["indices"])
    clusters = cluster_cells(
        graph, resolution=snakemake.params.resolution, seed=snakemake.params.seed
    )
    table = index.cells[["cell", "sample"]].assign(cluster=clusters)
    index.write_table(table, snakemake.output.clusters)
    logger.info("%d clusters", table["cluster"].nunique())
