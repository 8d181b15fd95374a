"""Clusters at other resolutions, and how stable those of each resolution are."""

import pandas as pd

from lammscope.core.indexed import read_arrays, read_cells, read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.joint.clustering import compare_resolutions, stability
from lammscope.joint.neighbors import shared_neighbor_graph

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    params = snakemake.params
    cells, index = read_cells(snakemake.input.cells)
    table = stability(
        read_arrays(snakemake.input.space, index=index)["space"],
        resolutions=params.resolutions,
        n_neighbors=params.n_neighbors,
        seed=params.seed,
        threads=params.threads,
    )
    clusters = compare_resolutions(
        shared_neighbor_graph(read_arrays(snakemake.input.neighbors, index=index)["indices"]),
        read_table(snakemake.input.clusters, index=index)["cluster"].to_numpy(),
        resolution=params.resolution,
        resolutions=params.resolutions,
        seed=params.seed,
    )
    table.insert(1, "used", table["resolution"] == params.resolution)
    table.insert(2, "n_clusters", clusters.nunique().to_numpy())
    labels = pd.concat([cells[["cell", "sample"]], clusters], axis=1)
    write_table(labels, snakemake.output.clusters, index=index)
    write_table(table, snakemake.output.stability)
