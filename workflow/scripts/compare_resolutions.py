"""Cluster cells at other resolutions, and measure the stability of each resolution."""

import pandas as pd
from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.runtime import job_log
from lammscope.joint.clustering import compare_resolutions, stability
from lammscope.joint.neighbors import shared_neighbor_graph

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads):
    params = snakemake.params
    index = CellIndex(snakemake.input.cells)
    table = stability(
        index.read_arrays(snakemake.input.space)["space"],
        resolutions=params.resolutions,
        n_neighbors=params.n_neighbors,
        seed=params.seed,
        threads=params.threads,
    )
    clusters = compare_resolutions(
        shared_neighbor_graph(index.read_arrays(snakemake.input.neighbors)["indices"]),
        index.read_table(snakemake.input.clusters)["cluster"].to_numpy(),
        resolution=params.resolution,
        resolutions=params.resolutions,
        seed=params.seed,
    )
    table.insert(1, "used", table["resolution"] == params.resolution)
    table.insert(2, "n_clusters", clusters.nunique().to_numpy())
    labels = pd.concat([index.cells[["cell", "sample"]], clusters], axis=1)
    index.write_table(labels, snakemake.output.clusters)
    write_table(table, snakemake.output.stability)
