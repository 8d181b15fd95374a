"""All calls of a cell: LAMM at both levels, support by own cells, population."""

import numpy as np
import pandas as pd

from lammscope.annotate.car import apply_car, set_unknown_apart
from lammscope.annotate.lamm import call_lamm
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.annotate.macrophage_state import TOO_FEW_GENES
from lammscope.core.runtime import logger
from lammscope.core.signature_file import MIN_GENES
from lammscope.core.words import shortened
from lammscope.joint.neighbors import find_neighbors_within
from lammscope.joint.panel_counts import PanelCounts


def call_cells(
    cells: pd.DataFrame,
    counts: PanelCounts,
    *,
    neighbors: np.ndarray,
    own_neighbors: np.ndarray,
    sample_neighbors: np.ndarray,
    settings: CallSettings,
    car: pd.DataFrame,
) -> pd.DataFrame:
    """Call LAMM cells, and name every cell's population.

    Parameters
    ----------
    cells : n_cells rows: `sample`, `patient`, `group` (of libraries that are alike), `lineage`,
        `cell_type`.
    counts : of the same cells; the column `CAR` is the sum of all CAR features.
    neighbors : n_cells x k indices of the nearest cells.
    own_neighbors, sample_neighbors : the same within patients and within samples, from
        `lineage_neighbors`.
    settings : of the LAMM calls.
    car : from `car.call_car`, of the same cells.

    Returns
    -------
    DataFrame
        `cells` without `group`, with the columns of `lamm.call_lamm`, support by the patient's own
        cells included; `car` and `car_probability`; `cell_type` with `CAR_T`; and `population`, the
        cell type, but for T cells of unknown CAR status.
    """
    called = call_lamm(
        counts,
        neighbors=neighbors,
        sample_neighbors=sample_neighbors,
        own_neighbors=own_neighbors,
        cells=cells,
        settings=settings,
    )
    _warn_of_missing_genes(called, cells=cells, counts=counts, settings=settings)
    cell_type = apply_car(cells["cell_type"].to_numpy(), car=car["car"])
    for counted in (called["lamm_call"], car["car"]):
        logger.info("%s: %s", counted.name, counted.value_counts().to_dict())
    result = cells.drop(columns="group").assign(**called, **car, cell_type=cell_type)
    return result.assign(population=set_unknown_apart(cell_type, car=car))


def _warn_of_missing_genes(
    called: pd.DataFrame, *, cells: pd.DataFrame, counts: PanelCounts, settings: CallSettings
) -> None:
    """Name the samples that lack so many genes of the state that no cell gets a score."""
    poor = cells.loc[(called["lamm_reference"] == TOO_FEW_GENES).to_numpy(), "sample"]
    if poor.empty:
        return
    genes = settings.state.symbols
    unknown = [gene for gene in genes if gene not in set(counts.symbols)]
    which = ""
    if unknown:
        which = f"; no matrix has {len(unknown)} of its {len(genes)}, e.g. {unknown[0]}"
    logger.warning(
        "%s %s: too few genes of `lamm.state_genes` (at least %d of each state are needed"
        "%s): no LAMM score, and no cell can be called macrophage-like; give matrices with all "
        "genes, or another table",
        "samples" if poor.nunique() > 1 else "sample",
        shortened(sorted(set(poor.astype(str)))),
        MIN_GENES,
        which,
    )


def lineage_neighbors(
    space: np.ndarray,
    *,
    cells: pd.DataFrame,
    lineage: str,
    within: str,
    n_neighbors: int,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Find the nearest cells of a lineage of each of its cells, in its own patient or sample.

    Parameters
    ----------
    space : n_cells x components.
    cells : `lineage`, and the column `within`: `patient` or `sample`.
    lineage : cells of others have no neighbors.
    n_neighbors, seed, threads : as in `neighbors.find_neighbors`.

    Returns
    -------
    n_cells x `n_neighbors` indices, -1 where there are no more cells.
    """
    own = cells["lineage"].to_numpy(dtype=str) == lineage
    groups = np.where(own, cells[within].astype(str), "")
    return find_neighbors_within(
        space, groups=groups, n_neighbors=n_neighbors, seed=seed, threads=threads
    )
