"""Everything that is called of a cell: LAMM at both levels, whose cells say so, CAR, population."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.car import apply_car, call_car
from lammscope.annotate.lamm import MONOCYTIC, call_lamm, name_population
from lammscope.joint.neighbors import find_neighbors_within


def call_cells(
    cells: pd.DataFrame,
    counts: sparse.csr_array,
    *,
    symbols: Sequence[str],
    totals: np.ndarray,
    neighbors: np.ndarray,
    space: np.ndarray,
    has_car: np.ndarray,
    before_infusion: Collection[str],
    sorted_out: Collection[str],
    references: pd.DataFrame,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
) -> pd.DataFrame:
    """Call LAMM and CAR-T cells, and name every cell's population.

    Parameters
    ----------
    cells : `sample`, `patient`, `lineage`, `cell_type`; n_cells rows.
    counts : n_cells x n_genes raw counts of the panel.
    symbols : n_genes; the column `CAR` is the sum of all CAR features.
    totals : n_cells, all UMIs.
    neighbors : n_cells x k indices of the nearest cells.
    space : n_cells x components, in which they are the nearest.
    has_car : n_cells, whether the sample's matrix has a CAR feature.
    before_infusion, sorted_out : names of samples.
    references, settings : as in `lamm.call_lamm`, whose other arguments are `settings`.
    seed, threads : as in `neighbors.find_neighbors`.

    Returns
    -------
    DataFrame
        `cells` with the columns of `lamm.call_lamm`; `lamm_own_patient`, the probability of the
        level called if neighbours come from the patient's own cells alone; `car`; `cell_type` with
        `CAR_T`; and `population`.
    """
    lineage, cell_type = cells["lineage"].to_numpy(), cells["cell_type"].to_numpy()
    data = {
        "totals": totals,
        "symbols": symbols,
        "lineage": lineage,
        "cell_type": cell_type,
        "samples": cells["sample"].to_numpy(),
        "references": references,
        **settings,
    }
    called = call_lamm(counts, neighbors=neighbors, **data)
    own = find_neighbors_within(
        space,
        groups=np.where(lineage == MONOCYTIC, cells["patient"], ""),
        n_neighbors=neighbors.shape[1],
        seed=seed,
        threads=threads,
    )
    alone = call_lamm(counts, neighbors=own, **data)
    called["lamm_own_patient"] = alone[f"lamm_{settings['level']}"]
    car = call_car(
        counts,
        symbols=symbols,
        car_symbols=["CAR"],
        lineage=lineage,
        has_feature=has_car,
        before_infusion=cells["sample"].isin(before_infusion).to_numpy(),
        sorted_out=cells["sample"].isin(sorted_out).to_numpy(),
    )
    result = cells.assign(**called, car=car, cell_type=apply_car(cell_type, car=car))
    population = name_population(result["cell_type"].to_numpy(), lamm_call=called["lamm_call"])
    return result.assign(population=population)
