"""Time the expression tests: 20 populations, 15,000 genes, 40 samples, one contrast of each kind.

python -m benchmarks.expression_speed
"""

import time
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.permutation import Permutations
from lammscope.expression.genes import test_expression

N_POPULATIONS, N_GENES, N_PATIENTS = 20, 15_000, 20
ENGINE: dict[str, Any] = {
    "engine": "limma_voom",
    "threads": 2,
    "permutations": Permutations(max_exact=10_000, n_draws=10_000, seed=0),
}
ARMS = {"test": "non_responder", "reference": "responder"}
CONTRASTS: dict[str, dict[str, Any]] = {
    "baseline": {"kind": "between", **ARMS, "where": {"phase": "pre"}, "adjust": ["product"]},
    "pre_to_post": {"kind": "paired", "test": "post", "reference": "pre"},
    "change": {"kind": "change", **ARMS},
}


def sample_sheet() -> pd.DataFrame:
    """Make samples of twenty patients, half of them responders, before and after infusion."""
    rows = [
        {
            "sample": f"P{i:02d}_{phase}",
            "patient": f"P{i:02d}",
            "timepoint": phase,
            "phase": phase,
            "response": "responder" if i % 2 else "non_responder",
            "product": "axi" if i % 4 < 2 else "tisa",
        }
        for i in range(N_PATIENTS)
        for phase in ("pre", "post")
    ]
    return pd.DataFrame(rows).assign(compartment="blood", sort="none", batch="b")


def pseudobulks(samples: pd.DataFrame) -> anndata.AnnData:
    """Draw negative binomial counts with patient effects; every gene is expressed."""
    rng = np.random.default_rng(1)
    patients = samples["patient"].unique()
    tables, labels = [], []
    for population in range(N_POPULATIONS):
        mean = rng.gamma(0.6, 150, N_GENES) + 15
        own = dict(zip(patients, rng.normal(0, 0.3, (len(patients), N_GENES)), strict=True))
        level = np.array([mean * np.exp(own[p] + rng.normal(0, 0.3)) for p in samples["patient"]])
        counts = rng.poisson(level * rng.gamma(8, 1 / 8, level.shape))
        tables.append(sparse.csr_matrix(counts.astype(np.int64)))
        about = {"sample": samples["sample"], "population": f"type_{population:02d}"}
        labels.append(pd.DataFrame(about | {"n_cells": 200}))
    obs = pd.concat(labels, ignore_index=True)
    obs.index = pd.Index(obs["sample"] + "|" + obs["population"])
    genes = [f"ENSG{i:011d}" for i in range(N_GENES)]
    var = pd.DataFrame({"symbol": [f"G{i}" for i in range(N_GENES)]}, index=genes)
    return anndata.AnnData(sparse.vstack(tables, format="csr"), obs=obs, var=var)


def main() -> None:
    """Print wall time and processor time per contrast."""
    samples = sample_sheet()
    data = pseudobulks(samples)
    total = 0.0
    for contrast in contrasts_from_config(CONTRASTS, samples):
        start, cpu = time.perf_counter(), time.process_time()
        table = test_expression(
            data,
            Comparison(samples, contrast),
            min_cells=10,
            exclude=[],
            max_ambient_share=0.25,
            **ENGINE,
        )
        seconds = time.perf_counter() - start
        total += seconds
        used = time.process_time() - cpu
        tests = f"{table['p'].notna().sum():,} tests"
        print(f"{contrast.kind}\t{tests}\t{seconds:.1f} s\t{used:.1f} s CPU")
    print(f"all\t{total:.1f} s")


if __name__ == "__main__":
    main()
