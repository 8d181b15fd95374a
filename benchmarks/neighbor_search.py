"""Compare methods of nearest neighbor search: seconds and recall.

    python -m benchmarks.neighbor_search SPACE.npz [--neighbors K] [--threads N]

Reads the integrated embedding of a run (`results/joint/harmony.npz`) and tries the inverted file
and the navigable small world of faiss at several settings. Recall is computed over 1,000 cells that
are also searched exactly.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import faiss
import numpy as np

from lammscope.joint.neighbors import find_neighbors

SEED = 1


def exact(space: np.ndarray) -> faiss.Index:
    """Make an index that compares all cells."""
    index = faiss.IndexFlatL2(space.shape[1])
    index.add(space)
    return index


def inverted_file(
    space: np.ndarray, *, lists: float, share: float, points: int, rounds: int
) -> faiss.Index:
    """Make an index of `lists` x sqrt(cells) lists, of which a `share` is searched."""
    size = space.shape[1]
    n_lists = int(lists * np.sqrt(len(space)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(size), size, n_lists)
    index.cp.seed, index.cp.niter, index.cp.max_points_per_centroid = SEED, rounds, points
    index.nprobe = max(8, int(share * n_lists))
    index.train(space)
    index.add(space)
    return index


def small_world(space: np.ndarray, *, links: int, build: int, search: int) -> faiss.Index:
    """Make a hierarchical navigable small world (HNSW)."""
    index = faiss.IndexHNSWFlat(space.shape[1], links)
    index.hnsw.efConstruction, index.hnsw.efSearch = build, search
    index.add(space)
    return index


def recall_of(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of the true neighbors (cells x neighbors) that are found."""
    pairs = zip(truth, found, strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in pairs]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare the methods on the embedding of a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("space")
    parser.add_argument("--neighbors", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    faiss.omp_set_num_threads(given.threads)
    space = np.ascontiguousarray(np.load(given.space)["space"], dtype=np.float32)
    rows = np.random.default_rng(SEED).choice(len(space), 1_000, replace=False)
    k = given.neighbors + 1
    truth = exact(space).search(space[rows], k)[1]
    ways: dict[str, Callable[[], faiss.Index]] = {}
    for lists, share, points, rounds in (
        *((4, 1 / 30, 256, 25), (4, 1 / 30, 64, 10), (4, 1 / 60, 64, 10)),
        *((2, 1 / 60, 64, 10), (2, 1 / 100, 64, 10), (1, 1 / 60, 64, 10)),
    ):
        name = f"inverted file {lists} {share:.4f} {points} {rounds}"
        ways[name] = partial(
            inverted_file, space, lists=lists, share=share, points=points, rounds=rounds
        )
    for links, build, search in ((16, 80, 40), (16, 80, 80), (24, 80, 80)):
        name = f"small world {links} {build} {search}"
        ways[name] = partial(small_world, space, links=links, build=build, search=search)
    if len(space) <= 120_000:
        ways["exact"] = lambda: exact(space)
    print(f"{len(space):,} cells, {space.shape[1]} components, {given.neighbors} neighbors")
    start = time.perf_counter()
    indices, _ = find_neighbors(
        space, n_neighbors=given.neighbors, seed=SEED, threads=given.threads
    )
    found = np.column_stack([rows, indices[rows]])
    spent = time.perf_counter() - start
    print(f"{'in use':34s} {spent:7.1f} s, recall {recall_of(found, truth):.3f}", flush=True)
    for name, make in ways.items():
        start = time.perf_counter()
        index = make()
        built = time.perf_counter()
        found = index.search(space, k)[1][rows]
        end = time.perf_counter()
        print(
            f"{name:34s} {built - start:7.1f} + {end - built:7.1f} s, "
            f"recall {recall_of(found, truth):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
