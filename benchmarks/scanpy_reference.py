"""The steps of the workflow up to the markers as a scanpy script, to compare run times.

    python -m benchmarks.scanpy_reference SAMPLES.tsv [--threads N]

Reads and concatenates the matrices, filters cells, scores doublets per sample (Scrublet), selects
variable genes, and runs PCA, Harmony, neighbors, Leiden, UMAP and markers with the defaults of
scanpy or with faster settings of equal quality. Prints seconds per step.
"""

import argparse
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anndata
import harmonypy
import pandas as pd
import scanpy as sc

from benchmarks.measures import MIB


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print the seconds of a step."""
    start = time.perf_counter()
    yield
    print(f"{step}\t{time.perf_counter() - start:.1f}", flush=True)


def run(samples: pd.DataFrame, *, threads: int) -> anndata.AnnData:
    """Run all steps from the matrices of a sample sheet to markers."""
    sc.settings.n_jobs = threads
    with timed("read"):
        parts = {}
        for name, path in zip(samples["sample"], samples["counts"], strict=True):
            part = sc.read_10x_h5(path)
            part.var_names_make_unique()
            part.obs_names = f"{name}_" + part.obs_names
            parts[name] = part
        data = anndata.concat(parts, label="sample", merge="same")
        parts.clear()
    with timed("qc"):
        data.var["mt"] = data.var_names.str.startswith("MT-")
        sc.pp.calculate_qc_metrics(data, qc_vars=["mt"], percent_top=None, inplace=True)
        kept = data.obs["total_counts"].ge(500) & data.obs["n_genes_by_counts"].ge(250)
        data = data[kept & data.obs["pct_counts_mt"].le(15)].copy()
    with timed("scrublet"):
        # a fixed threshold needs no scikit-image and keeps as many cells as the workflow
        sc.pp.scrublet(data, batch_key="sample", threshold=0.25, verbose=False)
        data = data[~data.obs["predicted_doublet"].astype(bool)].copy()
    with timed("normalize"):
        counts: Any = data.X
        data.layers["counts"] = counts.copy()
        sc.pp.normalize_total(data, target_sum=1e4)
        sc.pp.log1p(data)
    with timed("variable genes"):
        sc.pp.highly_variable_genes(data, n_top_genes=2000, batch_key="sample")
    with timed("pca"):
        sc.pp.pca(data, n_comps=30, mask_var="highly_variable")
    with timed("harmony"):
        # sc.external.pp.harmony_integrate transposes the result of harmonypy 2
        fitted = harmonypy.run_harmony(
            data.obsm["X_pca"].astype(float), data.obs, "sample", ncores=threads, verbose=False
        )
        data.obsm["X_pca_harmony"] = fitted.Z_corr
    with timed("neighbors"):
        sc.pp.neighbors(data, n_neighbors=20, use_rep="X_pca_harmony")
    with timed("leiden"):
        sc.tl.leiden(data, flavor="igraph", n_iterations=2, directed=False)
    with timed("umap"):
        sc.tl.umap(data, min_dist=0.3)
    with timed("markers"):
        sc.tl.rank_genes_groups(data, "leiden", method="t-test")
    return data


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the script from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    start = time.perf_counter()
    data = run(pd.read_csv(given.samples, sep="\t"), threads=given.threads)
    print(f"all\t{time.perf_counter() - start:.1f}")
    print(f"cells\t{data.n_obs}")
    print(f"peak MiB\t{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB:.0f}")


if __name__ == "__main__":
    main()
