"""Content of the section on the integrated embedding, its scores and the stability of clusters."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lammscope.core.names import AUTO, NONE
from lammscope.joint.integration import METHODS
from lammscope.report.catalog import result_path
from lammscope.report.table import Column, build_table

SCORE_COLUMNS = (
    Column("space", "Embedding", "text"),
    Column("use", "In use", "text"),
    Column("mixing", "Batches mixed", "number", "0: one batch around a cell, 1: random (iLISI)"),
    Column("structure", "Structure kept", "number", "purity of populations within samples (cLISI)"),
    Column("n_populations", "Populations", "count", "found in single samples, in total"),
    Column("n_lost", "Populations lost", "count", "no longer separated from their sample's cells"),
    Column("lamm_before", "LAMM in own sample", "count", "called from a cell's own sample alone"),
    Column("pct_lamm_kept", "Also called in embedding", "percent"),
    Column("n_samples_lamm_lost", "Samples losing most", "count", "of at least 5 LAMM cells"),
)  # fmt: skip
LOST_COLUMNS = (
    Column("sample", "Sample"),
    Column("cell_type", "Cell type", "name"),
    Column("n_cells", "Cells", "count"),
    Column("apart_before", "Separation before", "number", "0: none, 1: complete"),
    Column("apart_after", "Separation after", "number"),
)
LAMM_COLUMNS = (
    Column("sample", "Sample"),
    Column("lamm_before", "LAMM in own sample", "count"),
    Column("pct_lamm_kept", "Also called in embedding", "percent"),
)
STABILITY_COLUMNS = (
    Column("resolution", "Resolution", "number"),
    Column("use", "In use", "text"),
    Column("n_clusters", "Clusters", "count"),
    Column("stability", "Stability", "number", "mean adjusted Rand index of two subsets of cells"),
    Column("lowest", "Lowest", "number", "stability of the worst pair of subsets"),
)


def joint_section(
    scores: pd.DataFrame,
    *,
    lost: pd.DataFrame,
    lamm: pd.DataFrame,
    stability: pd.DataFrame,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return which embedding is used and why, with tables of all embeddings.

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
        lines = ["All cells are from one batch, so there is nothing to correct."]
    elif used == NONE:
        others = scores[scores["method"] != NONE]
        why = ""
        if auto and len(others):
            better = "that keeps the populations mixes batches better"
            what = better if others["passes"].any() else "keeps the populations"
            why = f", because no method {what}"
        lines = [f"The embedding is not corrected for the {n_batches} batches{why}."]
    else:
        why = " Of the embeddings that keep the populations, it mixes batches best." if auto else ""
        lines = [
            f"The embedding in use is that of {METHODS[used].words}, corrected for {column} "
            f"({n_batches} batches).{why}"
        ]
    words = {NONE: "no correction"} | {name: method.words for name, method in METHODS.items()}
    row = scores[scores["used"]].iloc[0]
    if not row["passes"]:
        lines.append(
            "This embedding loses more LAMM cells or structure than `integration.method: auto` "
            "accepts. Compare it with the other one before you rely on its clusters."
        )
    table = scores.assign(
        space=scores["method"].map(words),
        use=scores["used"].map({True: "yes", False: ""}),
        pct_lamm_kept=100 * scores["lamm_kept"],
    )
    gone = lost[lost["method"] == used]
    few = lamm[(lamm["method"] == used) & lamm["lost"]]
    return {
        "lines": lines,
        "method": METHODS[used].words if used != NONE else "",
        "scores": build_table(table, SCORE_COLUMNS, file=result_path("integration_scores")),
        "lost": build_table(gone, LOST_COLUMNS, file=result_path("lost_populations"))
        if len(gone)
        else None,
        "lamm": build_table(
            few.assign(pct_lamm_kept=100 * few["lamm_kept"]),
            LAMM_COLUMNS,
            file=result_path("lamm_kept"),
        )
        if len(few)
        else None,
        "stability": build_table(
            stability.assign(use=stability["used"].map({True: "yes", False: ""})),
            STABILITY_COLUMNS,
            file=result_path("stability"),
        ),
    }
