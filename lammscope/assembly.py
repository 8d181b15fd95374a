"""The end product for further work: one AnnData object of all kept cells."""

from collections.abc import Mapping

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.qc import normalise

LABELS = [
    *("cluster", "lineage", "cell_type", "cell_type_margin", "population"),
    *("lamm_score", "lamm_positive", "lamm_elevated", "lamm_call", "lamm_veto", "car"),
]
# of the sample table; paths of one machine have no place in a shared object
LEFT_OUT = ["counts", "barcodes", "patient"]


def assemble_cohort(
    index: pd.DataFrame,
    labels: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    counts: list[tuple[sparse.csr_array, pd.DataFrame]],
    spaces: Mapping[str, np.ndarray],
) -> anndata.AnnData:
    """Put cells, labels, sheets, joint spaces and the extracted genes together.

    Parameters
    ----------
    index
        The cell index with its metrics.
    labels
        `annotation/cells.parquet`, rows as in the index.
    samples
        The sample table; its columns are repeated for each cell.
    counts
        Counts of the variable genes and of the panel (cells x genes) with their genes. A gene of
        both is taken once.
    spaces
        Cells x dimensions by name, for `obsm`.

    Returns
    -------
    AnnData
        `X` holds log(1 + UMIs per 10,000), `layers["counts"]` UMIs, of the variable and the panel
        genes only; all genes are in the shards. `var` has `symbol` and `highly_variable`.
    """
    genes = pd.concat([table for _, table in counts], ignore_index=True)
    matrix = sparse.hstack([matrix for matrix, _ in counts], format="csr")
    kept = ~genes["gene"].duplicated().to_numpy()
    genes, matrix = genes[kept], matrix[:, np.flatnonzero(kept)]
    sheet = samples.drop(columns=LEFT_OUT, errors="ignore")
    obs = pd.concat([index, labels[LABELS]], axis=1).merge(
        sheet, on="sample", how="left", validate="many_to_one", suffixes=("", "_sheet")
    )
    obs = obs.set_index("cell").drop(columns="position")
    for name in obs.select_dtypes(exclude="number").columns:
        obs[name] = obs[name].astype("str").astype("category")
    var = genes.set_index("gene")[["symbol"]]
    var["highly_variable"] = np.arange(len(var)) < len(counts[0][1])
    totals = index["total_counts"].to_numpy()
    return anndata.AnnData(
        sparse.csr_matrix(normalise(sparse.csr_array(matrix), totals)),
        obs=obs,
        var=var,
        layers={"counts": sparse.csr_matrix(matrix.astype(np.int32))},
        obsm={name: np.asarray(space) for name, space in spaces.items()},  # type: ignore[misc]
    )
