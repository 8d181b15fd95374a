"""The interactive map of the cells: which are shown, and what they can be colored by.

The map has the coordinates of the UMAP. Above `MAX_CELLS` it shows a random part of the cells, with
at least `MIN_KEPT` of each population and each sample where there are as many. Counts are of all
cells.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from lammscope.core.names import LEVELS
from lammscope.core.words import readable
from lammscope.report.figures.style import ARM_COLORS, LAMM_COLOR, PHASE_COLORS, population_colors
from lammscope.report.order import POPULATION_COLORS, sample_groups
from lammscope.report.packing import codes, pack

MAX_CELLS = 30_000
MIN_KEPT = 50
MAX_GENES = 30
FIRST_GENES = ("SPP1", "CAR")  # after the defining markers
GRID = 2**16 - 1  # steps of the longer side
TOP = 254  # code of the largest value
MISSING = 255
SATURATED = 99  # percentile of the values above zero at which the color is strongest
NO_LABEL = "no label"
# Names without a color have that of the page's lines.
CALL_COLORS = {
    "LAMM": LAMM_COLOR,
    "uncertain": "#6b5a86",
    "not_LAMM": POPULATION_COLORS["Classical_monocyte"],
    "other lineage": "",
}


def choose_cells(
    cells: pd.DataFrame,
    *,
    rng: np.random.Generator,
    max_cells: int = MAX_CELLS,
    min_kept: int = MIN_KEPT,
) -> np.ndarray:
    """Return the rows of the cells to show, in random order.

    Parameters
    ----------
    cells
        `population` and `sample` of all cells.
    rng
        Makes the choice and the order.
    max_cells
        The largest number of rows.
    min_kept
        Cells of each population and of each sample that are kept before others.
    """
    order = rng.permutation(len(cells))
    shuffled = cells.iloc[order]
    of_type = shuffled.groupby("population", sort=False).cumcount().to_numpy() < min_kept
    of_sample = shuffled.groupby("sample", sort=False).cumcount().to_numpy() < min_kept
    turn = np.where(of_type, 0, np.where(of_sample, 1, 2))
    chosen = np.sort(np.argsort(turn, kind="stable")[:max_cells])
    return order[chosen]


def choose_genes(
    clusters: pd.DataFrame, *, definers: Iterable[str], present: Iterable[str]
) -> list[str]:
    """Return up to `MAX_GENES` symbols: definers, SPP1, CAR, then the best markers of each type.

    Parameters
    ----------
    clusters
        `cell_type` and `top_markers` (best first, separated by commas) of each cluster.
    definers
        Defining markers of LAMM cells.
    present
        Symbols that have counts; others are left out.
    """
    colors = population_colors(clusters["cell_type"])
    rank = {name: place for place, name in enumerate(colors)}
    ordered = clusters.iloc[np.argsort(clusters["cell_type"].map(rank), kind="stable")]
    lists = [str(text).split(",") for text in ordered["top_markers"].dropna()]
    longest = max(map(len, lists), default=0)
    markers = [names[i] for i in range(longest) for names in lists if i < len(names)]
    known = set(present)
    found = [name for name in [*definers, *FIRST_GENES, *markers] if name in known]
    return list(dict.fromkeys(found))[:MAX_GENES]


def pack_cell_map(
    cells: pd.DataFrame,
    *,
    umap: np.ndarray,
    samples: pd.DataFrame,
    levels: pd.DataFrame,
    shown: np.ndarray,
) -> dict[str, Any]:
    """Return the map as plain values, with arrays packed by `packing.pack`.

    Parameters
    ----------
    cells
        `annotation/cells.parquet`: all cells.
    umap
        Their coordinates, n x 2.
    samples
        The sample table.
    levels
        log(1 + UMIs per 10,000) of all cells (rows) and genes (columns).
    shown
        Rows of the cells that the map shows, from `choose_cells`.

    Returns
    -------
    dict
        `n_all` and `n_shown` cells; `width` and `height` of the map in steps; `x` and `y` (uint16,
        y from the top); `groups` and `values`, from which a reader chooses. A group has `names`,
        `colors`, `counts` (of all cells) and, for each shown cell, the position of its name in
        `codes` (uint8 or uint16), or for each name of the group `sample` in `by_sample`. A value
        has `codes` (uint8; 0 to `TOP` are equal steps from `low` to `high`, `MISSING` is none),
        `top` (where the color is strongest) and `detected` (percentage of cells above zero).
    """
    xy = np.asarray(umap, dtype=float)
    low, span = (xy.min(axis=0), np.ptp(xy, axis=0)) if len(xy) else (np.zeros(2), np.ones(2))
    step = max(float(span.max()), 1e-9) / GRID
    places = np.round((xy[shown] - low) / step)
    width, height = (int(side) for side in np.round(span / step))
    sample_names = list(sample_groups(samples[samples["sample"].isin(cells["sample"])])["sample"])
    return {
        "n_all": len(cells),
        "n_shown": len(shown),
        "width": width,
        "height": height,
        "x": pack(places[:, 0].astype(np.uint16)),
        "y": pack((height - places[:, 1]).astype(np.uint16)),
        "groups": [
            *_cell_groups(cells, shown=shown, sample_names=sample_names),
            *_sample_groups(cells["sample"], samples=samples, sample_names=sample_names),
        ],
        "values": [*_lamm_values(cells, shown), *_gene_values(levels, shown)],
    }


def _cell_groups(
    cells: pd.DataFrame, *, shown: np.ndarray, sample_names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the groups that differ between cells of a sample, and the samples."""
    types = cells["population"].astype(str)
    clusters = cells["cluster"].astype(str)
    cluster_names = sorted(set(clusters), key=lambda name: (len(name), name))
    monocytic = cells["lineage"] == "monocytic"
    calls = cells["lamm_call"].astype(object).where(monocytic, "other lineage").fillna("not_LAMM")
    groups = [
        ("type", "Cell type", types, population_colors(types)),
        ("call", "LAMM call", calls, CALL_COLORS),
        ("cluster", "Cluster", clusters, _shades(cluster_names)),
        ("sample", "Sample", cells["sample"].astype(str), _shades(sample_names)),
    ]
    result = []
    for key, label, values, colors in groups:
        positions = pd.Index(list(colors)).get_indexer(pd.Index(values))
        packed = pack(codes(positions[shown], len(colors)))
        result.append(_group(key, label, colors, positions) | {"codes": packed})
    return result


