"""Marker genes of clusters: effect sizes over samples, without p-values.

Cells are not replicates, and clusters are made from the very expression that a test would look at,
so a p-value per marker would be meaningless. Genes are ranked by how much higher and how much more
often they are expressed than in the other clusters, and by how many samples agree.
"""

import numpy as np
import pandas as pd

PSEUDO_RATE = 0.1  # UMIs per 10,000 added before a ratio, about one UMI in 30 cells of 3,000 UMIs


def find_markers(sums: list[pd.DataFrame], *, n_top: int, min_pct: float) -> pd.DataFrame:
    """The top markers of each cluster.

    Parameters
    ----------
    sums
        Per sample, the table of `groups.group_frame` over clusters.
    n_top
        Markers to give per cluster.
    min_pct
        Lowest % of a cluster's cells that express a marker.

    Returns
    -------
    DataFrame
        `cluster`, `gene`, `symbol`, `log2fc` (mean rate against the other clusters), `pct_in`,
        `pct_out` (% of cells with a UMI), `rank`, `n_samples` (samples in which the rate is higher
        in the cluster than outside), sorted by cluster and rank.
    """
    table = pd.concat(
        [part.assign(sample=number) for number, part in enumerate(sums)], ignore_index=True
    )
    cells = (
        table.drop_duplicates(["sample", "group"])
        .set_index(["sample", "group"])["n_cells"]
        .unstack(fill_value=0)
    )
    symbols = table.drop_duplicates("gene").set_index("gene")["symbol"]
    rates = table.pivot_table(
        index="gene", columns="group", values="rates", aggfunc="sum", fill_value=0.0
    )
    expressed = table.pivot_table(
        index="gene", columns="group", values="expressed", aggfunc="sum", fill_value=0
    )
    n_in = cells.sum()[rates.columns]
    n_out = n_in.sum() - n_in
    mean_in = rates / n_in
    mean_out = rates.rsub(rates.sum(axis=1), axis=0) / n_out.clip(lower=1)
    pct_in = 100 * expressed / n_in
    pct_out = 100 * expressed.rsub(expressed.sum(axis=1), axis=0) / n_out.clip(lower=1)
    log2fc = ((mean_in + PSEUDO_RATE) / (mean_out + PSEUDO_RATE)).apply(np.log2)
    score = log2fc * (pct_in - pct_out) / 100
    agreeing = _n_samples_agreeing(table, cells)
    parts = []
    for cluster in sorted(rates.columns, key=_natural):
        usable = score.loc[(pct_in[cluster] >= min_pct) & (log2fc[cluster] > 0), cluster]
        top = usable.sort_values(ascending=False, kind="stable").index[:n_top]
        parts.append(
            pd.DataFrame(
                {
                    "cluster": cluster,
                    "gene": top,
                    "symbol": symbols[top].to_numpy(),
                    "log2fc": log2fc.loc[top, cluster].to_numpy(),
                    "pct_in": pct_in.loc[top, cluster].to_numpy(),
                    "pct_out": pct_out.loc[top, cluster].to_numpy(),
                    "rank": np.arange(1, len(top) + 1),
                    "n_samples": agreeing.reindex(pd.MultiIndex.from_product([top, [cluster]]))
                    .fillna(0)
                    .to_numpy(dtype=int),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _n_samples_agreeing(table: pd.DataFrame, cells: pd.DataFrame) -> pd.Series:
    """Per gene and cluster, the samples where its rate is higher in the cluster than outside."""
    n_all = table["sample"].map(cells.sum(axis=1))
    total = table.groupby(["sample", "gene"])["rates"].transform("sum")
    inside = table["rates"] / table["n_cells"]
    outside = (total - table["rates"]) / (n_all - table["n_cells"]).clip(lower=1)
    higher = (inside > outside).to_numpy()
    return table[higher].groupby(["gene", "group"]).size()


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (10**9, name)
