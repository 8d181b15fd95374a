"""All calls of a cell: LAMM at both levels, support by own cells, population."""

import numpy as np
import pandas as pd

from lammscope.annotate.car import apply_car, set_unknown_apart
from lammscope.annotate.lamm import MONOCYTIC, call_lamm, name_population
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.joint.neighbors import find_neighbors_within
from lammscope.joint.panel_counts import PanelCounts


def call_cells(
    cells: pd.DataFrame,
    counts: PanelCounts,
    *,
    neighbors: np.ndarray,
    own_neighbors: np.ndarray,
    settings: CallSettings,
    car: pd.DataFrame,
) -> pd.DataFrame:
    """Call LAMM cells, and name every cell's population.

    Parameters
    ----------
    cells : `sample`, `lineage`, `cell_type`; n_cells rows.
    counts : of the same cells; the column `CAR` is the sum of all CAR features.
    neighbors : n_cells x k indices of the nearest cells.
    own_neighbors : the same within patients, from `neighbors_within_patients`.
    settings : of the LAMM calls.
    car : from `car.call_car`, of the same cells.

    Returns
    -------
    DataFrame
        `cells` with the columns of `lamm.call_lamm`; `lamm_own_patient`, the probability of the
        configured level with neighbors from the patient's own cells only; `car` and
        `car_probability`; `cell_type` with `CAR_T`; and `population`.
    """
    lineage, cell_type = cells["lineage"].to_numpy(), cells["cell_type"].to_numpy()
    called, alone = (
        call_lamm(
            counts,
            neighbors=found,
            lineage=lineage,
            cell_type=cell_type,
            samples=cells["sample"].to_numpy(),
            settings=settings,
        )
        for found in (neighbors, own_neighbors)
    )
    called["lamm_own_patient"] = alone[f"lamm_{settings.level}"]
    result = cells.assign(**called, **car, cell_type=apply_car(cell_type, car=car["car"]))
    population = name_population(result["cell_type"].to_numpy(), lamm_call=called["lamm_call"])
    population = set_unknown_apart(population, car=car)
    return result.assign(population=population)


def neighbors_within_patients(
    space: np.ndarray, *, cells: pd.DataFrame, n_neighbors: int, seed: int, threads: int
) -> np.ndarray:
    """Find the nearest monocytic cells of each monocytic cell in its own patient.

    Parameters
    ----------
    space : n_cells x components.
    cells : `patient`, `lineage`.
    n_neighbors, seed, threads : as in `neighbors.find_neighbors`.

    Returns
    -------
    n_cells x `n_neighbors` indices, -1 where there are no more cells.
    """
    monocytic = cells["lineage"].to_numpy() == MONOCYTIC
    groups = np.where(monocytic, cells["patient"], "")
    return find_neighbors_within(
        space, groups=groups, n_neighbors=n_neighbors, seed=seed, threads=threads
    )
