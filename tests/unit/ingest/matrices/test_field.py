"""Matrices as users of single-cell tools report them: read rightly, or refused with the reason."""

import gzip
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.find import find_libraries
from lammscope.ingest.matrices.read import describe_matrix, read_matrix
from tests.matrices import small_shard, write_folder, write_lines, write_tenx_v3

SHARD = small_shard(80, 60, seed=3, rate=4)
ALL = SHARD.counts.toarray()
KNOWN = ["ACTB", "B2M", "MALAT1", "MT-CO1", "MT-ND1", "HLA-DRA", "CD14"]
SYMBOLS = [*KNOWN, *(f"GENE{i}" for i in range(60 - len(KNOWN)))]
IDS = [f"ENSG{i:011d}" for i in range(1, 61)]
PER_MILLION = np.round(ALL / ALL.sum(axis=1, keepdims=True) * 1e6)


def table(path: Path, rows: Any, columns: Any, values: Any) -> Path:
    lines = [",".join(["gene", *columns])]
    lines += [",".join([row, *map(str, line)]) for row, line in zip(rows, values, strict=True)]
    write_lines(lines, path)
    return path


def h5ad(path: Path, X: Any, **layers: Any) -> Path:
    data = anndata.AnnData(
        sparse.csr_matrix(X.astype(np.float32)),
        obs=pd.DataFrame(index=SHARD.barcodes),
        var=pd.DataFrame({"gene_ids": IDS}, index=SYMBOLS),
    )
    for name, values in layers.items():
        data.layers[name] = sparse.csr_matrix(values.astype(np.float32))
    data.write_h5ad(path)
    return path


NAMES: dict[str, Callable[[str, str, int], str]] = {
    "probe behind": lambda symbol, gene, i: f"{symbol}|{gene}|{i:05x}",
    "probe and id in front": lambda symbol, gene, i: f"{gene}|{symbol}|{i:05x}",
    "biotype": lambda symbol, gene, i: f"{gene}.2|{symbol}|protein_coding",
    "bytes": lambda symbol, gene, i: f"b'{symbol}'",
    "single quotes": lambda symbol, gene, i: f"'{symbol}'",
    "genome behind": lambda symbol, gene, i: f"{symbol}_GRCh38",
    "chromosome behind": lambda symbol, gene, i: f"{symbol}__chr{i % 22 + 1}",
    "chromosome in front": lambda symbol, gene, i: f"chr{i % 22 + 1}:{symbol}",
    "colons": lambda symbol, gene, i: symbol.replace("-", ":"),
}


@pytest.mark.parametrize("name", NAMES)
def test_symbols_are_found_in_longer_names(tmp_path: Path, name: str) -> None:
    rows = [NAMES[name](s, g, i) for i, (s, g) in enumerate(zip(SYMBOLS, IDS, strict=True))]
    read = read_matrix(table(tmp_path / "x.csv", rows, SHARD.barcodes, ALL.T))
    assert read.genes["symbol"].tolist() == SYMBOLS
    assert read.genes["gene"].tolist() == (IDS if "ENSG" in rows[0] else SYMBOLS)


def test_names_of_two_builds_are_not_made_one(tmp_path: Path) -> None:
    rows = [f"{s}_{'hg38' if i < 40 else 'mm10'}" for i, s in enumerate(SYMBOLS)]
    read = read_matrix(table(tmp_path / "x.csv", rows, SHARD.barcodes, ALL.T))
    assert read.genes["symbol"].tolist() == rows


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", ["Grand Total", "mean_expr", "Length_bp", "Median"])
def test_columns_of_totals_and_means_are_no_cells(tmp_path: Path, name: str, first: bool) -> None:
    columns, values = SHARD.barcodes.tolist(), ALL.T
    at = 0 if first else len(columns)
    values = np.insert(values, at, values.sum(axis=1), axis=1)
    columns.insert(at, name)
    read = read_matrix(table(tmp_path / "x.csv", SYMBOLS, columns, values))
    assert (read.counts.toarray() == ALL).all()


@pytest.mark.parametrize("name", ["", "ERCC-00002", "ERCC.00131"])
def test_rows_without_a_name_and_spike_ins_are_no_genes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    values = np.vstack([ALL.T, ALL.sum(axis=1)])
    path = table(tmp_path / "x.csv", [*SYMBOLS, name], SHARD.barcodes, values)
    with caplog.at_level(logging.WARNING, logger="lammscope"):
        assert (read_matrix(path).counts.toarray() == ALL).all()
    assert "left out, not genes" in caplog.text
    assert (name or "a row without a name") in caplog.text


