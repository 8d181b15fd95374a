"""Neighborhoods: small overlapping groups of cells in the integrated embedding.

A neighborhood is an index cell and its nearest neighbors, as in Milo (Dann et al. 2022,
doi 10.1038/s41587-021-01033-z). Sampling is blind to the response of the patients.
"""

from dataclasses import dataclass

import faiss
import numpy as np
import pandas as pd

CHUNK = 500  # neighborhoods whose cells are held in memory at a time


@dataclass(frozen=True)
class Neighborhoods:
    """Groups of cells around index cells, in the order of the index cells.

    `members` is neighborhoods x cells (rows of the cell index, including the index cell).
    `distance` is the distance to the farthest member, a measure of local sparsity. `counts` is
    neighborhoods x `samples`.
    """

    index_cells: np.ndarray
    members: np.ndarray
    distance: np.ndarray
    counts: np.ndarray
    samples: np.ndarray


def sample_neighborhoods(
    space: np.ndarray,
    cells: pd.DataFrame,
    *,
    share: float,
    max_number: int,
    cells_per_sample: float,
    min_size: int,
    seed: int,
    threads: int,
) -> Neighborhoods:
    """Sample neighborhoods that cover the integrated embedding, and count their cells per sample.

    Each sampled cell is replaced by the cell nearest to the median position of its neighbors
    (Milo's refinement), so that fewer and more typical neighborhoods cover the same cells. Cells
    are sampled by a hash of their names and the seed, so that the order of cells and samples does
    not matter.

    Parameters
    ----------
    space
        Integrated embedding, cells x dimensions.
    cells
        `cell` and `sample`, in the same order.
    share, max_number
        Fraction of cells to sample, and their maximum number. Duplicate index cells are merged.
    cells_per_sample, min_size
        Neighbors per neighborhood: `cells_per_sample` times the number of samples, but at least
        `min_size`.
    seed
        Seed of the sampling.
    threads
        Threads of faiss; they do not change the result.

    Returns
    -------
    Neighborhoods
        Neighborhoods of the whole cohort, all of equal size.
    """
    faiss.omp_set_num_threads(threads)
    space = np.ascontiguousarray(space, dtype=np.float32)
    samples, codes = np.unique(cells["sample"].to_numpy(dtype=str), return_inverse=True)
    size = min(max(min_size, round(cells_per_sample * len(samples))) + 1, len(space))
    number = min(max(round(share * len(space)), 1), max_number)
    seeds = _sampled(cells["cell"], number=number, seed=seed)
    index = faiss.IndexFlatL2(space.shape[1])
    index.add(space)
    index_cells = np.unique(_typical_cells(index, space, seeds, size=size))
    members, distance = _nearest(index, space, index_cells, size=size)
    return Neighborhoods(
        index_cells=index_cells.astype(np.int32),
        members=members,
        distance=distance,
        counts=count_members(codes[members], n_labels=len(samples)),
        samples=samples,
    )


def count_members(codes: np.ndarray, *, n_labels: int) -> np.ndarray:
    """Count the labels (0, 1, ...) of each row: rows x labels."""
    rows = np.arange(len(codes))[:, None] * n_labels
    flat = np.bincount((rows + codes).ravel(), minlength=len(codes) * n_labels)
    return flat.reshape(len(codes), n_labels).astype(np.int32)


def _sampled(names: pd.Series, *, number: int, seed: int) -> np.ndarray:
    """Return the rows of the cells whose names have the lowest hashes."""
    hashes = pd.util.hash_pandas_object(
        names.astype(str), index=False, hash_key=f"{seed % 10**16:016d}", categorize=False
    ).to_numpy()
    return np.sort(np.argpartition(hashes, number - 1)[:number])


def _typical_cells(
    index: faiss.Index, space: np.ndarray, seeds: np.ndarray, *, size: int
) -> np.ndarray:
    """Find the cell nearest to the median position of the neighbors of each sampled cell."""
    found = []
    for start in range(0, len(seeds), CHUNK):
        _, near = index.search(space[seeds[start : start + CHUNK]], size)
        _, nearest = index.search(np.median(space[near], axis=1).astype(np.float32), 1)
        found.append(nearest[:, 0])
    return np.concatenate(found)


def _nearest(
    index: faiss.Index, space: np.ndarray, index_cells: np.ndarray, *, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest cells of each index cell (itself included), and the largest distance."""
    parts = [
        index.search(space[index_cells[start : start + CHUNK]], size)
        for start in range(0, len(index_cells), CHUNK)
    ]
    members = np.concatenate([near for _, near in parts]).astype(np.int32)
    # among identical cells faiss may miss the index cell, which belongs to its neighborhood
    missing = ~(members == index_cells[:, None]).any(axis=1)
    members[missing, -1] = index_cells[missing]
    farthest = np.concatenate([squared[:, -1] for squared, _ in parts])
    return np.sort(members, axis=1), np.sqrt(np.maximum(farthest, 0))
