"""Compute an integrated embedding of all cells by one of the methods."""

from snakemake.iocontainers import Snakemake

from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.integration import integrate_cells
from lammscope.joint.integration.method import read_input

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads):
    index = CellIndex(snakemake.input.cells)
    given = read_input(
        snakemake.input.data,
        index,
        reads=snakemake.params.reads,
        batches=snakemake.params.batches,
        covariates=snakemake.params.covariates,
    )
    space = integrate_cells(
        given,
        method=snakemake.params.method,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
        model_folder=snakemake.output.get("model"),
    )
    index.write_arrays(snakemake.output.space, space=space)
