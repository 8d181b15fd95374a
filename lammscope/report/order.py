"""Order of populations, samples and cells in figures and tables."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from lammscope.core.words import readable

# One hue per lineage, with a lightness per population; only LAMM is crimson. LAMM differs from all
# others, and myeloid populations and those of lymphocytes differ among each other, also for readers
# with red-green blindness (tests/unit/report/figures/test_colors.py). Legends, bars and tables have
# this order.
POPULATION_COLORS = {
    "LAMM": "#d1003f",
    "Classical_monocyte": "#e8b020",
    "Nonclassical_monocyte": "#f6dd94",
    "Macrophage": "#271300",
    "cDC1": "#aaa2f6",
    "cDC2": "#895eb1",
    "DC3": "#d3c1e2",
    "pDC": "#48247c",
    "Neutrophil": "#b2a692",
    "Basophil": "#dfd8c8",
    "Mast": "#f2975c",
    "CD4_T": "#408ad2",
    "CD8_T": "#324c81",
    "Treg": "#8db7e6",
    "CAR_T": "#0094ac",
    "T_unknown_CAR": "#b2e6ee",
    "other_T": "#bedcf8",
    "NK": "#3b41a1",
    "B": "#8dccb7",
    "Malignant_B": "#2c988b",
    "Plasma": "#d3f0e3",
    "Progenitor": "#6c7e8c",
    "Platelet": "#c0c5cc",
    "Erythroid": "#9c9283",
    "Fibroblast": "#9cb53d",
    "Mural": "#bdc689",
    "Endothelial": "#dca58b",
    "Epithelial": "#b98aa5",
    "Keratinocyte": "#ae9f99",
    "unassigned": "#d6d7d9",
}

VOLCANO_FIRST = ("LAMM", "Classical_monocyte", "CD8_T", "CD4_T", "CAR_T", "Macrophage", "NK")

KEYS = ("estimate", "ci_low", "ci_high")


def population_order(names: Iterable[Any]) -> list[str]:
    """Sort population names in the order of legends; unknown names follow alphabetically."""
    known = {name: rank for rank, name in enumerate(POPULATION_COLORS)}
    return sorted({str(name) for name in names}, key=lambda name: (known.get(name, 999), name))


# --- samples in order -----------------------------------------------------------------------------


def sample_groups(samples: pd.DataFrame) -> pd.DataFrame:
    """Order samples by arm, phase, patient and day, and name their group.

    Returns the rows of `samples` with a column `group`: "responder, pre" if the cohort has arms and
    phases, else the first of arm, phase, sorted fraction and time point that it has; and `label`,
    their names in figures.
    """
    table = samples.copy()
    parts = []
    if table["response"].notna().any():
        parts.append(table["response"].map(readable, na_action="ignore").fillna("no label"))
    if table["phase"].notna().any():
        parts.append(table["phase"].fillna("other time"))
    for column in ("sort", "timepoint"):
        if not parts and column in table and table[column].nunique() > 1:
            parts.append(table[column].fillna("not stated"))
    table["group"] = [", ".join(words) for words in zip(*parts, strict=True)] if parts else ""
    arm = table["response"].map({"responder": 0, "non_responder": 1}).fillna(2)
    phase = table["phase"].map({"pre": 0, "post": 1}).fillna(2)
    table["label"] = table["sample"].map(shown_names(table))
    own = {"_arm": arm, "_phase": phase}
    if "day" in table:
        own["_day"] = pd.to_numeric(table["day"], errors="coerce")
    table = table.assign(**own)
    columns = ["_arm", "_phase", "group", "patient", *(["_day"] if "_day" in own else []), "label"]
    return table.sort_values(columns, kind="stable").drop(columns=list(own))


def shown_names(samples: pd.DataFrame) -> dict[str, str]:
    """Return the name of each sample in figures: its `label`, if the table has one, or its name."""
    labels = samples["label"] if "label" in samples else samples["sample"]
    return dict(zip(samples["sample"].astype(str), labels.astype(str), strict=True))


# --- cells in order -------------------------------------------------------------------------------


def shown_cells(n_cells: int, *, max_points: int, rng: np.random.Generator) -> np.ndarray:
    """Return the rows of cells that a UMAP shows: all, or `max_points` random ones."""
    if n_cells > max_points:
        return rng.choice(n_cells, size=max_points, replace=False)
    return np.arange(n_cells)


def drawing_order(n_cells: int, *, max_points: int, rng: np.random.Generator) -> np.ndarray:
    """Return the same rows in random order, so that no sample is drawn on top of the others."""
    return rng.permutation(shown_cells(n_cells, max_points=max_points, rng=rng))


# --- rows of results ------------------------------------------------------------------------------


def volcano_types(expression: pd.DataFrame, *, n_types: int) -> list[str]:
    """Return the populations to show: LAMM, then the main cell types, then the others."""
    tested = expression[expression["p"].notna()]["cell_type"].value_counts()
    first = [name for name in VOLCANO_FIRST if name in tested.index]
    others = [name for name in population_order(list(tested.index)) if name not in first]
    return (first + others)[:n_types]


def order_rows(rows: pd.DataFrame, *, first: str = "") -> pd.DataFrame:
    """Order rows by denominator (`first`, then monocytic), then LAMM first and as in legends."""
    known = {name: rank for rank, name in enumerate(population_order(rows["population"]))}
    leading = {"LAMM": -4, "LAMM_macrophage_like": -3, "LAMM_positive": -2, "monocytic": -1}
    places = {"monocytic": 0, "all": 1, "immune": 2} | {first: -1}
    ranks = rows.assign(
        _denominator=rows["denominator"].map(places).fillna(len(places)),
        _population=rows["population"].map(lambda name: leading.get(name, known[name])),
    )
    ranks = ranks.sort_values(["_denominator", "denominator", "_population"], kind="stable")
    return ranks.drop(columns=["_denominator", "_population"]).reset_index(drop=True)
