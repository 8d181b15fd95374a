"""Which genes the state of LAMM cells rests on, and how many of them the matrices list."""

from typing import Any

import pandas as pd

from lammscope.core.signature_file import is_gene_set_file
from lammscope.core.words import shortened


def signature_section(listed: pd.DataFrame, *, path: str) -> dict[str, Any]:
    """Return whether the state is a user's signature, and a sentence on its genes.

    Parameters
    ----------
    listed
        `annotation/lamm_genes.tsv`: `sample`, `set`, `n_genes`, `n_listed`.
    path
        `lamm.state_genes` in the config.
    """
    is_own = is_gene_set_file(path)
    sets = listed.groupby("set", sort=False)
    parts = [
        _words_on_set(f"`{name}`" if is_own else f"Genes of {name}s", part) for name, part in sets
    ]
    what = "the signature" if is_own else "genes"
    line = f"The macrophage-like level and the LAMM score rest on {what} in `{path}`."
    return {"is_own": is_own, "line": " ".join([line, *parts])}


def _words_on_set(name: str, listed: pd.DataFrame) -> str:
    """Say how many genes of a set the matrices list, by sample where they differ."""
    n_genes, fewest = int(listed["n_genes"].iloc[0]), int(listed["n_listed"].min())
    if fewest == listed["n_listed"].max():
        many = "all" if fewest == n_genes else f"{fewest}"
        return f"{name}: {n_genes} genes, of which the matrices list {many}."
    ordered = listed.sort_values(["n_listed", "sample"])
    of_samples = [f"{sample} {n}" for sample, n in ordered[["sample", "n_listed"]].to_numpy()]
    return (
        f"{name}: {n_genes} genes, of which the matrices list {fewest} to "
        f"{listed['n_listed'].max()} ({shortened(of_samples)})."
    )
