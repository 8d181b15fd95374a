"""Make an integrated embedding of all cells by a method of `lammscope.joint.integration`."""

from lammscope.core.indexed import read_cells, write_arrays
from lammscope.core.runtime import job_log
from lammscope.joint.integration import integrate_cells
from lammscope.joint.integration.method import read_input

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    cells, index = read_cells(snakemake.input.cells)
    given = read_input(
        snakemake.input.data,
        cells,
        reads=snakemake.params.reads,
        index=index,
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
    write_arrays(snakemake.output.space, index=index, space=space)
