"""Integration by Harmony: principal components corrected for batch."""

import logging

import numpy as np
import pandas as pd

from lammscope.core.runtime import logger
from lammscope.joint.integration.method import COMPONENTS, IntegrationInput, Method

# of Harmony, which itself takes 100 at most: too few for a population of one in 200 cells to be one
CELLS_PER_CLUSTER, MAX_CLUSTERS = 30, 200


def integrate_harmony(
    cells: IntegrationInput,
    *,
    theta: float,
    min_batch_pct: float,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Correct principal component scores for batch with Harmony [1]_, second version [2]_.

    Parameters
    ----------
    cells
        Principal component scores and batch; covariates are not used.
    theta
        Weight of the penalty on clusters in which batches are not alike.
    min_batch_pct
        Share of a batch's cells, in %, that must lie in a cluster for the batch to be moved there.
        Without it the cells of a population that few patients have are moved onto the nearest
        population that all have.
    seed, threads
        Of the algorithm; threads do not change the result.

    Returns
    -------
    ndarray
        Corrected scores, cells x components, float32. With one batch, the scores as they are.

    References
    ----------
    .. [1] Korsunsky et al., Nat Methods 16, 1289-1296 (2019), doi 10.1038/s41592-019-0619-0.
    .. [2] Patikas et al. (2026); `batch.prop.cutoff` of the R package harmony 2.
    """
    import harmonypy

    scores, batch = cells.values, cells.batch
    if len(np.unique(batch)) < 2:
        logger.info("one batch: nothing to correct")
        return scores.astype(np.float32)
    # its messages reach the job's log without its own handler, and the screen stays readable
    logging.getLogger("harmonypy").handlers.clear()
    n_clusters = max(min(len(scores) // CELLS_PER_CLUSTER, MAX_CLUSTERS), 1)
    fitted = harmonypy.run_harmony(
        scores,
        pd.DataFrame({"batch": batch}),
        "batch",
        theta=theta,
        nclust=n_clusters,
        batch_prop_cutoff=min_batch_pct / 100,
        random_state=seed,
        ncores=threads,
    )
    corrected = np.asarray(fitted.Z_corr)
    if corrected.shape != scores.shape:
        corrected = corrected.T
    return np.ascontiguousarray(corrected, dtype=np.float32)


HARMONY = Method(
    integrate_harmony,
    words="Harmony",
    reads=COMPONENTS,
    memory=(800, 20),
    package="harmonypy",
    obsm="X_pca_harmony",
    missing=(
        "`integration` asks for harmony, which needs harmonypy, and that is not installed: run "
        "`make setup`, or let Snakemake make the environment (`--sdm conda`)"
    ),
)
