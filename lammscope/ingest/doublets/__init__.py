"""Doublet detection within one channel, by the method set in the config.

To add a method, write its module here, add it to `METHODS`, and add its name to the enum of
`doublets.method` in `workflow/schemas/config.schema.yaml`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.shards import Shard, gene_columns, shared_ids
from lammscope.ingest.doublets import simulated

# Functions that score the cells of a channel, by name. They take counts (cells x genes, all cells
# that pass QC) and, by keyword, `rng` and every setting in the config's section `doublets` except
# `method` and `remove`. They return a score per cell (higher is more likely a doublet; NaN if the
# channel is not scored) and the called doublets (bool per cell).
METHODS: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "simulated": simulated.score_doublets,
}


def score_channel(
    samples: Iterable[tuple[str, Shard, pd.DataFrame]], *, method: str, **settings: Any
) -> pd.DataFrame:
    """Score the cells of one channel that pass QC, over all its samples.

    Parameters
    ----------
    samples
        Name, counts and flagged metrics of each sample; read one at a time.
    method
        A name in `METHODS`.
    **settings
        Settings of the method.

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
    """Stack the samples' counts of the genes that they share."""
    shared = shared_ids([part.genes["gene"] for part in parts])
    kept = [part.counts[:, gene_columns(part, shared)] for part in parts]
    return sparse.csr_array(sparse.vstack(kept, format="csr"))
