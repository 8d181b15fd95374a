"""Write small count matrices in every input format."""

import gzip
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy import io, sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.find import find_libraries


def find_matrices(folder: str | Path) -> list[Path]:
    """Return the matrix of each library in a folder and its subfolders."""
    return [library.path for library in find_libraries(folder)[0]]


def small_shard(n_cells: int = 40, n_genes: int = 60, *, seed: int = 0, rate: float = 2.0) -> Shard:
    """Draw Poisson counts with Ensembl-like ids, including mitochondrial and hemoglobin genes."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(1, rate, n_genes), (n_cells, n_genes))
    symbols = [f"GENE{i}" for i in range(n_genes)]
    symbols[:4] = ["MT-CO1", "MT-ND1", "HBB", "HBEGF"]
    barcodes = np.array([f"{''.join(rng.choice(list('ACGT'), 16))}-1" for _ in range(n_cells)])
    genes = pd.DataFrame({"gene": [f"ENSG{i:011d}" for i in range(n_genes)], "symbol": symbols})
    return Shard(sparse.csr_array(counts.astype(np.int32)), barcodes, genes)


def mouse_symbols(n_genes: int) -> list[str]:
    """Return symbols as mouse genes have them: `Actb`, `mt-Co1` and others in lower case."""
    rng = np.random.default_rng(0)
    known = ["Actb", "B2m", "Malat1", "mt-Co1", "mt-Nd1", "H2-Aa", "Cd14", "Csf1r", "Cd68", "Lyz2"]
    rest = ["".join(rng.choice(list("abcdefghij"), 5)).capitalize() for _ in range(n_genes)]
    return [*known, *rest][:n_genes]


def write_tenx_v3(
    shard: Shard,
    path: Path,
    *,
    data: np.ndarray | None = None,
    genomes: list[str] | None = None,
    **parts: np.ndarray | None,
) -> Path:
    """Write a 10x h5 file of Cell Ranger 3 or later, with an antibody feature to be ignored.

    `genomes` has the genome of each gene; if they differ, they are prefixes of the names. `parts`
    replaces a dataset such as `indptr`, or omits it if None.
    """
    size = shard.counts.shape
    text = h5py.string_dtype("ascii")
    origin = genomes or ["GRCh38"] * size[1]
    names = shard.genes[["gene", "symbol"]]
    if len(set(origin)) > 1:
        names = names.radd(pd.Series(origin) + "_", axis=0)
    numbers: dict[str, Any] = {
        "data": shard.counts.data if data is None else data,
        "indices": shard.counts.indices.astype(np.int64),
        "indptr": shard.counts.indptr.astype(np.int64),
        "shape": np.array([size[1] + 1, size[0]], dtype=np.int32),
    }
    with h5py.File(path, "w") as file:
        matrix = file.create_group("matrix")
        for part, content in (numbers | parts).items():
            if content is not None:
                matrix[part] = content
        matrix.create_dataset("barcodes", data=shard.barcodes.astype(object), dtype=text)
        features = matrix.create_group("features")
        for name, values in {
            "id": [*names["gene"], "ADT1"],
            "name": [*names["symbol"], "CD3"],
            "feature_type": ["Gene Expression"] * size[1] + ["Antibody Capture"],
            "genome": [*origin, ""],
        }.items():
            features.create_dataset(name, data=np.array(values, dtype=object), dtype=text)
    return path


def write_tenx_v2(shard: Shard, path: Path, genomes: tuple[str, ...] = ("GRCh38",)) -> Path:
    """Write a 10x h5 file of Cell Ranger 2."""
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


def write_folder(shard: Shard, folder: Path, *, version: int, prefix: str = "") -> Path:
    """Write a 10x folder: plain with genes.tsv (version 2), or gzipped with features.tsv.gz (3).

    `prefix` is a prefix of the three file names, so that a folder can hold several samples.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".gz" if version == 3 else ""
    kind = "\tGene Expression" if version == 3 else ""
    write_mtx(shard.counts.T, folder / f"{prefix}matrix.mtx{suffix}")
    name = "features.tsv" if version == 3 else "genes.tsv"
    write_lines(
        (f"{gene}\t{symbol}{kind}" for gene, symbol in shard.genes[["gene", "symbol"]].values),
        folder / f"{prefix}{name}{suffix}",
    )
    write_lines(shard.barcodes, folder / f"{prefix}barcodes.tsv{suffix}")
    return folder


def write_kallisto(shard: Shard, folder: Path, *, stem: str = "cells_x_genes") -> Path:
    """Write the folder `counts_unfiltered` of kallisto|bustools: cells x genes."""
    folder.mkdir(parents=True)
    write_mtx(shard.counts.astype(np.float64), folder / f"{stem}.mtx")
    write_lines(shard.barcodes, folder / f"{stem}.barcodes.txt")
    write_lines(shard.genes["gene"], folder / f"{stem}.genes.txt")
    write_lines(shard.genes["symbol"], folder / f"{stem}.genes.names.txt")
    return folder


