"""Compare the UMAP with umap-learn's on the same neighbors: CPU seconds, and what each keeps.

    python -m benchmarks.umap_quality RESULTS ... [--space harmony] [--pictures FOLDER]

Reads the embedding, its neighbors and the clusters of finished runs. Trustworthiness is that of
scikit-learn for 15 neighbors among 5,000 random cells. The other figures are means over 2,000
cells: the share of a cell's neighbors that are among its 20 and its 100 nearest in the UMAP, the
share of its 20 nearest there that are of its cluster, and the share of its neighbors that are no
farther than 5, which falls where groups are torn apart. The seconds include umap-learn's import,
which compiles. The exit status is 1 if a limit is missed.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from sklearn.manifold import trustworthiness

from benchmarks.figures import Figure, print_figures
from lammscope.core.indexed import CellIndex
from lammscope.joint.neighbors import find_neighbors
from lammscope.joint.umap_graph import fuzzy_graph
from lammscope.joint.umap_layout import optimize_layout, starting_layout

SEED, MIN_DIST, EPOCHS = 1, 0.3, 200
MAX_CELLS = 50_000  # laid out, as in the workflow
FEW, MANY = 20, 100  # nearest in the UMAP
FAR = 5.0  # in the UMAP, where clusters are 2 to 5 wide
# Between five seeds of umap-learn, each of these differs by less than this.
ALLOWED = 0.01


def ours(space: np.ndarray, indices: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Lay out the cells with the functions of the workflow."""
    rng = np.random.default_rng(SEED)
    start = starting_layout(space, rng)
    graph = fuzzy_graph(indices, distances)
    return optimize_layout(start, graph, min_dist=MIN_DIST, epochs=EPOCHS, rng=rng)


def learned(space: np.ndarray, indices: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Lay out the cells with umap-learn."""
    from umap import UMAP

    own = np.arange(len(space), dtype=indices.dtype)
    neighbors = np.column_stack([own, indices])
    model = UMAP(
        n_neighbors=neighbors.shape[1],
        min_dist=MIN_DIST,
        n_epochs=EPOCHS,
        init="pca",
        random_state=SEED,
        n_jobs=1,
        precomputed_knn=(neighbors, np.column_stack([np.zeros_like(distances[:, 0]), distances])),
        force_approximation_algorithm=True,  # else fewer than 4,096 cells are searched again
    )
    return np.asarray(model.fit_transform(space))


def kept(
    layout: np.ndarray, space: np.ndarray, indices: np.ndarray, cluster: np.ndarray
) -> dict[str, float]:
    """Measure what a layout keeps of the neighbors and the clusters."""
    rng = np.random.default_rng(SEED)
    some = rng.choice(len(space), min(5_000, len(space)), replace=False)
    rows = rng.choice(len(space), min(2_000, len(space)), replace=False)
    nearest = cKDTree(layout).query(layout[rows], MANY + 1)[1][:, 1:]
    found = (nearest[:, :, None] == indices[rows][:, None, :]).any(axis=2)
    n_neighbors = indices.shape[1]
    away = np.linalg.norm(layout[rows][:, None] - layout[indices[rows]], axis=2)
    shares = {
        "trustworthiness": trustworthiness(space[some], layout[some], n_neighbors=15),
        f"neighbors among {FEW}": found[:, :FEW].sum(axis=1).mean() / n_neighbors,
        f"neighbors among {MANY}": found.sum(axis=1).mean() / n_neighbors,
        "same cluster": (cluster[nearest[:, :FEW]] == cluster[rows][:, None]).mean(),
        "neighbors not far": (away <= FAR).mean(),
    }
    return {what: float(share) for what, share in shares.items()}


def compare(results: Path, *, space_name: str, pictures: Path | None) -> Iterator[Figure]:
    """Lay out the cells of a run in both ways and compare what is kept."""
    index = CellIndex(results / "joint" / "cells.parquet")
    space = index.read_arrays(results / "joint" / f"{space_name}.npz")["space"]
    near = index.read_arrays(results / "joint" / "neighbors.npz")
    indices, distances = near["indices"], near["distances"]
    cluster = index.read_table(results / "joint" / "clusters.parquet")["cluster"].to_numpy()
    if len(space) > MAX_CELLS:
        drawn = np.sort(np.random.default_rng(SEED).choice(len(space), MAX_CELLS, replace=False))
        space, cluster = space[drawn], cluster[drawn]
        indices, distances = find_neighbors(
            space, n_neighbors=indices.shape[1], seed=SEED, threads=1
        )
    ways: dict[str, Callable[..., np.ndarray]] = {"ours": ours, "umap-learn": learned}
    layouts, measured = {}, {}
    for way, lay_out in ways.items():
        start = time.process_time()
        layouts[way] = lay_out(space, indices, distances)
        yield Figure(f"{results} {way}", "CPU s", time.process_time() - start)
        measured[way] = kept(layouts[way], space, indices, cluster)
    for what, value in measured["ours"].items():
        theirs = measured["umap-learn"][what]
        yield Figure(f"{results} umap-learn", what, theirs)
        yield Figure(f"{results} ours", what, value, low=theirs - ALLOWED)
    if pictures is not None:
        draw(layouts, cluster, pictures / f"{results.parent.name}_{results.name}.png")


def draw(layouts: dict[str, np.ndarray], cluster: np.ndarray, path: Path) -> None:
    """Draw the layouts side by side, colored by cluster."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(14, 7), layout="constrained")
    names, code = np.unique(cluster, return_inverse=True)
    colors = mpl.colormaps["gist_rainbow"](np.linspace(0, 1, len(names)))
    colors = colors[np.random.default_rng(SEED).permutation(len(names))]
    for axes, (way, layout) in zip(canvas.subplots(1, len(layouts)), layouts.items(), strict=True):
        axes.scatter(*layout.T, c=colors[code], s=max(0.3, 2e4 / len(layout)), linewidths=0)
        axes.set(title=f"{path.stem}: {way}", aspect="equal", xticks=[], yticks=[])
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, dpi=90)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the layouts of every run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--space", default="harmony", help="name of the embedding in use")
    parser.add_argument("--pictures", type=Path, help="folder for drawings of both layouts")
    given = parser.parse_args(arguments)
    missed = 0
    for results in given.results:
        missed += print_figures(compare(results, space_name=given.space, pictures=given.pictures))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
