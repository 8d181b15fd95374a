"""Find the nearest neighbors of every cell in the integrated embedding."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.neighbors import find_neighbors

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads):
    index = CellIndex(snakemake.input.cells)
    indices, distances = find_neighbors(
        index.read_arrays(snakemake.input.space)["space"],
        n_neighbors=snakemake.params.n_neighbors,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    index.write_arrays(snakemake.output.neighbors, indices=indices, distances=distances)
