"""Time the pseudobulks of 100,000 cells: `python -m benchmarks.pseudobulk_speed`.

Twenty per-sample count files of 5,000 cells x 30,000 genes (3,000 UMIs per cell) are read, summed
over 20 populations and written as in the rule `sum_groups`, then gathered as in `build_pseudobulk`.
Prints seconds and the peak memory of this process.
"""

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.sums import all_genes, read_sums, sum_groups, write_sums
from lammscope.core.indexed import CellIndex, write_index
from lammscope.core.shards import Shard, read_shard, write_shard
from lammscope.expression.pseudobulk import build_pseudobulk

N_SHARDS, N_CELLS, N_GENES, N_POPULATIONS, N_UMIS = 20, 5_000, 30_000, 20, 3_000


def make_shard(rng: np.random.Generator) -> Shard:
    """Draw counts with many rarely expressed genes."""
    weights = rng.lognormal(0, 2, N_GENES)
    genes = rng.choice(N_GENES, size=N_CELLS * N_UMIS, p=weights / weights.sum())
    cells = np.repeat(np.arange(N_CELLS), N_UMIS)
    counts = sparse.csr_array((np.ones(len(genes), int), (cells, genes)), shape=(N_CELLS, N_GENES))
    counts.sum_duplicates()
    names = [f"ENSG{i:011d}" for i in range(N_GENES)]
    table = pd.DataFrame({"gene": names, "symbol": names}, dtype="str")
    barcodes = np.array([f"CELL{i:06d}-1" for i in range(N_CELLS)])
    return Shard(counts, barcodes, table)


def main() -> None:
    """Make the count files, then time the two steps."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = [folder / f"{i:02d}.h5ad" for i in range(N_SHARDS)]
        for path in shards:
            write_shard(make_shard(rng), path)
        sums = [path.with_suffix(".npz") for path in shards]
        names = [f"{path.stem}_{barcode}" for path in shards for barcode in range(N_CELLS)]
        write_index(pd.DataFrame({"cell": names}), folder / "cells.parquet")
        index = CellIndex(folder / "cells.parquet")
        labels = np.array([f"type {i:02d}" for i in rng.integers(0, N_POPULATIONS, N_CELLS)])
        start = time.perf_counter()
        for path, output in zip(shards, sums, strict=True):
            found = sum_groups(read_shard(path), positions=np.arange(N_CELLS), labels=labels)
            write_sums(output, {path.stem: found}, index)
        summed = time.perf_counter()
        read = read_sums(sums, index)
        pseudobulk = build_pseudobulk(read, genes=all_genes(sums))
        gathered = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{pseudobulk.n_obs} pseudobulks x {pseudobulk.n_vars} genes of {N_SHARDS * N_CELLS} cells"
    )
    print(f"sums {summed - start:.1f} s, gathering {gathered - summed:.1f} s, peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
