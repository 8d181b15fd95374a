"""Programs, states and CAR-T share of T cells if half of the samples are sequenced half as deep.

    python -m benchmarks.t_states RESULTS [RESULTS ...]

For finished runs: the UMIs of half of the samples are thinned to one half, four times. Principal
components, neighbors, scores, states and the probabilities of CAR-T cells are computed again, and
the values of the thinned samples are compared with those at full depth.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.car import call_car
from lammscope.axis.t_states import CAR_T, FRACTION, MEAN, T, TPrograms, score_t_cells, sum_measures
from lammscope.cohort.config import read_schema
from lammscope.core.gene_sets import read_signatures
from lammscope.core.indexed import CellIndex, read_table
from lammscope.core.pca import principal_components
from lammscope.core.rates import normalize
from lammscope.core.resources import find_resource
from lammscope.joint.panel_counts import PanelCounts, read_panel

MIN_CELLS = 50  # T cells of a sample that is thinned
N_PCS = 30  # the default of the config
DRAWS = 4


def main(folders: list[str]) -> None:
    """Print how far values move, by kind of value."""
    for folder in map(Path, folders):
        index = CellIndex(folder / "joint" / "cells.parquet")
        panel, has_car = read_panel(sorted((folder / "joint" / "panel").glob("*.npz")), index)
        genes, _, _ = index.stack_counts(sorted((folder / "joint" / "hvg").glob("*.npz")))
        cells = index.read_table(folder / "annotation" / "cells.parquet")
        car = read_table(folder / "annotation" / "car.tsv").set_index("sample")
        before = cells["sample"].map(car["phase"]).eq("pre").to_numpy(dtype=bool)
        is_t = (cells["lineage"] == T).to_numpy()
        sizes = cells.loc[is_t, "sample"].astype(str).value_counts()
        large = sorted(sizes.index[sizes >= MIN_CELLS])
        none = np.zeros(len(cells), dtype=bool)
        rng = np.random.default_rng(1)
        data = (panel, genes, cells, has_car, before)
        full = values(*data, thinned=none, rng=rng)
        moved = []
        for _ in range(DRAWS):
            chosen = rng.permutation(large)[: len(large) // 2]
            thinned = cells["sample"].isin(chosen).to_numpy()
            found = values(*data, thinned=thinned, rng=rng)
            moved.append((found - full).loc[chosen])
        describe(folder, pd.concat(moved), full.loc[large])


def values(
    panel: PanelCounts,
    genes: sparse.csr_array,
    cells: pd.DataFrame,
    has_car: np.ndarray,
    before: np.ndarray,
    *,
    thinned: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the values of all T cells of each sample: samples x (kind, measure)."""
    totals = np.where(thinned, np.round(panel.totals / 2), panel.totals)
    own = replace(panel, matrix=half(panel.matrix, thinned, rng), totals=totals)
    levels = normalize(half(genes, thinned, rng), totals)
    space = principal_components(levels, n_components=N_PCS).project(levels)
    defaults = read_schema("config")["properties"]["axis"]["properties"]
    near = lineage_neighbors(
        space,
        cells=cells,
        lineage=T,
        within="sample",
        n_neighbors=defaults["n_neighbors"]["default"],
        seed=1,
        threads=1,
    )
    sets = read_signatures(map(find_resource, defaults["states"]["default"]))
    rule = {key: defaults[key]["default"] for key in ("leading", "min_lead")}
    scores, _ = score_t_cells(own, cells=cells, neighbors=near, programs=TPrograms(sets, **rule))
    car = call_car(
        own,
        cells=cells,
        neighbors=near,
        has_feature=has_car,
        before_infusion=before,
        sorted_out=False,
        probability=0.9,
    )
    about = cells.assign(car_probability=car["car_probability"].where(~before))
    states = list(rule["leading"])
    measures = sum_measures(scores, about, states=states, has_car=has_car, car_sorted=[])
    table = measures[measures["population"] == T]
    table = table.assign(value=table["total"] / table["n_cells"])
    wide = table.pivot(index="sample", columns=["kind", "measure"], values="value")
    called = (car["car"] == "positive").where(car["car_probability"].notna() & ~before)
    wide[FRACTION, "CAR_T called"] = (
        called.astype(float).groupby(cells["sample"].astype(str)).mean()
    )
    return wide


def half(counts: sparse.csr_array, rows: np.ndarray, rng: np.random.Generator) -> sparse.csr_array:
    """Thin the counts of some cells to one half."""
    result = counts.astype(np.int64)
    chosen = np.repeat(rows, np.diff(result.indptr))
    result.data[chosen] = rng.binomial(result.data[chosen], 0.5)
    result.eliminate_zeros()
    return result


def describe(folder: Path, moved: pd.DataFrame, full: pd.DataFrame) -> None:
    """Print the mean and the mean absolute difference, and the spread between samples."""
    table = pd.DataFrame(
        {
            "mean difference": moved.mean(),
            "mean absolute": moved.abs().mean(),
            "SD between samples": full.std(),
            "n": moved.notna().sum(),
        }
    )
    table["difference / SD"] = table["mean difference"] / table["SD between samples"]
    for kind in (MEAN, FRACTION):
        print(
            f"{folder}: {kind} (CAR-T share: {CAR_T})",
            table.loc[kind].round(3).to_string(),
            sep="\n",
        )


if __name__ == "__main__":
    main(sys.argv[1:])
