"""Evidence for the calls: clusters with levels of genes, and counts of calls per sample."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lammscope.annotate.lamm import MONOCYTIC, UNCERTAIN
from lammscope.annotate.positive import AMBIENT
from lammscope.core.lamm_rows import is_at_level
from lammscope.core.names import LAMM, LEVELS

SUPPORTED = 0.5  # probability from the patient's own cells only: more likely than not; our choice


def describe_clusters(
    clusters: pd.DataFrame, *, cells: pd.DataFrame, levels: pd.DataFrame, genes: Sequence[str]
) -> pd.DataFrame:
    """Add calls and the levels of some genes to the table of clusters.

    Parameters
    ----------
    clusters : `cluster` and its type, from `cell_types.annotate_cells`.
    cells : `cluster`, `lineage`, `lamm_call`, `lamm_veto`.
    levels : from `levels.levels_by_group` over clusters.
    genes : genes to show; those missing from `levels` are left out.

    Returns
    -------
    DataFrame
        `clusters` with `pct_monocytic`, `pct_lamm`, `pct_uncertain`, `pct_vetoed` (% of its cells)
        and for each gene `<gene>_per_10k` and `<gene>_pct` (% of cells with a UMI of it).
    """
    share = pd.DataFrame(
        {
            "pct_monocytic": cells["lineage"] == MONOCYTIC,
            "pct_lamm": cells["lamm_call"] == LAMM,
            "pct_uncertain": cells["lamm_call"] == UNCERTAIN,
            "pct_vetoed": cells["lamm_veto"].fillna("") != "",
        }
    )
    share = 100 * share.groupby(cells["cluster"].astype(str).to_numpy()).mean()
    result = clusters.join(share, on="cluster")
    for gene in genes:
        own = levels[levels["gene"] == gene].set_index("group")
        if len(own):
            result[f"{gene}_per_10k"] = result["cluster"].map(own["per_10k"])
            result[f"{gene}_pct"] = result["cluster"].map(own["pct_detected"])
    return result


def count_calls(
    cells: pd.DataFrame,
    *,
    samples: Sequence[str] | pd.Series,
    reasons: Sequence[str],
    probability: float,
) -> pd.DataFrame:
    """Count calls and exclusion criteria per sample, and calls supported by the patient's cells.

    A call pools neighbors of all patients. `lamm_own_patient` is the probability of the same level
    from the patient's own cells only. A call is supported if this is 0.5 or more, and contradicted
    if it is so low that the cell would be called `not_LAMM`. Others are neither: the patient's
    cells have too few UMIs to tell.

    Parameters
    ----------
    cells : `sample`, `lineage`, `lamm_positive`, `lamm_macrophage_like`, `lamm_call`, `lamm_veto`,
        `lamm_reference`, `lamm_own_patient`.
    samples : all samples, including those without cells.
    reasons : names of the exclusion criteria in the config; `ambient` is added.
    probability : `lamm.probability`.

    Returns
    -------
    DataFrame
        `sample`, `n_cells`, `n_monocytic`, `n_positive`, `n_macrophage_like`, `n_lamm`,
        `n_uncertain`, `n_supported`, `n_contradicted` (of `n_lamm`), `pct_supported`, `reference`
        (of the state; empty without monocytic cells), and `veto_<reason>`.
    """
    called = cells["lamm_call"] == LAMM
    own = cells["lamm_own_patient"]
    flags = pd.DataFrame(
        {
            "n_cells": True,
            "n_monocytic": cells["lineage"] == MONOCYTIC,
            **{
                f"n_{level}": is_at_level(cells, level, probability=probability) for level in LEVELS
            },
            "n_lamm": called,
            "n_uncertain": cells["lamm_call"] == UNCERTAIN,
            "n_supported": called & (own >= SUPPORTED),
            "n_contradicted": called & (own <= 1 - probability),
        },
        index=cells.index,
    )
    vetoes = cells["lamm_veto"].fillna("")
    for reason in [*reasons, AMBIENT]:
        flags[f"veto_{reason}"] = vetoes == reason
    table = flags.groupby(cells["sample"].astype(str).to_numpy()).sum()
    table = table.reindex(sorted(samples), fill_value=0).astype(int)
    place = list(table).index("n_contradicted") + 1
    share = 100 * table["n_supported"] / table["n_lamm"].replace(0, np.nan)
    table.insert(place, "pct_supported", share)
    monocytic = cells[cells["lineage"] == MONOCYTIC]
    reference = monocytic.groupby(monocytic["sample"].astype(str))["lamm_reference"].first()
    table.insert(place + 1, "reference", reference.reindex(table.index).fillna(""))
    return table.rename_axis("sample").reset_index()
