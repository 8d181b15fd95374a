"""Share of each gene's counts in a population that ambient RNA explains."""

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.expression.pseudobulk import AMBIENT, IS_LIMIT

COLUMNS = ["cell_type", "gene", "symbol", "ambient_share", "is_upper_limit"]


def ambient_shares(pseudobulk: anndata.AnnData) -> pd.DataFrame:
    """Compute the share of counts that is ambient RNA, per population and gene, over all samples.

    Parameters
    ----------
    pseudobulk
        From `build_pseudobulk`, with the layer `ambient`.

    Returns
    -------
    DataFrame
        `cell_type`, `gene`, `symbol`, `ambient_share` (0 to 1) of the genes with counts in the
        population, and `is_upper_limit`: whether a sample with counts of the gene had no estimate
        of its contamination, so that the share is at most this.
    """
    populations, codes = np.unique(pseudobulk.obs["population"].astype(str), return_inverse=True)
    counts, expected = pseudobulk.X, pseudobulk.layers[AMBIENT]
    is_limit = np.asarray(pseudobulk.obs[IS_LIMIT], dtype=bool)
    members = [np.flatnonzero(codes == number) for number in range(len(populations))]
    sums = np.stack([_summed(counts, rows) for rows in members])
    ambient = np.stack([_summed(expected, rows) for rows in members])
    of_limits = np.stack([_summed(counts, rows[is_limit[rows]]) for rows in members])
    rows, columns = np.nonzero(sums)
    return pd.DataFrame(
        {
            "cell_type": populations[rows],
            "gene": pseudobulk.var_names.to_numpy()[columns],
            "symbol": pseudobulk.var["symbol"].to_numpy()[columns],
            "ambient_share": np.round(ambient[rows, columns] / sums[rows, columns], 4),
            "is_upper_limit": of_limits[rows, columns] > 0,
        },
        columns=COLUMNS,
    )


def _summed(values: sparse.csr_matrix, rows: np.ndarray) -> np.ndarray:
    """Sum some rows, which are copied; a product with the whole matrix would copy it as floats."""
    own = values[rows]
    return np.bincount(own.indices, weights=own.data, minlength=values.shape[1])
