"""Correct the principal components for batch with Harmony."""

from lammscope.core.indexed import CellIndex
from lammscope.core.runtime import job_log
from lammscope.joint.integration import integrate_harmony

with job_log(snakemake.log[0], threads=snakemake.params.threads):
    index = CellIndex(snakemake.input.cells)
    scores = index.read_arrays(snakemake.input.pca)["space"]
    batch = index.cells["sample"].map(snakemake.params.batches).to_numpy()
    space = integrate_harmony(
        scores,
        batch,
        **snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.params.threads,
    )
    index.write_arrays(snakemake.output.space, space=space)
