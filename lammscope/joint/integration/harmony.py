"""Integration by Harmony: principal components corrected for batch."""

import logging

import numpy as np
import pandas as pd

from lammscope.core.runtime import logger
from lammscope.joint.integration.method import COMPONENTS, IntegrationInput, Method

# of Harmony; its own maximum of 100 is too low for a population of one in 200 cells to be a cluster
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
        Strength of the correction: weight of the penalty on clusters of uneven batches.
    min_batch_pct
        Minimum % of a batch's cells in a cluster for the batch to be corrected there. Without it,
        cells of a population found in few patients are moved onto the nearest population that all
        patients share.
    seed, threads
        Of the algorithm; threads do not change the result.

    Returns
    -------
    ndarray
        Corrected scores, cells x components, float32. With one batch, the scores are unchanged.

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
    # without its own handler, its messages go only to the job's log
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
    memory=(350, 30),
    reference=(
        "Harmony",
        "Korsunsky I, et al. Nature Methods 2019;16:1289.",
        "10.1038/s41592-019-0619-0",
    ),
    package="harmonypy",
    obsm="X_pca_harmony",
    missing=(
        "`integration` uses harmony, which needs harmonypy, but that is not installed: run "
        "`make setup`, or let Snakemake create the environment (`--sdm conda`)"
    ),
)
