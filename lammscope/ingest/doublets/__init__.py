"""Doublets within one channel, by the method that the config names.

To add a method, write its module here, add its line to `METHODS`, and its name to the enum of
`doublets.method` in `workflow/schemas/config.schema.yaml`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.shards import Shard, gene_columns, shared_ids
from lammscope.ingest.doublets import simulated

# By name, what scores the cells of a channel: from counts (cells x genes, all cells that pass QC)
# and, by keyword, `rng` and every setting in the config's section `doublets` but `method` and
# `remove`, to a score per cell (higher is more likely a doublet; NaN where the channel is not
# scored) and the called doublets (bool per cell).
METHODS: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "simulated": simulated.score_doublets,
}


def score_channel(
    samples: Iterable[tuple[str, Shard, pd.DataFrame]], *, method: str, **settings: Any
) -> pd.DataFrame:
    """Score the cells that pass QC in the samples of one channel, together.

    Parameters
    ----------
    samples
        Per sample its name, its shard and the flagged metrics of its barcodes; read one at a time.
    method
        One of `METHODS`.
    **settings
        Of the method.

    Returns
    -------
    DataFrame
        `cell` (sample_barcode), `doublet_score`, `doublet`.
    """
    names: list[str] = []
    parts = []
    for sample, shard, qc in samples:
        passing = np.flatnonzero(qc["passes"])
        names += [f"{sample}_{barcode}" for barcode in shard.barcodes[passing]]
        parts.append(Shard(shard.counts[passing], shard.barcodes[passing], shard.genes))
    counts = parts[0].counts if len(parts) == 1 else _stacked(parts)
    scores, doublets = METHODS[method](counts, **settings)
    cells = pd.Series(names, dtype="str")
    return pd.DataFrame({"cell": cells, "doublet_score": scores, "doublet": doublets})


def _stacked(parts: list[Shard]) -> sparse.csr_array:
    """The samples' counts of the genes they share, one below the other."""
    shared = shared_ids([part.genes["gene"] for part in parts])
    kept = [part.counts[:, gene_columns(part, shared)] for part in parts]
    return sparse.csr_array(sparse.vstack(kept, format="csr"))
