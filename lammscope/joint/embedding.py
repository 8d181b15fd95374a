"""Principal components of the variable genes, computed without stacking the cells."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy import sparse

from lammscope.core.indexed import CellIndex
from lammscope.core.pca import PrincipalComponents, principal_components_of_parts
from lammscope.core.rates import normalize


def embed_samples(
    paths: Iterable[str | Path], index: CellIndex, *, n_pcs: int
) -> tuple[np.ndarray, PrincipalComponents]:
    """Compute principal components over all samples, reading their counts one file at a time.

    Parameters
    ----------
    paths
        Files of counts of kept cells (cells x genes), in the order of the cell index.
    index
        The cell index.
    n_pcs
        Number of components.

    Returns
    -------
    scores
        Cells x components, float32, in the order of the index.
    components
        Loadings and variances.
    """
    totals = index.cells["total_counts"].to_numpy()
    paths = list(paths)

    def parts() -> Iterable[sparse.csr_array]:
        start = 0
        for path in paths:
            counts, _, _ = index.read_counts(path)
            yield normalize(counts, totals[start : start + counts.shape[0]])
            start += counts.shape[0]

    components = principal_components_of_parts(parts(), n_components=n_pcs)
    return np.concatenate([components.project(values) for values in parts()]), components
