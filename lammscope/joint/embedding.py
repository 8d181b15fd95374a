"""Principal components of the variable genes, over cells that are never stacked."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.indexed import read_counts
from lammscope.core.pca import PrincipalComponents, principal_components_of_parts
from lammscope.core.rates import normalize


def embed_samples(
    paths: Iterable[str], cells: pd.DataFrame, *, index: str, n_pcs: int
) -> tuple[np.ndarray, PrincipalComponents]:
    """Principal components over all samples, whose counts are read one file at a time.

    Parameters
    ----------
    paths
        Counts of kept cells (cells x genes), together in the order of the cell index.
    cells
        The cell index.
    index
        Its checksum.
    n_pcs
        How many components.

    Returns
    -------
    scores
        Cells x components, float32, in the order of the index.
    components
        Loadings and variances.
    """
    totals = cells["total_counts"].to_numpy()
    paths = list(paths)

    def parts() -> Iterable[sparse.csr_array]:
        start = 0
        for path in paths:
            counts, _, _ = read_counts(path, index=index)
            yield normalize(counts, totals[start : start + counts.shape[0]])
            start += counts.shape[0]

    components = principal_components_of_parts(parts(), n_components=n_pcs)
    return np.concatenate([components.project(values) for values in parts()]), components
