"""Sample neighbourhoods of the joint space and count their cells per sample."""

from lammscope.abundance.neighborhoods import sample_neighborhoods
from lammscope.core.indexed import read_arrays, read_cells, write_arrays
from lammscope.core.runtime import job_log

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    cells, index = read_cells(snakemake.input.cells)
    neighborhoods = sample_neighborhoods(
        read_arrays(snakemake.input.space, index=index)["space"],
        cells,
        **snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    write_arrays(snakemake.output.neighborhoods, index=index, **vars(neighborhoods))
