"""Principal components: exact, also of matrices that are never concatenated, or approximate.

References
----------
.. [1] Musco and Musco, NeurIPS 28, 1396-1404 (2015), arXiv 1504.05477.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

CHUNK = 5_000  # cells at a time: limits memory
# Genes seen in more of the first cells than this are multiplied as dense columns, the others as
# sparse ones. The share changes the time only: 0.1 takes a fifth as long as dense columns only.
FREQUENT = 0.1
# Relative to the variance of the largest component; less is rounding error. Our choice.
MIN_VARIANCE = 1e-9

# Of the approximation, each as wide as the components. Its components hold 93 to 100 % of the
# variance of exact ones, in a third of the time; what is missing is noise. With 3: 88 %.
N_BLOCKS = 4

TOO_FEW = "principal components need at least two cells"


@dataclass(frozen=True)
class PrincipalComponents:
    """Loadings (genes x components), gene means, and the variance of each component."""

    loadings: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def project(self, values: sparse.csr_array) -> np.ndarray:
        """Compute scores (cells x components, float32) of log-normalized cells x genes."""
        return np.ascontiguousarray(
            values @ self.loadings - self.mean @ self.loadings, dtype=np.float32
        )


def principal_components(values: sparse.csr_array, *, n_components: int) -> PrincipalComponents:
    """Compute the principal components of one matrix, as in `principal_components_of_parts`.

    With fewer cells than genes, the cross products of the cells are decomposed, which is faster.
    """
    n_cells, n_genes = values.shape
    if n_cells < 2:
        raise ValueError(TOO_FEW)
    if n_cells >= n_genes:
        return principal_components_of_parts([values], n_components=n_components)
    mean = np.asarray(values.mean(axis=0), dtype=np.float64).ravel()
    centered = values.toarray() - mean
    n_components = min(n_components, n_cells - 1)
    squares, axes = _largest(centered @ centered.T, n_components=n_components)
    loadings = centered.T @ axes / np.sqrt(np.maximum(squares, np.finfo(float).tiny))
    return _oriented(loadings, mean, squares / (n_cells - 1))


def approximate_components(
    values: sparse.csr_array, *, n_components: int, rng: np.random.Generator
) -> PrincipalComponents:
    """Compute components that hold nearly as much variance, by random block Krylov subspaces [1]_.

    They are found from products of the matrix with a few vectors. Components that stand out from
    noise are the same; in noise, where the exact ones are arbitrary, too, they differ.

    Parameters
    ----------
    values
        As in `principal_components`.
    n_components
        Number of components; fewer are returned if the rank is lower.
    rng
        Source of the vectors to start from.
    """
    n_cells, n_genes = values.shape
    if n_cells < 2:
        raise ValueError(TOO_FEW)
    mean = np.asarray(values.mean(axis=0), dtype=np.float32).ravel()
    by_gene = values.T.tocsr()
    block = rng.standard_normal((n_genes, n_components), dtype=np.float32)
    blocks = []
    for _ in range(N_BLOCKS):
        scores = values @ block - mean @ block
        block = np.linalg.qr(by_gene @ scores - np.outer(mean, scores.sum(axis=0)))[0]
        blocks.append(block)
    basis = np.linalg.qr(np.hstack(blocks))[0]
    scores = (values @ basis - mean @ basis).astype(np.float64)
    squares, axes = _largest(scores.T @ scores, n_components=n_components)
    return _oriented(basis @ axes.astype(np.float32), mean, squares / (n_cells - 1))


def principal_components_of_parts(
    parts: Iterable[sparse.csr_array], *, n_components: int
) -> PrincipalComponents:
    """Compute exact principal components of several cells x genes matrices together.

    The cross products of the genes are summed over the parts, so that memory depends on the number
    of genes and on the largest part, not on the number of cells.

    Parameters
    ----------
    parts
        Log-normalized expression, each part for some of the cells, all with the same genes.
    n_components
        Number of components; fewer are returned if the rank is lower.

    Returns
    -------
    PrincipalComponents
        Largest variance first. A component's sign is fixed: its largest loading is positive.
    """
    n_cells, total, cross = _sums_and_cross_products(parts)
    if n_cells < 2:
        raise ValueError(TOO_FEW)
    mean = total / n_cells
    covariance = (cross - n_cells * np.outer(mean, mean)) / (n_cells - 1)
    variance, loadings = _largest(covariance, n_components=min(n_components, n_cells - 1))
    return _oriented(loadings, mean, variance)


def _largest(matrix: np.ndarray, *, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest eigenvalues of a symmetric matrix, in descending order, and vectors."""
    from scipy import linalg  # imported here: most jobs that read this module need no components

    size = len(matrix)
    n_components = min(n_components, size)
    values, vectors = linalg.eigh(matrix, subset_by_index=(size - n_components, size - 1))
    return values[::-1], vectors[:, ::-1]


def _sums_and_cross_products(
    parts: Iterable[sparse.csr_array],
) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the number of cells, the sum of each gene, and genes x genes sums of products."""
    n_cells, n_frequent = 0, 0
    order, total, cross = np.zeros(0, dtype=int), np.zeros(0), np.zeros((0, 0))
    for values in parts:
        if n_cells == 0:
            size = values.shape[1]
            seen = np.bincount(values.indices, minlength=size)
            order = np.argsort(-seen, kind="stable")
            n_frequent = int((seen > FREQUENT * values.shape[0]).sum())
            total, cross = np.zeros(size), np.zeros((size, size))
        column = np.argsort(order).astype(values.indices.dtype)
        for start in range(0, values.shape[0], CHUNK):
            chunk = values[start : start + CHUNK]
            sorted_genes = (chunk.data.astype(np.float64), column[chunk.indices], chunk.indptr)
            sorted_values = sparse.csr_array(sorted_genes, shape=chunk.shape)
            frequent = sorted_values[:, :n_frequent].toarray()
            rare = sorted_values[:, n_frequent:]
            by_gene = rare.T.tocsr()
            cross[:n_frequent, :n_frequent] += frequent.T @ frequent
            cross[n_frequent:, :n_frequent] += by_gene @ frequent
            cross[n_frequent:, n_frequent:] += (by_gene @ rare).toarray()
            total += sorted_values.sum(axis=0)
        n_cells += values.shape[0]
    cross[:n_frequent, n_frequent:] = cross[n_frequent:, :n_frequent].T
    place = np.argsort(order)
    return n_cells, total[place], cross[np.ix_(place, place)]


def _oriented(loadings: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> PrincipalComponents:
    """Drop components without variance, and make the largest loading of each one positive."""
    kept = variance > max(variance[0], 0) * MIN_VARIANCE
    loadings = loadings[:, kept]
    largest = np.abs(loadings).argmax(axis=0)
    signs = np.sign(loadings[largest, np.arange(loadings.shape[1])])
    return PrincipalComponents(loadings * signs, mean, variance[kept])
