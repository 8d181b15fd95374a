"""LAMM cells (CSF1R+ CD14+ CD68+ monocytic cells), called from counts alone.

Calls use neither patients nor response; support by the patient's own cells is computed apart.
`resources/lamm/README.md` explains the method.
"""

import numpy as np
import pandas as pd

from lammscope.annotate.lamm_settings import CallSettings
from lammscope.annotate.positive import Markers, call_positive, support_positive
from lammscope.annotate.signature import judge_cells, score_cells
from lammscope.core.names import LAMM, LEVELS, Array
from lammscope.joint.gene_names import check_definers
from lammscope.joint.panel_counts import PanelCounts

MONOCYTIC = "monocytic"  # the lineage of LAMM cells by their definition

NON_MYELOID = ("T", "NK", "B", "malignant")  # lineages: defining markers are ambient RNA there

NOT_LAMM, UNCERTAIN = "not_LAMM", "uncertain"  # other calls than LAMM


def call_lamm(
    counts: PanelCounts,
    *,
    neighbors: np.ndarray,
    sample_neighbors: np.ndarray,
    cells: pd.DataFrame,
    settings: CallSettings,
    own_neighbors: np.ndarray | None = None,
) -> pd.DataFrame:
    """Call LAMM cells: the probabilities of both levels, and the call at one of them.

    A `positive` cell is a monocytic cell whose neighborhood expresses the defining markers
    (`positive.call_positive`). A `macrophage_like` one is positive and in the state of tissue
    macrophages (`macrophage_state`), or in that of a user's signature (`signature`): the smaller of
    both probabilities.

    Parameters
    ----------
    counts : of n_cells, at least of the defining markers, the state's genes and those of exclusion
        criteria.
    neighbors : n_cells x k indices of the nearest cells, without the cell itself.
    sample_neighbors : the same for the state; cells of other samples are ignored.
    cells : n_cells rows: `lineage`, `cell_type`, `sample`, `group` (of libraries that are alike);
        with `own_neighbors` also `patient`.
    settings : defining markers, state, references and thresholds.
    own_neighbors : the nearest cells of the same patient, to test what its own cells support.

    Returns
    -------
    One row per cell: `lamm_score` (of the state, -1 to 1; NaN outside the monocytic lineage),
    `lamm_positive`, `lamm_macrophage_like` (probabilities; 0 if excluded or not monocytic),
    `lamm_call` (LAMM, not_LAMM, uncertain), `lamm_veto` (the exclusion criterion, or ""),
    `lamm_reference` (what the state was compared with, or ""); with `own_neighbors` also
    `lamm_own_patient`, the probability of the settings' level from the patient's own cells alone
    (`positive.support_positive`).

    Raises
    ------
    ValueError
        If the data lack a defining marker, or if it has no reference levels.

    Follows the Gamma-Poisson model of low counts; see Gelman et al., Bayesian Data Analysis, 2.6.
    """
    check_definers(settings.definers, symbols=counts.symbols)
    lineage = cells["lineage"].to_numpy(dtype=str)
    monocytic, outside = lineage == MONOCYTIC, np.isin(lineage, NON_MYELOID)
    result = _nothing_called(len(monocytic), supported=own_neighbors is not None)
    if not monocytic.any():
        return result
    markers = Markers.select(
        counts, monocytic=monocytic, outside=outside, cells=cells, settings=settings
    )
    positive = call_positive(markers, neighbors=neighbors, settings=settings)
    result["lamm_score"] = score_cells(
        counts,
        neighbors=sample_neighbors,
        samples=markers.samples,
        scored=monocytic,
        background=outside,
        genes=settings.state,
    )
    groups = cells["group"].to_numpy(dtype=str)
    state = judge_cells(result["lamm_score"].to_numpy(), groups=groups, genes=settings.state)
    state = state[monocytic]
    in_state = state["probability"].to_numpy()
    reading = _readings(positive["probability"].to_numpy(), state=in_state)
    for level in LEVELS:
        result.loc[monocytic, f"lamm_{level}"] = reading[level]
    result.loc[monocytic, "lamm_veto"] = positive["veto"].to_numpy()
    result.loc[monocytic, "lamm_reference"] = state["reference"]
    called = result[f"lamm_{settings.level}"].to_numpy()
    result["lamm_call"] = call_at(called, probability=settings.probability)
    if own_neighbors is not None:
        patients = cells["patient"].to_numpy(dtype=str)
        own = support_positive(
            markers, neighbors=own_neighbors, patients=patients, settings=settings
        )
        support = _readings(own, state=in_state)[settings.level]
        result.loc[monocytic, "lamm_own_patient"] = support
    return result


def _readings(positive: Array, *, state: Array) -> dict[str, Array]:
    """Return the probabilities of both levels."""
    return dict(zip(LEVELS, (positive, np.minimum(positive, state)), strict=True))


def call_at(probabilities: np.ndarray, *, probability: float) -> pd.Series:
    """Convert probabilities of one level to calls: LAMM, not_LAMM, or uncertain in between."""
    calls = np.full(len(probabilities), UNCERTAIN, dtype=object)
    calls[probabilities >= probability] = LAMM
    calls[1 - probabilities >= probability] = NOT_LAMM
    return pd.Series(calls, dtype="str")


def _nothing_called(n_cells: int, *, supported: bool) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "lamm_score": np.full(n_cells, np.nan),
            "lamm_positive": np.zeros(n_cells),
            "lamm_macrophage_like": np.zeros(n_cells),
            "lamm_call": pd.array([NOT_LAMM] * n_cells, dtype="str"),
            "lamm_veto": pd.array([""] * n_cells, dtype="str"),
            "lamm_reference": pd.array([""] * n_cells, dtype="str"),
        }
    )
    return table.assign(lamm_own_patient=0.0) if supported else table