ROUNDED: dict[str, Any] = {
    "counts per million": (PER_MILLION, {}, "as in normalized values that were rounded"),
    "a multiple": (ALL * 7, {}, "the lowest value above zero is 7"),
    "binary": (ALL > 0, {}, "a binary matrix"),
    "layer cpm": (np.log1p(ALL), {"cpm": PER_MILLION}, "no integer counts in X, layers.cpm"),
    "layer binary": (np.log1p(ALL), {"is_binary": ALL > 0}, "no integer counts in X"),
    "layer imputed": (np.log1p(ALL), {"imputed": ALL + 1}, "no integer counts in X"),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_whole_numbers_that_are_no_counts_are_refused(tmp_path: Path, name: str) -> None:
    X, layers, message = ROUNDED[name]
    with pytest.raises(ValueError, match=message):
        read_matrix(h5ad(tmp_path / "x.h5ad", X, **layers))


@pytest.mark.parametrize("names", ["sua", "SUA"])
def test_letters_of_velocity_are_parts(tmp_path: Path, names: str) -> None:
    ambiguous = ALL // 4
    unspliced = (ALL - ambiguous) // 3
    parts = (ALL - ambiguous - unspliced, unspliced, ambiguous)
    layers = dict(zip(names, parts, strict=True))
    read = read_matrix(h5ad(tmp_path / "x.h5ad", np.log1p(ALL), **layers))
    assert (read.counts.toarray() == ALL - unspliced).all()


def test_letters_in_longer_names_are_no_parts(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "x.h5ad", np.log1p(ALL), counts_a=ALL)
    assert (read_matrix(path).counts.toarray() == ALL).all()


DATES = ["2024-03-01", "3/1/2024", "01.03.2024", "1-Mar", "Mar-01", "1. Mrz", "1-Mar-24", "2-Sep"]


@pytest.mark.parametrize("date", DATES)
def test_dates_of_any_form_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, date: str
) -> None:
    rows = [*SYMBOLS[:-1], date]
    with caplog.at_level(logging.WARNING, logger="lammscope"):
        read_matrix(table(tmp_path / "x.csv", rows, SHARD.barcodes, ALL.T))
    assert f"1 gene symbols are dates (e.g. {date})" in caplog.text


@pytest.mark.parametrize("line", ["{},P1", "{};P1", '"{}","P1"'])
def test_a_list_of_barcodes_may_be_a_table(tmp_path: Path, line: str) -> None:
    folder = write_folder(SHARD, tmp_path / "x", version=2)
    write_lines((line.format(b) for b in SHARD.barcodes), folder / "barcodes.tsv")
    assert read_matrix(folder).barcodes.tolist() == SHARD.barcodes.tolist()


def test_which_form_of_a_library_is_read_is_logged_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = tmp_path / "P1"
    for form in ("Gene", "GeneFull"):
        parent = library / "Solo.out" / form
        parent.mkdir(parents=True)
        write_folder(SHARD, parent / "filtered", version=3)
    words = (
        "Solo.out/Gene/filtered; left out, as other forms of the library: "
        "Solo.out/GeneFull/filtered"
    )
    with caplog.at_level(logging.WARNING, logger="lammscope"):
        read_matrix(library)
    assert words in caplog.text
    assert words in describe_matrix(library)
    assert describe_matrix(library / "Solo.out" / "Gene" / "filtered") == ""


@pytest.mark.parametrize("name", ["P1_out.h5", "P1_output_filtered.h5", "P1_cellbender.h5"])
def test_files_of_cellbender_are_forms_of_their_library(tmp_path: Path, name: str) -> None:
    raw = tmp_path / "P1_raw_feature_bc_matrix.h5"
    write_tenx_v3(SHARD, raw)
    write_tenx_v3(small_shard(80, 60, seed=4), tmp_path / name)
    (library,), _ = find_libraries(tmp_path)
    assert (library.path, library.others) == (raw, (tmp_path / name,))


CUSTOM_CARS = ["CAR_axi", "axi-CAR", "CAT_scFv", "FMC63-28Z", "CD19-BBz", "anti-CD19 CAR"]
CUSTOM_OTHERS = ["CARD8-promoter", "SCARB1_probe", "GFP", "barcode_7", "CARMIL2_amplicon"]


@pytest.mark.parametrize("name", [*CUSTOM_CARS, *CUSTOM_OTHERS])
@pytest.mark.parametrize("form", ["h5ad", "v3", "folder"])
def test_custom_features_are_kept_if_they_are_a_car_and_named_if_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, form: str
) -> None:
    genes = SHARD.genes.copy()
    genes.loc[59, ["gene", "symbol"]] = name
    shard = Shard(SHARD.counts, SHARD.barcodes, genes)
    types = ["Gene Expression"] * 59 + ["Custom"]
    if form == "h5ad":
        path = tmp_path / "x.h5ad"
        data = anndata.AnnData(
            sparse.csr_matrix(ALL.astype(np.float32)),
            obs=pd.DataFrame(index=SHARD.barcodes),
            var=pd.DataFrame(
                {"gene_ids": genes["gene"].tolist(), "modality": types}, index=genes["symbol"]
            ),
        )
        data.write_h5ad(path)
    elif form == "v3":
        path = tmp_path / "x.h5"
        write_tenx_v3(shard, path)
        with h5py.File(path, "r+") as file:
            features = file["matrix/features"]
            for column, value in (("feature_type", b"Custom"), ("genome", b"")):
                values = features[column][:]
                values[59] = value  # the last gene; a protein follows
                features[column][:] = values
    else:
        path = write_folder(shard, tmp_path / "x", version=3)
        lines = gzip.decompress((path / "features.tsv.gz").read_bytes()).decode().splitlines()
        lines[-1] = lines[-1].replace("Gene Expression", "Custom")
        (path / "features.tsv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    with caplog.at_level(logging.WARNING, logger="lammscope"):
        read = read_matrix(path)
    kept = name in CUSTOM_CARS
    assert read.counts.shape == (len(ALL), 59 + kept)
    assert (read.counts.toarray() == ALL[:, : 59 + kept]).all()
    assert (f"left out: 1 features of type Custom ({name})" in caplog.text) != kept
