"""Compare the variable genes of a run with those that scanpy selects from concatenated cells.

    python -m benchmarks.variable_genes RESULTS

Reads the cells and the variable genes of a run, and has scanpy select as many with the same flavor
(`seurat`) from all cells at once: without batches, and with each sample as a batch.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
import yaml

from lammscope.core.indexed import read_table
from lammscope.joint.variable_genes import N_BINS


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare the genes of a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    given = parser.parse_args(arguments)
    config = yaml.safe_load((given.results / "config.yaml").read_text())["genes"]
    ours = set(read_table(given.results / "joint" / "genes.tsv")["gene"])
    data = anndata.read_h5ad(given.results / "cohort.h5ad")
    del data.raw
    counts: Any = data.X
    usable = np.asarray((counts > 0).sum(axis=0)).ravel() >= config["min_cells"]
    symbols = data.var["feature_name"].astype(str)
    for pattern in config["exclude"]:
        usable &= ~symbols.str.contains(pattern.replace("(", "(?:")).to_numpy()
    data = data[:, usable].copy()
    data.uns["log1p"] = {"base": None}
    settings = {"n_top_genes": len(ours), "flavor": "seurat", "inplace": False}
    for name, batch in (("no batches", None), ("batch_key=sample", "sample")):
        table = sc.pp.highly_variable_genes(data, batch_key=batch, n_bins=N_BINS, **settings)
        theirs = set(pd.Index(data.var_names)[table["highly_variable"].to_numpy()])
        print(f"{name}: {len(ours & theirs)} of {len(ours)} genes shared")


if __name__ == "__main__":
    main()
