"""Nearest neighbours of every cell in the joint space."""

from lammscope.core.indexed import read_arrays, read_cells, write_arrays
from lammscope.core.runtime import job_log
from lammscope.joint.neighbors import find_neighbors

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    _, index = read_cells(snakemake.input.cells)
    indices, distances = find_neighbors(
        read_arrays(snakemake.input.space, index=index)["space"],
        n_neighbors=snakemake.params.n_neighbors,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    write_arrays(snakemake.output.neighbors, index=index, indices=indices, distances=distances)
