"""Every format gives the same names of genes, in whatever dialect the file has them."""

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import inspect_matrix, read_matrix
from tests.matrices import (
    mouse_symbols,
    small_shard,
    write_dense,
    write_folder,
    write_h5ad,
    write_kallisto,
    write_lines,
    write_tenx_v2,
    write_tenx_v3,
)

PLAIN = small_shard()
KNOWN = ["ACTB", "B2M", "MALAT1", "HLA-DRA", "CD14", "CSF1R"]
SYMBOLS = pd.Series([*PLAIN.genes["symbol"][:4], *KNOWN, *PLAIN.genes["symbol"][10:]])
IDS = PLAIN.genes["gene"]
SHARD = Shard(PLAIN.counts, PLAIN.barcodes, pd.DataFrame({"gene": IDS, "symbol": SYMBOLS}))
BY_SYMBOL = SHARD.genes.assign(gene=SYMBOLS)


def renamed(genes: Any) -> Any:
    return Shard(SHARD.counts, SHARD.barcodes, genes)


DIALECTS = {
    "dots": (BY_SYMBOL.replace("-", ".", regex=True), BY_SYMBOL),
    "genome": ("GRCh38---" + BY_SYMBOL, BY_SYMBOL),
    "genome of ids": ("GRCh38_" + SHARD.genes, SHARD.genes),
    "genome of symbols": (SHARD.genes.assign(symbol="GRCh38_" + SYMBOLS), SHARD.genes),
    "id_symbol": (BY_SYMBOL.assign(gene=IDS + "_" + SYMBOLS, symbol=IDS + "_" + SYMBOLS), None),
    "symbol_id": (BY_SYMBOL.assign(gene=SYMBOLS + "_" + IDS, symbol=SYMBOLS + "_" + IDS), None),
    "id|symbol": (BY_SYMBOL.assign(gene=IDS + ".3|" + SYMBOLS, symbol=IDS), None),
    "swapped": (pd.DataFrame({"gene": SYMBOLS, "symbol": IDS}), None),
    "versions of GRCh37": (SHARD.genes.assign(gene=IDS + ".5_2"), SHARD.genes),
}
FORMATS = {
    "v3": lambda shard, folder: write_tenx_v3(shard, folder / "x.h5"),
    "v2": lambda shard, folder: write_tenx_v2(shard, folder / "x.h5"),
    "folder": lambda shard, folder: write_folder(shard, folder / "x", version=3),
    "kallisto": lambda shard, folder: write_kallisto(shard, folder / "x"),
    "h5ad": lambda shard, folder: write_h5ad(shard, folder / "x.h5ad"),
    "csv": lambda shard, folder: write_dense(shard, folder / "x.csv", names=("gene", "symbol")),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_names_are_the_same_in_every_format(tmp_path: Path, form: Any, dialect: Any) -> None:
    genes, expected = DIALECTS[dialect]
    expected = SHARD.genes if expected is None else expected
    path = FORMATS[form](renamed(genes), tmp_path)
    inspect_matrix(path)
    read = read_matrix(path)
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.genes["symbol"].tolist() == expected["symbol"].tolist()
    assert read.genes["gene"].tolist() == expected["gene"].tolist()


SYMBOL_COLUMNS = [
    *("gene_names", "gene_short_name", "SYMBOL", "Gene", "hgnc_symbol", "external_gene_name"),
    *("gene_symbols-0", "whatever"),
]


@pytest.mark.parametrize("column", SYMBOL_COLUMNS)
@pytest.mark.parametrize("index", ["ids", "numbers"])
@pytest.mark.parametrize("form", [np.array, pd.Categorical])
def test_symbols_are_found_in_any_column_of_an_h5ad(
    tmp_path: Path, column: Any, index: Any, form: Any
) -> None:
    var = {
        "feature_types": pd.Categorical(["Gene Expression"] * 60),
        "chromosome": np.resize(["chr1", "chr2"], 60),
        "highly_variable": np.resize([True, False], 60),
        "mean": np.linspace(0, 1, 60),
        column: form(SYMBOLS.to_numpy(dtype=object)),
    }
    genes = IDS if index == "ids" else pd.Series([str(i) for i in range(60)])
    path = write_h5ad(renamed(SHARD.genes.assign(gene=genes)), tmp_path / "x.h5ad", var=var)
    read = read_matrix(path)
    assert read.genes["symbol"].tolist() == SYMBOLS.tolist()
    assert read.genes["gene"].tolist() == (IDS if index == "ids" else SYMBOLS).tolist()


@pytest.mark.parametrize("column", ["gene_ids-0", "ENSEMBL", "Accession", "feature_id", "id", "x"])
def test_ids_are_found_in_any_column_of_an_h5ad(tmp_path: Path, column: Any) -> None:
    var = {column: IDS.to_numpy(dtype=object)}
    path = write_h5ad(SHARD, tmp_path / "x.h5ad", index="symbol", var=var)
    read = read_matrix(path)
    assert read.genes["gene"].tolist() == IDS.tolist()
    assert read.genes["symbol"].tolist() == SYMBOLS.tolist()


def test_symbols_are_found_in_any_column_of_a_list_of_genes(tmp_path: Path) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    for rows in (zip(range(60), IDS, SYMBOLS, strict=True), zip(IDS, IDS, SYMBOLS, strict=True)):
        write_lines(("\t".join(map(str, row)) for row in rows), path / "genes.tsv")
        genes = read_matrix(path).genes
        assert genes["gene"].tolist() == IDS.tolist()
        assert genes["symbol"].tolist() == SYMBOLS.tolist()


def test_a_gene_without_a_symbol_has_its_id_without_version(tmp_path: Path) -> None:
    path = write_folder(
        renamed(pd.DataFrame({"gene": IDS + ".3", "symbol": IDS + ".3"})), tmp_path / "x", version=2
    )
    genes = read_matrix(path).genes
    assert genes["gene"].tolist() == genes["symbol"].tolist() == IDS.tolist()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["both", "ids", "symbols"])
