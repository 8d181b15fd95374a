"""False discovery rate of genes over all contrasts and populations of a run."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lammscope.core.verdicts import SUPPORTED
from lammscope.stats.multiplicity import benjamini_hochberg

COLUMNS = [
    *("contrast", "cell_type", "n_tested", "p_family", "fdr_family", "max_fdr"),
    *("n_genes_population", "n_genes", "n_supported"),
]


def gather_expression(tables: Mapping[str, pd.DataFrame], *, max_fdr: float) -> pd.DataFrame:
    """Find the populations with differences in a run, and then the genes within them.

    The genes of a population in a contrast are a family. Families are selected by Benjamini and
    Hochberg's method on their Simes p (the smallest FDR of a gene in the family). If R of m
    families are, genes of these pass if their FDR within the family is at most `max_fdr` x R / m:
    then the mean share of false discoveries over the selected families is at most `max_fdr`
    (Benjamini and Bogomolov 2014, doi 10.1111/rssb.12028).

    Parameters
    ----------
    tables
        From `genes.test_expression`, by contrast.
    max_fdr
        False discovery rate.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, one row per contrast and tested population, sorted by `p_family`.
        `fdr_family` is over all families of the run. `max_fdr` is the limit for the genes' FDR
        within the family; it is missing where the family is not selected. `n_genes_population` pass
        the FDR within the population alone, `n_genes` this limit; of the latter the verdict on
        `n_supported` is supported.
    """
    rows = []
    for contrast, table in tables.items():
        for population, genes in table[table["fdr"].notna()].groupby("cell_type", sort=True):
            rates = genes["fdr"].to_numpy(dtype=float)
            supported = genes["verdict"].eq(SUPPORTED).to_numpy()
            rows.append((contrast, population, rates, supported))
    families = pd.DataFrame(rows, columns=["contrast", "cell_type", "rates", "supported"])
    families["n_tested"] = families["rates"].map(len)
    families["p_family"] = families["rates"].map(np.min).astype(float)
    families["fdr_family"] = benjamini_hochberg(families["p_family"])
    selected = families["fdr_family"] <= max_fdr
    limit = max_fdr * selected.sum() / max(len(families), 1)
    families["max_fdr"] = np.where(selected, limit, np.nan)
    passed = [
        rates <= each for rates, each in zip(families["rates"], families["max_fdr"], strict=True)
    ]
    families["n_genes_population"] = [int((rates <= max_fdr).sum()) for rates in families["rates"]]
    families["n_genes"] = [int(genes.sum()) for genes in passed]
    families["n_supported"] = [
        int((genes & supported).sum())
        for genes, supported in zip(passed, families["supported"], strict=True)
    ]
    order = ["p_family", "contrast", "cell_type"]
    return families.sort_values(order, ignore_index=True)[COLUMNS]
