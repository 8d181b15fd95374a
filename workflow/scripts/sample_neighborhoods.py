"""Sample neighborhoods of the integrated embedding and count their cells per sample."""

from snakemake.iocontainers import Snakemake

from lammscope.abundance.neighborhoods import sample_neighborhoods
from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads):
    index = CellIndex(snakemake.input.cells)
    neighborhoods = sample_neighborhoods(
        index.read_arrays(snakemake.input.space)["space"],
        index.cells,
        **snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    index.write_arrays(snakemake.output.neighborhoods, **vars(neighborhoods))