def _sample_groups(
    of_cell: pd.Series, *, samples: pd.DataFrame, sample_names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the groups that are the same in all cells of a sample."""
    table = samples.set_index("sample").reindex(list(sample_names))
    cell_sample = pd.Index(sample_names).get_indexer(pd.Index(of_cell.astype(str)))
    result = []
    for key, label, fixed in (
        ("patient", "Patient", {}),
        ("response", "Response", ARM_COLORS),
        ("phase", "Phase", PHASE_COLORS),
    ):
        values = table[key].astype(object).where(table[key].notna(), NO_LABEL).astype(str)
        names = [name for name in fixed if (values == name).any()]
        names += [name for name in dict.fromkeys(values) if name not in (*names, NO_LABEL)]
        shades = _shades(names)
        colors = {name: fixed.get(name, shades[name]) for name in names}
        colors |= {NO_LABEL: ""} if (values == NO_LABEL).any() else {}
        positions = pd.Index(list(colors)).get_indexer(pd.Index(values))
        result.append(
            _group(key, label, colors, positions[cell_sample]) | {"by_sample": positions.tolist()}
        )
    return result


def _group(
    key: str, label: str, colors: Mapping[str, str], positions: np.ndarray
) -> dict[str, Any]:
    """Return names, colors and numbers of cells of a group."""
    return {
        "key": key,
        "label": label,
        "names": [name if key in ("sample", "patient") else readable(name) for name in colors],
        "colors": list(colors.values()),
        "counts": np.bincount(positions, minlength=len(colors)).tolist(),
    }


def _shades(names: Sequence[str]) -> dict[str, str]:
    """Return distinct colors in the order of names, as in the UMAP of samples."""
    shades = colormaps["turbo"](np.linspace(0.04, 0.96, max(len(names), 2)))
    return {name: to_hex(shade) for name, shade in zip(names, shades, strict=False)}


def _lamm_values(cells: pd.DataFrame, shown: np.ndarray) -> list[dict[str, Any]]:
    """Return probabilities of LAMM at both levels and the LAMM score, of monocytic cells."""
    monocytic = cells["lineage"] == "monocytic"
    values = []
    for level in LEVELS:
        chance = cells[f"lamm_{level}"].fillna(0).where(monocytic).to_numpy(dtype=float)
        label = f"Probability of LAMM ({readable(level)})"
        values.append(_value("LAMM", label, chance, shown=shown, low=0.0, high=1.0))
    score = cells["lamm_score"].to_numpy(dtype=float)
    values.append(_value("LAMM", "LAMM score", score, shown=shown, low=-1.0, high=1.0))
    return values


def _gene_values(levels: pd.DataFrame, shown: np.ndarray) -> list[dict[str, Any]]:
    result = []
    for name in levels:
        level = levels[name].to_numpy(dtype=float)
        above = level[level > 0]
        high = float(above.max()) if len(above) else 1.0
        top = float(np.percentile(above, SATURATED)) if len(above) else 1.0
        share = 100 * float(np.mean(level > 0)) if len(level) else 0.0
        packed = _value("Genes", str(name), level, shown=shown, low=0.0, high=high)
        result.append(packed | {"top": round(top, 3), "detected": round(share, 1)})
    return result


def _value(
    family: str, label: str, values: np.ndarray, *, shown: np.ndarray, low: float, high: float
) -> dict[str, Any]:
    """Return the values of the shown cells in 255 steps."""
    steps = np.round(TOP * (np.clip(values[shown], low, high) - low) / (high - low))
    packed = np.where(np.isfinite(steps), steps, MISSING).astype(np.uint8)
    n_known = int(np.isfinite(values).sum())
    return {
        "family": family,
        "label": label,
        "low": low,
        "high": round(high, 4),
        "top": round(high, 4),
        "n_known": n_known,
        "codes": pack(packed),
    }
