"""Doublet detection within one channel, by the method set in the config.

To add a method, write its module here, add it to `METHODS`, and add its name to the enum of
`doublets.method` in `workflow/schemas/config.schema.yaml`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.runtime import logger
from lammscope.core.shards import Shard, gene_columns, shared_ids
from lammscope.ingest.doublets import scrublet, simulated
from lammscope.ingest.doublets.threshold import KnownRate
from lammscope.ingest.lineage_markers import marker_symbols

# Functions that score the cells of a channel, by name. They take counts (cells x genes, all cells
# that pass QC) and, by keyword, `symbols` of the genes, `rate` (the expected share of doublets; a
# `KnownRate` replaces an estimate), `rng` and every setting in the config's section `doublets`
# except `method`, `remove`, `expected_per_1000` and `min_cells`. They return a score per cell
# (higher is more likely a doublet) and the called doublets (bool per cell).
METHODS: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "simulated": simulated.score_doublets,
    "scrublet": scrublet.score_doublets,
}
MAX_EXPECTED = 0.4  # our choice: the expected rate grows with the cells, and a prior is below 1


def score_channel(
    samples: Iterable[tuple[str, Shard, pd.DataFrame]],
    *,
    method: str,
    expected_per_1000: float,
    min_cells: int,
    expected_cells: float | None = None,
    rate: float | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Score the cells of one channel that pass QC, over all its samples.

    Parameters
    ----------
    samples
        Name, counts and flagged metrics of each sample; read one at a time.
    method
        A name in `METHODS`.
    expected_per_1000
        Doublet rate per 1,000 recovered cells (0.008 for 10x); ignored if `rate` is given.
    min_cells
        Channels with fewer cells are not scored.
    expected_cells
        Cells recovered from the channel, if there were more than the samples' cells.
    rate
        Share of doublets, 0 to 0.4, if it is known for the channel; with 0, nothing is called.
    **settings
        Settings of the method, and `rng`.

    Returns
    -------
    DataFrame
        `cell` (sample_barcode), `doublet_score` (NaN if not scored), `doublet`.
    """
    names: list[str] = []
    parts = []
    for sample, shard, qc in samples:
        passing = np.flatnonzero(qc["passes"])
        names += [f"{sample}_{barcode}" for barcode in shard.barcodes[passing]]
        parts.append(Shard(shard.counts[passing], shard.barcodes[passing], shard.genes))
    counts, symbols = _stacked(parts)
    n_cells = counts.shape[0]
    scores, doublets = np.full(n_cells, np.nan), np.zeros(n_cells, dtype=bool)
    if rate == 0:
        logger.info("doublets: not scored, as the channel's `doublet_rate` is 0")
    elif n_cells < min_cells:
        logger.info("doublets: not scored, %d cells are fewer than %d", n_cells, min_cells)
    else:
        expected = expected_per_1000 * _n_recovered(n_cells, expected_cells) / 1000
        scores, doublets = METHODS[method](
            counts,
            symbols=symbols,
            rate=min(expected, MAX_EXPECTED) if rate is None else KnownRate(rate),
            **settings,
        )
    cells = pd.Series(names, dtype="str")
    return pd.DataFrame({"cell": cells, "doublet_score": scores, "doublet": doublets})


def _n_recovered(n_cells: int, expected_cells: float | None) -> float:
    """Return the cells recovered from the channel, which are at least those that are there."""
    if expected_cells is not None and expected_cells < n_cells:
        logger.warning(
            "doublets: `expected_cells` of the sample sheet is %g, but %d cells of the channel "
            "pass QC; %d are used. Give all cells recovered from the channel",
            *(expected_cells, n_cells, n_cells),
        )
    return max(n_cells, expected_cells or 0)


def _stacked(parts: list[Shard]) -> tuple[sparse.csr_array, np.ndarray]:
    """Stack the samples' counts of the genes that they share; also return the genes' symbols."""
    symbols = marker_symbols(parts[0].genes).to_numpy()
    if len(parts) == 1:
        return parts[0].counts, symbols
    shared = shared_ids([part.genes["gene"] for part in parts])
    kept = [part.counts[:, gene_columns(part, shared)] for part in parts]
    stacked = sparse.csr_array(sparse.vstack(kept, format="csr"))
    return stacked, symbols[gene_columns(parts[0], shared)]
