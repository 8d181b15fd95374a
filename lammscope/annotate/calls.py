"""All calls of a cell: LAMM at both levels, support by own cells, CAR status, population."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from lammscope.annotate.car import apply_car, call_car
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
    has_car: np.ndarray,
    before_infusion: Collection[str],
    sorted_out: Collection[str],
) -> pd.DataFrame:
    """Call LAMM and CAR-T cells, and name every cell's population.

    Parameters
    ----------
    cells : `sample`, `lineage`, `cell_type`; n_cells rows.
    counts : of the same cells; the column `CAR` is the sum of all CAR features.
    neighbors : n_cells x k indices of the nearest cells.
    own_neighbors : the same within patients, from `neighbors_within_patients`.
    settings : of the LAMM calls.
    has_car : n_cells, whether the sample's matrix has a CAR feature.
    before_infusion, sorted_out : names of samples taken before infusion, and of sorted ones.

    Returns
    -------
    DataFrame
        `cells` with the columns of `lamm.call_lamm`; `lamm_own_patient`, the probability of the
        configured level with neighbors from the patient's own cells only; `car`; `cell_type` with
        `CAR_T`; and `population`.
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
    car = call_car(
        counts.matrix,
        symbols=counts.symbols,
        car_symbols=["CAR"],
        lineage=lineage,
        has_feature=has_car,
        before_infusion=cells["sample"].isin(before_infusion).to_numpy(),
        sorted_out=cells["sample"].isin(sorted_out).to_numpy(),
    )
    result = cells.assign(**called, car=car, cell_type=apply_car(cell_type, car=car))
    population = name_population(result["cell_type"].to_numpy(), lamm_call=called["lamm_call"])
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
