"""Simulated pseudobulks, with or without a planted effect."""

from collections.abc import Sequence
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

LIMMA: dict[str, Any] = {"engine": "limma_voom", "threads": 2, "permutations": None}
PYDESEQ2: dict[str, Any] = {"engine": "pydeseq2", "threads": 1, "permutations": None}
N_PLANTED = 30


def make_pseudobulk(
    samples: pd.DataFrame,
    shift: np.ndarray | float = 0.0,
    *,
    seed: int = 1,
    populations: Sequence[str] = ("LAMM", "NK"),
    n_genes: int = 600,
) -> anndata.AnnData:
    """Draw counts; `shift` is the log fold change of the first genes of LAMM cells per sample."""
    rng = np.random.default_rng(seed)
    shift = np.broadcast_to(shift, len(samples))
    mean = rng.gamma(0.8, 60, n_genes) + 5
    blocks, obs = [], []
    for population in populations:
        patients = {p: rng.normal(0, 0.3, n_genes) for p in samples["patient"].unique()}
        for i, sample in enumerate(samples["sample"]):
            rate = mean * np.exp(patients[samples["patient"].iloc[i]]) * rng.lognormal(0, 0.3)
            rate[:N_PLANTED] *= np.exp(shift[i] if population == "LAMM" else 0.0)
            blocks.append(rng.negative_binomial(8, 8 / (8 + rate)))
            obs.append({"sample": sample, "population": population, "n_cells": 60})
    table = pd.DataFrame(obs)
    table.index = pd.Index(table["sample"] + "|" + table["population"])
    symbols = [f"GENE{i:02d}" for i in range(n_genes)]
    var = pd.DataFrame({"symbol": symbols}, index=[f"ENSG{i:05d}" for i in range(n_genes)])
    return anndata.AnnData(sparse.csr_matrix(np.array(blocks)), obs=table, var=var)


def shifted(samples: pd.DataFrame, size: float, **who: str) -> np.ndarray:
    """Return `size` for samples whose columns have the values of `who`, else 0."""
    hit = np.all([samples[column] == value for column, value in who.items()], axis=0)
    return np.where(hit, size, 0.0)
