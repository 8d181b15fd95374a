"""Audit of ambient RNA: whether it has the same composition in the groups of a contrast.

Where a lineage is common in one group only, its genes are in the ambient RNA of that group, and
seem to be higher there in every population. When B cells vanish after infusion, IGKC, CD79A and
CD74 seem to fall in T cells.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.cohort.associations import Row
from lammscope.cohort.audit_contamination import group_values, permutation_p
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import SIDES
from lammscope.core.names import ALPHA, PROFILE
from lammscope.core.shards import read_genes
from lammscope.ingest.lineage_markers import MARKERS, marker_symbols

ITEM = "ambient_profile"
# Our choices. A gene that a population lacks seems to differ by as much as ambient RNA does, so
# twofold matters if it is certain, and fourfold in any case.
LARGE, NOTABLE = 2.0, 1.0  # log2
MIN_SHARE = 1e-4  # of a lineage's markers in the ambient RNA of one group
FLOOR = 1e-5  # added to shares, for logarithms
WORDS = {
    "T_NK": "T and NK cells",
    "B": "B cells",
    "plasma": "plasma cells",
    "monocyte_DC": "monocytes and dendritic cells",
    "macrophage": "macrophages",
    "neutrophil": "neutrophils",
    "platelet": "platelets",
    "erythroid": "erythroid cells",
    "progenitor": "progenitors",
    "mast": "mast cells",
    "endothelial": "endothelial cells",
    "stromal": "stromal cells",
    "epithelial": "epithelial cells",
}


def read_soups(samples: Iterable[str], paths: Iterable[str | Path]) -> dict[str, dict[str, float]]:
    """Read the composition of the ambient RNA of each sample, from its count file."""
    genes = map(read_genes, paths)
    return {sample: lineage_shares(own) for sample, own in zip(samples, genes, strict=True)}


def lineage_shares(genes: pd.DataFrame) -> dict[str, float]:
    """Sum the shares of each lineage's marker genes in ambient RNA.

    Parameters
    ----------
    genes
        `gene`, `symbol` and `ambient_profile`.

    Returns
    -------
    dict
        A share for each of `lineage_markers.MARKERS`; NaN if the profile is empty.
    """
    profile = genes[PROFILE].to_numpy(dtype=float)
    symbols = marker_symbols(genes)
    known = profile.sum() > 0
    return {
        lineage: float(profile[symbols.isin(markers.split()).to_numpy()].sum()) if known else np.nan
        for lineage, (_, markers) in MARKERS.items()
    }


def soup_rows(comparison: Comparison, soups: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """Return the audit row on the composition of ambient RNA; none without patients.

    Geometric means of shares are compared between arms (their changes from `pre` to `post`, for a
    change), or between the sides of pairs.

    Parameters
    ----------
    comparison
        The contrast, applied to the cohort.
    soups
        `lineage_shares` of each sample.
    """
    if not len(comparison.units):
        return []
    compared = {}
    for lineage in MARKERS:
        shares = {sample: own[lineage] for sample, own in soups.items()}
        logs = {sample: float(np.log2(share + FLOOR)) for sample, share in shares.items()}
        groups = [group.dropna().to_numpy() for group in group_values(comparison, logs)]
        if min(map(len, groups)) and _is_common(comparison, shares):
            compared[lineage] = groups
    differing = {
        lineage: _words(lineage, groups, comparison)
        for lineage, groups in compared.items()
        if _differs(groups, n_tests=len(compared), paired=not comparison.contrast.between_patients)
    }
    if not compared:
        return [(ITEM, "unknown", "note", "The composition of ambient RNA is not known.")]
    if not differing:
        message = "The composition of ambient RNA (marker genes of lineages) is similar."
        return [(ITEM, "similar", "ok", message)]
    message = (
        f"The composition of ambient RNA differs: genes of {', of '.join(differing.values())}. "
        "They may seem to differ in all other cells. Expression tables mark such genes."
    )
    return [(ITEM, ",".join(differing), "warning", message)]


def _is_common(comparison: Comparison, shares: Mapping[str, float]) -> bool:
    """Tell whether any side of the contrast has enough of a lineage's genes."""
    used = comparison.sides[comparison.sides["complete"]]
    groups = used["arm"] + used["side"]
    of_samples = used["samples"].explode().map(shares)
    return bool(of_samples.groupby(groups).mean().max() >= MIN_SHARE)


def _differs(groups: list[np.ndarray], *, n_tests: int, paired: bool) -> bool:
    difference = abs(float(groups[0].mean() - groups[1].mean()))
    if difference < NOTABLE:
        return False
    return difference >= LARGE or permutation_p(groups, paired=paired) < ALPHA / n_tests


def _words(lineage: str, groups: list[np.ndarray], comparison: Comparison) -> str:
    """Return words such as `B cells (8.1 times as much in pre samples)`."""
    contrast = comparison.contrast
    difference = float(groups[0].mean() - groups[1].mean())
    higher = contrast.group(SIDES[0] if difference > 0 else SIDES[1])
    times = f"{2 ** abs(difference):.2g} times"
    if contrast.has_arms and contrast.has_sides:
        return f"{WORDS[lineage]} (after against before infusion {times} as much in {higher})"
    return f"{WORDS[lineage]} ({times} as much in {higher})"
