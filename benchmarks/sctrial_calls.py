"""Run sctrial on cohorts of `sctrial_beside`: a script for the Python that has sctrial.

    PYTHON benchmarks/sctrial_calls.py COHORTS.npz P.npy

The file has `cells` (cohorts x samples x 2: LAMM cells and others), and `patient`, `phase` and
`arm` of the samples. Written are the p of the change between arms by cluster-robust standard errors
and by the bootstrap, and both of the pairs of the test arm, cohorts x 4.
"""

import sys
import warnings
from typing import Any

import anndata
import numpy as np
import pandas as pd
import sctrial
from scipy import sparse

VISITS = ("pre", "post")


def as_cells(cells: np.ndarray, of: Any) -> anndata.AnnData:
    """Make a cell of each count, with its type and whether it is a LAMM cell."""
    sample = np.repeat(np.arange(len(cells)), 2)
    which = np.repeat(np.arange(sample.size), cells.ravel())
    obs = pd.DataFrame({name: of[name][sample[which]] for name in ("patient", "phase", "arm")})
    obs["is_lamm"] = (which % 2 == 0).astype(float)
    obs["type"] = np.where(obs["is_lamm"] == 1, "LAMM", "other")
    obs.index = obs.index.astype(str)
    return anndata.AnnData(sparse.csr_matrix((len(obs), 1)), obs=obs)


def main(cohorts: str, results: str) -> None:
    """Test every cohort and write the p."""
    of = np.load(cohorts, allow_pickle=True)
    design = sctrial.TrialDesign("patient", "phase", "arm", "test", "reference", "type")
    found = []
    for cells in of["cells"]:
        data = as_cells(cells, of)
        row = []
        for bootstrap in (False, True):
            table = sctrial.abundance_did(data, design, VISITS, use_bootstrap=bootstrap)
            row.append(table.set_index("celltype").loc["LAMM", "p_DiD"])
        for bootstrap in (False, True):
            table = sctrial.within_arm_comparison(
                data, "test", ["is_lamm"], design, VISITS, use_bootstrap=bootstrap
            )
            row.append(table.loc[0, "p_time"])
        found.append(row)
    np.save(results, np.array(found, dtype=float))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
