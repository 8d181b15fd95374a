"""The joint space in the report: what was corrected, what that kept and lost, stable clusters."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lammscope.core.names import AUTO, NONE
from lammscope.joint.integration import METHODS
from lammscope.report.table import Column, build_table

SCORE_COLUMNS = (
    Column("space", "Joint space", "text"),
    Column("use", "", "text"),
    Column("mixing", "Batches mixed", "number", "0: batches apart, 1: as if at random (iLISI)"),
    Column("structure", "Structure kept", "number", "purity of populations within samples (cLISI)"),
    Column("n_populations", "Populations", "count", "found in samples by themselves, in all"),
    Column("n_lost", "Lost", "count", "that no longer stand apart from their sample's other cells"),
    Column("lamm_before", "LAMM in own sample", "count", "called from the sample alone"),
    Column("pct_lamm_kept", "Called in joint space too", "percent"),
    Column("n_samples_lamm_lost", "Samples that lose them", "count"),
)  # fmt: skip
LOST_COLUMNS = (
    Column("sample", "Sample"),
    Column("cell_type", "Most like", "name"),
    Column("n_cells", "Cells", "count"),
    Column("apart_before", "Apart before", "number", "0: among others of its sample, 1: by itself"),
    Column("apart_after", "Apart after", "number"),
)
LAMM_COLUMNS = (
    Column("sample", "Sample"),
    Column("lamm_before", "LAMM in own sample", "count"),
    Column("pct_lamm_kept", "Called in joint space too", "percent"),
)
STABILITY_COLUMNS = (
    Column("resolution", "Resolution", "number"),
    Column("use", "", "text"),
    Column("n_clusters", "Clusters", "count"),
    Column("stability", "Stability", "number", "adjusted Rand index of two draws of cells, mean"),
    Column("lowest", "Lowest", "number", "of the pairs of draws"),
)


def joint_section(
    scores: pd.DataFrame,
    *,
    lost: pd.DataFrame,
    lamm: pd.DataFrame,
    stability: pd.DataFrame,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Which joint space is used and why, with its tables.

    Parameters
    ----------
    scores, lost, lamm, stability
        `integration_scores.tsv`, `lost_populations.tsv`, `lamm_kept.tsv` and `stability.tsv` of
        `joint/`.
    config
        The resolved config.
    """
    used = str(scores.loc[scores["used"], "method"].iloc[0])
    n_batches = int(scores["n_batches"].iloc[0])
    column = config["integration"]["batch"]
    auto = config["integration"]["method"] == AUTO
    if n_batches < 2:
        lines = ["All cells are of one batch: there is nothing to correct."]
    elif used == NONE:
        others = scores[scores["method"] != NONE]
        why = ""
        if auto and len(others):
            kept = "of those that keep the populations mixes batches better"
            why = f", since none {kept if others['passes'].any() else 'keeps the populations'}"
        lines = [f"Cells are compared without correction for their {n_batches} batches{why}."]
    else:
        why = " It mixes batches best among the spaces that keep the populations." if auto else ""
        lines = [
            f"Cells are compared in the space of {METHODS[used].words}, corrected for {column} "
            f"({n_batches} batches).{why}"
        ]
    words = {NONE: "no correction"} | {name: method.words for name, method in METHODS.items()}
    row = scores[scores["used"]].iloc[0]
    if not row["passes"]:
        lines.append(
            "This space loses more LAMM cells or structure than is allowed for a choice by scores "
            "(`integration.method: auto`): compare with the other one before trusting its clusters."
        )
    table = scores.assign(
        space=scores["method"].map(words),
        use=scores["used"].map({True: "used", False: ""}),
        pct_lamm_kept=100 * scores["lamm_kept"],
    )
    gone = lost[lost["method"] == used]
    few = lamm[(lamm["method"] == used) & lamm["lost"]]
    return {
        "lines": lines,
        "scores": build_table(table, SCORE_COLUMNS),
        "lost": build_table(gone, LOST_COLUMNS) if len(gone) else None,
        "lamm": build_table(few.assign(pct_lamm_kept=100 * few["lamm_kept"]), LAMM_COLUMNS)
        if len(few)
        else None,
        "stability": build_table(
            stability.assign(use=stability["used"].map({True: "used", False: ""})),
            STABILITY_COLUMNS,
        ),
    }


def empty_line(qc_summary: pd.DataFrame) -> str:
    """Names the samples of which no cell is left, which other tables hold with zero cells."""
    names = qc_summary.loc[qc_summary["n_cells"] == 0, "sample"].tolist()
    if not names:
        return ""
    one = len(names) == 1
    return (
        f"No cell of sample{'' if one else 's'} {', '.join(names)} passes quality control: "
        f"{'it stands' if one else 'they stand'} in the tables with zero cells, and no test can "
        f"use {'it' if one else 'them'}."
    )
