"""The steps of the workflow up to the markers as a pegasus script, to compare run times.

    PYTHON -m benchmarks.pegasus_reference SAMPLES.tsv [--threads N]

Run it with the Python of an environment of its own (`benchmarks/peers.txt`). Reads and concatenates
the matrices, filters cells, scores doublets per sample, selects variable genes, and runs PCA,
neighbors, Leiden, UMAP and markers by pegasus' defaults. It does not integrate: pegasus needs
another package for Harmony. Prints seconds per step.
"""

import argparse
import csv
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pegasus as pg
import pegasusio as io


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print the seconds of a step."""
    start = time.perf_counter()
    yield
    print(f"{step}\t{time.perf_counter() - start:.1f}", flush=True)


def run(samples: Sequence[dict[str, str]], *, threads: int) -> io.MultimodalData:
    """Run all steps from the matrices of a sample sheet to markers."""
    with timed("read"):
        sheet = {
            "Sample": [row["sample"] for row in samples],
            "Location": [row["counts"] for row in samples],
        }
        data = io.aggregate_matrices(sheet)
    with timed("qc"):
        pg.qc_metrics(data, min_genes=250, min_umis=500, percent_mito=15, mito_prefix="MT-")
        pg.filter_data(data)
    with timed("normalize"):
        pg.identify_robust_genes(data)
        pg.log_norm(data)
    with timed("doublets"):
        pg.infer_doublets(data, channel_attr="Channel", plot_hist=None)
        pg.mark_doublets(data)
        pg.qc_metrics(data, select_singlets=True)
        pg.filter_data(data)
    with timed("variable genes"):
        pg.highly_variable_features(data, batch="Channel", n_jobs=threads)
    with timed("pca"):
        pg.pca(data, n_components=30, n_jobs=threads)
    with timed("neighbors"):
        pg.neighbors(data, K=20, n_jobs=threads)
    with timed("leiden"):
        pg.leiden(data)
    with timed("umap"):
        pg.umap(data, n_jobs=threads, min_dist=0.3)
    with timed("markers"):
        pg.de_analysis(data, cluster="leiden_labels", n_jobs=threads)
    return data


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the script from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    with open(given.samples, encoding="utf-8") as file:
        samples = list(csv.DictReader(file, delimiter="\t"))
    start = time.perf_counter()
    data = run(samples, threads=given.threads)
    print(f"all\t{time.perf_counter() - start:.1f}")
    print(f"cells\t{data.shape[0]}")
    print(f"peak MiB\t{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


if __name__ == "__main__":
    main()
