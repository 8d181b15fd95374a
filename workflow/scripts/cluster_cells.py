"""Leiden clusters of the neighbourhood graph."""

from lammscope.core.indexed import read_arrays, read_cells, write_table
from lammscope.core.runtime import job_log
from lammscope.joint.clustering import cluster_cells
from lammscope.joint.neighbors import shared_neighbor_graph

with job_log(snakemake.log[0]) as logger:
    cells, index = read_cells(snakemake.input.cells)
    graph = shared_neighbor_graph(read_arrays(snakemake.input.neighbors, index=index)["indices"])
    clusters = cluster_cells(
        graph, resolution=snakemake.params.resolution, seed=snakemake.params.seed
    )
    table = cells[["cell", "sample"]].assign(cluster=clusters)
    write_table(table, snakemake.output.clusters, index=index)
    logger.info("%d clusters", table["cluster"].nunique())
