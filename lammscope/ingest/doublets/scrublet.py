"""Doublet detection within one channel by scanpy's Scrublet [1]_.

The scores are Scrublet's; the calls are made as for `simulated` in a channel whose lineages are
not known: by the estimated number of single cells among them (`threshold`). Scrublet's own
threshold needs scikit-image and fails on channels of one type.

References
----------
.. [1] Wolock, Lopez, Klein, Cell Syst 8, 281-291 (2019), doi 10.1016/j.cels.2018.11.005.
"""

import numpy as np
from scipy import sparse

from lammscope.core.runtime import logger
from lammscope.ingest.doublets.threshold import MAX_RATE, KnownRate, call_threshold, estimate_rate

ANY = 0.0  # a threshold keeps scanpy from looking for its own, which is not used


def score_doublets(
    counts: sparse.csr_array,
    *,
    symbols: np.ndarray,
    rate: float,
    simulated_per_cell: float,
    n_pcs: int,
    n_genes: int,
    max_false_pct: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Score the cells of one channel and call doublets; parameters as in `simulated`.

    scanpy chooses the genes; `n_genes` and `symbols` are not used. The neighbors are exact
    (scikit-learn), so that no compiler is started for them.
    """
    import anndata
    import scanpy

    if not (counts.max(axis=0) != counts.min(axis=0)).nnz:
        logger.info("doublets: not scored, as all cells are alike")
        return np.full(counts.shape[0], np.nan), np.zeros(counts.shape[0], dtype=bool)
    data = anndata.AnnData(sparse.csr_matrix(counts, dtype=np.float32))
    scanpy.pp.scrublet(
        data,
        sim_doublet_ratio=simulated_per_cell,
        expected_doublet_rate=rate,
        n_prin_comps=min(n_pcs, counts.shape[0] - 1),
        threshold=ANY,
        use_approx_neighbors=False,
        random_state=int(rng.integers(2**31)),
        verbose=False,
    )
    scores = np.asarray(data.obs["doublet_score"], dtype=float)
    simulated = np.asarray(data.uns["scrublet"]["doublet_scores_sim"], dtype=float)
    observed = np.where(np.isfinite(scores), scores, -np.inf)
    estimate = estimate_rate(observed, simulated)
    is_known = isinstance(rate, KnownRate)
    used = min(estimate, rate) if estimate <= MAX_RATE and not is_known else rate
    called = observed >= call_threshold(observed, simulated, rate=used, max_false_pct=max_false_pct)
    logger.info("doublets: expected rate %.2g %%, %.2g %% used", 100 * rate, 100 * used)
    return scores, called
