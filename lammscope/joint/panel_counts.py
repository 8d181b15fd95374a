"""Counts of markers, defining markers, gene sets and CAR features in the kept cells."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.indexed import CellIndex
from lammscope.core.rates import gene_totals
from lammscope.core.shards import Shard


def read_panel(paths: Iterable[str | Path], index: CellIndex) -> tuple["PanelCounts", np.ndarray]:
    """Read the panel counts of all samples, with the genes that each one's matrix lacks.

    Returns the counts, without genes that no sample's matrix has (`CAR` is the sum of all CAR
    features), and one bool per cell: whether its sample's matrix has a CAR feature.
    """
    counts, genes, arrays = index.stack_counts(paths)
    symbols, present = genes["symbol"].to_numpy(dtype=str), arrays["present"]
    with_cells = np.flatnonzero(arrays["n_cells"])
    first = (np.cumsum(arrays["n_cells"]) - arrays["n_cells"])[with_cells]
    names = index.cells["sample"].to_numpy(dtype=str)[first]
    absent = {
        str(name): symbols[~of_sample].tolist()
        for name, of_sample in zip(names, present[with_cells], strict=True)
    }
    known = np.flatnonzero(present.any(axis=0))
    totals = index.cells["total_counts"].to_numpy()
    panel = PanelCounts(counts[:, known], symbols[known].tolist(), totals, absent)
    has_car = present[:, symbols == "CAR"].any(axis=1)
    return panel, np.repeat(has_car, arrays["n_cells"])


@dataclass(frozen=True)
class PanelCounts:
    """Counts of a panel of genes in some cells, and the totals that their rates refer to.

    Attributes
    ----------
    matrix
        Cells x genes, raw UMIs.
    symbols
        Gene symbols of the columns; columns with the same symbol are summed when they are used.
    totals
        All UMIs of each cell, not only of these genes.
    absent
        By sample, genes that its matrix lacks: zeros there say nothing.
    """

    matrix: sparse.csr_array
    symbols: Sequence[str]
    totals: np.ndarray
    absent: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def take(self, rows: np.ndarray) -> Self:
        """Return the counts of some cells, by their positions."""
        return replace(self, matrix=self.matrix[rows], totals=self.totals[rows])


def panel_counts(
    shard: Shard, *, positions: np.ndarray, symbols: list[str], car_features: str
) -> tuple[sparse.csr_array, pd.DataFrame]:
    """Extract the counts of a panel of genes and of the CAR transgene in a sample's kept cells.

    Parameters
    ----------
    shard
        Counts of the sample.
    positions
        Rows that are kept cells.
    symbols
        Symbols of the panel. If genes share a symbol, the one with the most UMIs is used.
    car_features
        Pattern for the symbols of CAR transgenes; their counts are summed into one column, `CAR`.

    Returns
    -------
    counts
        Cells x (panel, `CAR`). A gene that the matrix lacks has zero counts.
    genes
        `gene`, `symbol`, `present` (whether the matrix has it).
    """
    is_car = is_car_feature(shard.genes["symbol"], car_features)
    chosen = np.flatnonzero(shard.genes["symbol"].isin(symbols).to_numpy(dtype=bool) | is_car)
    kept = shard.counts[positions][:, chosen]
    own = shard.genes.iloc[chosen]
    order = np.argsort(-gene_totals(kept), kind="stable")
    position = pd.Series(order, index=own["symbol"].to_numpy()[order])
    position = position[~position.index.duplicated()].reindex(symbols)
    present = position.notna().to_numpy()
    found = position.dropna().to_numpy(dtype=np.int64)
    placing = sparse.csr_array(
        (np.ones(len(found), dtype=np.int32), (found, np.flatnonzero(present))),
        shape=(len(chosen), len(symbols)),
    )
    car = np.flatnonzero(is_car[chosen])
    car_sum = sparse.csr_array(np.asarray(kept[:, car].sum(axis=1)).reshape(-1, 1))
    names = np.array(symbols, dtype=object)
    names[present] = own["gene"].to_numpy()[found]
    genes = pd.DataFrame(
        {
            "gene": [*names, "CAR"],
            "symbol": [*symbols, "CAR"],
            "present": [*present, bool(len(car))],
        }
    )
    return sparse.hstack([kept @ placing, car_sum], format="csr", dtype=np.int32), genes


def is_car_feature(symbols: pd.Series, pattern: str) -> np.ndarray:
    """Test which symbols are CAR transgenes, by a pattern for the whole symbol, ignoring case."""
    return np.fromiter((_matches(symbol, pattern) for symbol in symbols), dtype=bool)


@lru_cache(maxsize=2**17)  # the samples of a job mostly have the same genes
def _matches(symbol: str, pattern: str) -> bool:
    return re.fullmatch(pattern, symbol, flags=re.IGNORECASE) is not None
