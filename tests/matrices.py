"""Small count matrices in every input format, made on the spot."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import io, sparse

from lammscope.shards import Shard


def small_shard(n_cells: int = 40, n_genes: int = 60, *, seed: int = 0, rate: float = 2.0) -> Shard:
    """Poisson counts with Ensembl-like ids; some genes are mitochondrial or haemoglobin."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(1, rate, n_genes), (n_cells, n_genes))
    symbols = [f"GENE{i}" for i in range(n_genes)]
    symbols[:4] = ["MT-CO1", "MT-ND1", "HBB", "HBEGF"]
    barcodes = np.array([f"{''.join(rng.choice(list('ACGT'), 16))}-1" for _ in range(n_cells)])
    genes = pd.DataFrame({"gene": [f"ENSG{i:011d}" for i in range(n_genes)], "symbol": symbols})
    return Shard(sparse.csr_array(counts.astype(np.int32)), barcodes, genes)


def write_tenx_v3(shard: Shard, path: Path, *, data: np.ndarray | None = None) -> Path:
    """10x h5 of Cell Ranger 3 and later, with an antibody feature that readers must leave out."""
    size = shard.counts.shape
    text = h5py.string_dtype("ascii")
    with h5py.File(path, "w") as file:
        matrix = file.create_group("matrix")
        matrix["data"] = shard.counts.data if data is None else data
        matrix["indices"] = shard.counts.indices.astype(np.int64)
        matrix["indptr"] = shard.counts.indptr.astype(np.int64)
        matrix["shape"] = np.array([size[1] + 1, size[0]], dtype=np.int32)
        matrix.create_dataset("barcodes", data=shard.barcodes.astype(object), dtype=text)
        features = matrix.create_group("features")
        for name, values in {
            "id": [*shard.genes["gene"], "ADT1"],
            "name": [*shard.genes["symbol"], "CD3"],
            "feature_type": ["Gene Expression"] * size[1] + ["Antibody Capture"],
            "genome": ["GRCh38"] * (size[1] + 1),
        }.items():
            features.create_dataset(name, data=np.array(values, dtype=object), dtype=text)
    return path


def write_tenx_v2(shard: Shard, path: Path, genomes: tuple[str, ...] = ("GRCh38",)) -> Path:
    """10x h5 of Cell Ranger 2."""
    text = h5py.string_dtype("ascii")
    with h5py.File(path, "w") as file:
        for genome in genomes:
            group = file.create_group(genome)
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(shard.counts, name)
            group["shape"] = np.array(shard.counts.shape[::-1])
            for name, values in {
                "barcodes": shard.barcodes,
                "genes": shard.genes["gene"],
                "gene_names": shard.genes["symbol"],
            }.items():
                group.create_dataset(name, data=np.array(values, dtype=object), dtype=text)
    return path


def write_folder(shard: Shard, folder: Path, *, version: int) -> Path:
    """10x folder: version 2 is plain with genes.tsv, version 3 gzipped with features.tsv.gz."""
    folder.mkdir()
    opened = gzip.open if version == 3 else open
    suffix = ".gz" if version == 3 else ""
    with opened(folder / f"matrix.mtx{suffix}", "wb") as handle:
        io.mmwrite(handle, sparse.coo_matrix(shard.counts.T))
    kind = "\tGene Expression" if version == 3 else ""
    lines = [f"{gene}\t{symbol}{kind}" for gene, symbol in shard.genes[["gene", "symbol"]].values]
    name = "features.tsv" if version == 3 else "genes.tsv"
    with opened(folder / f"{name}{suffix}", "wt") as handle:
        handle.write("\n".join(lines) + "\n")
    with opened(folder / f"barcodes.tsv{suffix}", "wt") as handle:
        handle.write("\n".join(shard.barcodes) + "\n")
    return folder
