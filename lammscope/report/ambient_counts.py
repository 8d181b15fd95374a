"""Counts without the UMIs that ambient RNA explains, for `cohort.h5ad`.

The expected ambient UMIs of each gene are subtracted from the counts of each population of a
sample, never below zero, as SoupX does with clusters [1]_: in one cell they are below one for most
genes, so that subtraction cell by cell would take too little from what is there. Cells share the
subtraction in proportion to their counts of the gene.

References
----------
.. [1] Young and Behjati, GigaScience 9, giaa151 (2020), doi 10.1093/gigascience/giaa151;
   `adjustCounts` with `method="subtraction"`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.runtime import logger
from lammscope.core.words import shortened
from lammscope.expression.pseudobulk import AMBIENT, IS_LIMIT, read_pseudobulk

LAYER = "ambient_corrected"


@dataclass(frozen=True, eq=False)
class Correction:
    """What is subtracted.

    Attributes
    ----------
    rows
        Position of each sample and population in `shares`.
    shares
        Share of the counts that is ambient RNA, samples and populations x genes of the cohort.
    uncorrected
        Samples without an estimate of their contamination; nothing is subtracted from them.
    """

    rows: pd.Series
    shares: sparse.csr_array
    uncorrected: list[str]

    def apply(
        self, counts: sparse.csr_array, samples: np.ndarray, populations: np.ndarray
    ) -> np.ndarray:
        """Return the corrected values of `counts` (cells x genes), in the order of its data."""
        cells = pd.MultiIndex.from_arrays([samples.astype(str), populations.astype(str)])
        rows, codes = np.unique(self.rows.loc[cells].to_numpy(), return_inverse=True)
        kept = 1 - self.shares[rows].toarray()
        place = np.repeat(codes, np.diff(counts.indptr))
        return np.asarray(counts.data * kept[place, counts.indices], dtype=np.float32)


def read_correction(paths: Sequence[str | Path], *, genes: pd.Index) -> Correction | None:
    """Read what to subtract from the pseudobulks; None if `paths` is empty.

    Parameters
    ----------
    paths
        `expression/pseudobulk.h5ad`, or nothing if counts are not corrected.
    genes
        The cohort's genes.
    """
    if not paths:
        return None
    pseudobulk = read_pseudobulk(paths[0])
    counts = sparse.coo_array(pseudobulk.X)
    ambient = sparse.csr_array(pseudobulk.layers[AMBIENT]).tocsr()
    is_limit = np.asarray(pseudobulk.obs[IS_LIMIT], dtype=bool)
    values = np.asarray(ambient[counts.row, counts.col]) / np.maximum(counts.data, 1)
    values[is_limit[counts.row]] = 0
    columns = genes.get_indexer(pseudobulk.var_names)[counts.col]
    shape = (pseudobulk.n_obs, len(genes))
    obs = pd.DataFrame({key: pseudobulk.obs[key].astype(str) for key in ("sample", "population")})
    uncorrected = sorted(obs.loc[is_limit, "sample"].unique())
    if uncorrected:
        logger.warning(
            "counts of these samples are not corrected for ambient RNA, since their contamination "
            "could not be estimated: %s",
            shortened(uncorrected),
        )
    return Correction(
        pd.Series(np.arange(len(obs)), index=pd.MultiIndex.from_frame(obs)),
        sparse.csr_array((values, (counts.row, columns)), shape=shape),
        uncorrected,
    )
