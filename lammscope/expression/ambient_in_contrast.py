"""Genes of a comparison that ambient RNA may explain.

Where a gene is higher, a share s of its counts may be ambient RNA. Without it, the level there is
(1 - s) of what is seen, so the fold change is at least (1 - s) of what is seen, whatever ambient
RNA is on the other side. That share is therefore the one that counts. A gene that a population
lacks has a share near 1 on both sides. A gene that it expresses more on the side with less of it in
ambient RNA keeps a small one (HLA-DRA of activated T cells after B cells are gone).

What ambient RNA makes up of all genes together cancels out with the library sizes, so that share
is taken off: a gene that all cells express has it, too, and is not marked for it.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.expression.models import MIN_GENES, Model, Untested
from lammscope.expression.pseudobulk import IS_LIMIT
from lammscope.stats import linear
from lammscope.stats.voom import voom

SHARE = "ambient_share"
MAX_WHOLE = 0.5  # of all counts; beyond, the genes of a population are ambient RNA
COLUMNS = [SHARE, IS_LIMIT, "ambient"]


def mark_ambient(
    model: Model, change: NDArray[np.float64], *, max_ambient_share: float
) -> pd.DataFrame:
    """Mark the genes that ambient RNA may explain.

    Parameters
    ----------
    model
        With expected ambient UMIs; without them nothing is marked.
    change
        Log fold change of each gene; its sign tells where the gene is higher. Where it is missing,
        the largest share counts.
    max_ambient_share
        Genes whose share s exceeds the share c of all genes together by more than this are marked:
        (s - c) / (1 - c), with c at most one half.

    Returns
    -------
    DataFrame
        One row per gene: `ambient_share` (0 to 1) of the counts where the gene is higher, each
        patient with the same weight (for a trend, with the distance from the mean number, on the
        side where the gene is higher); for a change, the larger share of the two groups that raise
        it. Samples whose contamination could not be estimated do not count. If a group has no
        other, `ambient_is_limit` is True: the share is an upper limit, and the gene not marked.
    """
    if model.ambient is None:
        about = {SHARE: np.nan, IS_LIMIT: False, "ambient": False}
        return pd.DataFrame(about, index=range(len(model.genes)), columns=COLUMNS)
    shares, whole, limits, raises = _of_groups(model, model.ambient)
    direction = np.nan_to_num(change)
    counted = (direction[:, None] * raises) >= 0  # a change of 0 has no direction: both count
    excess = (shares - whole) / (1 - whole)
    is_limit = (counted & limits).any(axis=1)
    is_ambient = (counted & (excess > max_ambient_share)).any(axis=1)
    return pd.DataFrame(
        {
            SHARE: np.round(np.where(counted, shares, 0).max(axis=1), 4),
            IS_LIMIT: is_limit,
            "ambient": is_ambient & ~is_limit,
        },
        columns=COLUMNS,
    )


def without_ambient(model: Model, *, max_ambient_share: float) -> Model | Untested:
    """Return the model without the genes that ambient RNA may explain, by limma's fold changes.

    If too few genes remain, the population cannot be tested (`no_genes`).
    """
    if model.ambient is None:
        return model
    design = model.design.to_numpy()
    weighted = voom(model.counts, design, norm_factors=model.norm_factors)
    fit = linear.lm_fit(weighted.y, design, weights=weighted.weights)
    change = fit.coefficients[:, model.at]
    marks = mark_ambient(model, change, max_ambient_share=max_ambient_share)
    kept = ~marks["ambient"].to_numpy(dtype=bool)
    if kept.sum() < MIN_GENES or not model.counts[kept].sum(axis=0).all():
        return Untested("no_genes", model.n_test, model.n_reference)
    return model.of_genes(kept)


def _of_groups(
    model: Model, ambient: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Return, for groups of sides, the shares of genes and of the whole, and which are limits.

    The last is 1 for groups that raise the fold change if the gene is higher there, else -1.
    """
    sides = model.sides
    scale = model.counts.sum(axis=0) * model.norm_factors
    shares, whole, limits, raises = [], [], [], []
    is_known = ~sides[IS_LIMIT].to_numpy(dtype=bool)
    weight = sides["weight"].to_numpy(dtype=float)
    groups = sides.groupby(["arm", "side", np.sign(weight)]).ngroup().to_numpy()
    for group in np.unique(groups[weight != 0]):
        rows = np.flatnonzero(groups == group)
        known = rows[is_known[rows]]
        used = known if len(known) else rows
        size = np.abs(weight[used])
        of_counts = (model.counts[:, used] / scale[used] * size).sum(axis=1)
        of_ambient = (ambient[:, used] / scale[used] * size).sum(axis=1)
        shares.append(np.divide(of_ambient, of_counts, where=of_counts > 0, out=0 * of_counts))
        whole.append(min(of_ambient.sum() / of_counts.sum(), MAX_WHOLE))
        limits.append(not len(known))
        raises.append(np.sign(weight[rows[0]]))
    signs = np.array(raises, dtype=float)
    return np.array(shares).T, np.array(whole), np.array(limits), signs
