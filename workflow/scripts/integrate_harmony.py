"""Correct the principal components for batch with Harmony."""

from lammscope.core.indexed import read_arrays, read_cells, write_arrays
from lammscope.core.runtime import job_log
from lammscope.joint.integration import integrate_harmony

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    cells, index = read_cells(snakemake.input.cells)
    scores = read_arrays(snakemake.input.pca, index=index)["space"]
    batch = cells["sample"].map(snakemake.params.batches).to_numpy()
    space = integrate_harmony(
        scores,
        batch,
        **snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    write_arrays(snakemake.output.space, index=index, space=space)