def write_alevin(shard: Shard, folder: Path, *, unspliced: bool = False) -> Path:
    """Write the folder `alevin` of alevin-fry: cells x genes, without symbols.

    `unspliced` writes three columns per gene, as in USA mode: one molecule of each count is
    ambiguous and the others are spliced; unspliced molecules are added.
    """
    folder.mkdir(parents=True)
    genes = shard.genes["gene"].tolist()
    counts = shard.counts
    if unspliced:
        one = counts.astype(bool).astype(np.int32)
        counts = sparse.hstack([counts - one, counts, one])
        genes = [f"{gene}{kind}" for kind in ("", "-U", "-A") for gene in genes]
    write_mtx(counts, folder / "quants_mat.mtx")
    write_lines(shard.barcodes, folder / "quants_mat_rows.txt")
    write_lines(genes, folder / "quants_mat_cols.txt")
    return folder


def write_h5ad(
    shard: Shard,
    path: Path,
    *,
    where: str = "X",
    index: str = "gene",
    form: Any = sparse.csr_matrix,
    var: dict[str, Any] | None = None,
) -> Path:
    """Write an AnnData file with the counts in `X`, in `raw`, or in the layer `where`.

    Other matrices hold log(1 + counts). `form` converts the sparse matrix. `var` replaces the
    column of ids or symbols, whichever is not the `index`.
    """
    counts = form(shard.counts.astype(np.float32))
    other = {"symbol": "gene", "gene": "symbol"}[index]
    name = {"symbol": "symbol", "gene": "gene_ids"}[other]
    columns = var if var is not None else {name: shard.genes[other].to_numpy()}
    table = pd.DataFrame(columns, index=shard.genes[index].to_numpy(dtype=object))
    obs = pd.DataFrame(index=shard.barcodes)
    normalized = form(shard.counts.astype(np.float32).log1p())
    if where == "raw":
        data = anndata.AnnData(counts, obs=obs, var=table)
        data.raw = data.copy()
        data.X = normalized
    elif where == "X":
        data = anndata.AnnData(counts, obs=obs, var=table)
    else:
        data = anndata.AnnData(normalized, obs=obs, var=table, layers={where: counts})
    data.write_h5ad(path)
    return path


def write_loom(
    shard: Shard,
    path: Path,
    *,
    cells: str = "CellID",
    genes: dict[str, Any] | None = None,
    layers: dict[str, Any] | None = None,
    **options: Any,
) -> Path:
    """Write a loom file, genes x cells, with the counts as its main matrix.

    `genes` replaces the row attributes `Accession` and `Gene`; `layers` are cells x genes;
    `options` are those of the main matrix.
    """
    rows = genes or {"Accession": shard.genes["gene"], "Gene": shard.genes["symbol"]}
    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        file.create_dataset("matrix", **({"data": shard.counts.toarray().T} | options))
        for name, layer in (layers or {}).items():
            file[f"layers/{name}"] = np.asarray(layer).T
        for group, values in (("row_attrs", rows), ("col_attrs", {cells: shard.barcodes})):
            file.create_group(group)
            for name, column in values.items():
                file[group].create_dataset(name, data=np.array(column, dtype=object), dtype=text)
        file["col_attrs/total"] = shard.counts.sum(axis=1)
    return path


def write_dense(
    shard: Shard,
    path: Path,
    *,
    separator: str = ",",
    genes_in_rows: bool = True,
    names: tuple[str, ...] = ("gene",),
    quote: str = "",
    r_header: bool = False,
    values: Any = None,
) -> Path:
    """Write a dense table as text, compressed if `path` ends in .gz.

    Parameters
    ----------
    names
        One or two columns with the names of the genes; two need genes in rows.
    r_header
        Whether the header has no field for the row names, as in R.
    values
        Values to write instead of the counts, cells x genes.
    """
    table = shard.counts.toarray() if values is None else values
    genes = shard.genes[list(names)].to_numpy().tolist()
    if genes_in_rows:
        table, labels, columns = table.T, genes, shard.barcodes.tolist()
    else:
        labels, columns = [[name] for name in shard.barcodes], [gene[0] for gene in genes]
    corner = [] if r_header else ["", "symbol"][: len(labels[0])]

    def quoted(texts: list[str]) -> list[str]:
        return [f"{quote}{text}{quote}" for text in texts]

    rows = [
        separator.join([*quoted(label), *map(str, row)])
        for label, row in zip(labels, table.tolist(), strict=True)
    ]
    write_lines([separator.join(quoted([*corner, *columns])), *rows], path)
    return path


def write_mtx(counts: Any, path: Path) -> Path:
    """Write a Matrix Market file, compressed if `path` ends in .gz."""
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as handle:
        io.mmwrite(handle, sparse.coo_matrix(counts))
    return path


def write_lines(lines: Any, path: Path) -> Path:
    """Write a text file, compressed if `path` ends in .gz."""
    text = "".join(f"{line}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path