def test_a_mouse_matrix_is_refused_at_once(tmp_path: Path, form: Any, kind: Any) -> None:
    names = pd.DataFrame({"gene": "ENSMUSG" + IDS.str[4:], "symbol": mouse_symbols(60)})
    if kind != "both":
        column = names["gene" if kind == "ids" else "symbol"]
        names = names.assign(gene=column, symbol=column)
    path = FORMATS[form](renamed(names), tmp_path)
    words = "in lower case, as in mouse" if kind == "symbols" else "those of mouse"
    for use in (inspect_matrix, read_matrix):
        with pytest.raises(ValueError, match=rf"genes are {words}.*human one-to-one orthologs"):
            use(path)


def test_the_human_genes_of_a_mixture_are_read_by_the_name_of_the_species(tmp_path: Path) -> None:
    mouse = pd.DataFrame({"gene": "ENSMUSG" + IDS.str[4:], "symbol": mouse_symbols(60)})
    genes = pd.concat([SHARD.genes, mouse], ignore_index=True)
    counts = sparse.csr_array(sparse.hstack([SHARD.counts, SHARD.counts]))
    path = write_folder(Shard(counts, SHARD.barcodes, genes), tmp_path / "x", version=2)
    with pytest.raises(ValueError, match=r"several genomes \(human, mouse\)"):
        inspect_matrix(path)
    read = read_matrix(path, genome="human")
    assert (read.counts != SHARD.counts).nnz == 0
    with pytest.raises(ValueError, match="those of mouse"):
        read_matrix(path, genome="mouse")


@pytest.mark.parametrize("form", ["v3", "folder", "kallisto", "h5ad"])
@pytest.mark.parametrize("names", [["__no_feature", "__not_aligned"], ["N_unmapped", "nUMI"]])
def test_features_that_are_no_genes_are_left_out_of_every_format(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: Any, names: Any
) -> None:
    others = pd.DataFrame({"gene": names, "symbol": names})
    genes = pd.concat([others, SHARD.genes], ignore_index=True)
    counts = sparse.csr_array(sparse.hstack([np.full((40, 2), 900), SHARD.counts]))
    path = FORMATS[form](Shard(counts, SHARD.barcodes, genes), tmp_path)
    read = read_matrix(path)
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.genes.equals(SHARD.genes)
    assert caplog.messages == [f"{path}: left out, not genes: {', '.join(names)}"]


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize("form", [np.array, pd.Categorical])
def test_hdf5_and_zarr_have_the_same_columns_of_text(
    tmp_path: Path, suffix: str, form: Any
) -> None:
    var = pd.DataFrame({"own_name": form(SYMBOLS.tolist()), "length": range(60)}, index=IDS)
    data = anndata.AnnData(SHARD.counts, obs=pd.DataFrame(index=SHARD.barcodes), var=var)
    path = tmp_path / f"x{suffix}"
    if suffix == ".zarr":
        data.write_zarr(path)
    else:
        data.write_h5ad(path)
    assert inspect_matrix(path) == suffix[1:]
    genes = read_matrix(path).genes
    assert genes["gene"].tolist() == IDS.tolist()
    assert genes["symbol"].tolist() == SYMBOLS.tolist()
