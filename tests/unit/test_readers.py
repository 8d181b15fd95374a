"""Every supported format gives the same counts; anything else gives one line that helps."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.readers import read_matrix
from tests.matrices import small_shard, write_folder, write_tenx_v2, write_tenx_v3

SHARD = small_shard()


def as_h5ad(path, *, where="X", index="gene"):
    counts = sparse.csr_matrix(SHARD.counts).astype(np.float32)
    other = "symbol" if index == "gene" else "gene"
    name = {"symbol": "symbol", "gene": "gene_ids"}[other]
    var = pd.DataFrame({name: SHARD.genes[other].to_numpy()}, index=SHARD.genes[index].to_numpy())
    obs = pd.DataFrame(index=SHARD.barcodes)
    normalised = counts.copy()
    normalised.data = np.log1p(normalised.data)
    if where == "X":
        data = anndata.AnnData(counts, obs=obs, var=var)
    elif where == "raw":
        data = anndata.AnnData(counts, obs=obs, var=var)
        data.raw = data.copy()
        data.X = normalised
    else:
        data = anndata.AnnData(normalised, obs=obs, var=var, layers={where: counts})
    data.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_tenx_v3(SHARD, folder / "x.h5"),
        lambda folder: write_tenx_v2(SHARD, folder / "x.h5"),
        lambda folder: write_folder(SHARD, folder / "x", version=2),
        lambda folder: write_folder(SHARD, folder / "x", version=3),
        lambda folder: as_h5ad(folder / "x.h5ad"),
        lambda folder: as_h5ad(folder / "x.h5ad", index="symbol"),
        lambda folder: as_h5ad(folder / "x.h5ad", where="counts"),
        lambda folder: as_h5ad(folder / "x.h5ad", where="raw"),
    ],
    ids=["h5 v3", "h5 v2", "folder v2", "folder v3", "h5ad", "h5ad symbols", "layer", "raw"],
)
def test_each_format_gives_the_same_counts_and_genes(tmp_path, write):
    read = read_matrix(write(tmp_path))
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.counts.dtype == np.int32
    assert read.barcodes.tolist() == SHARD.barcodes.tolist()
    assert read.genes["gene"].tolist() == SHARD.genes["gene"].tolist()
    assert read.genes["symbol"].tolist() == SHARD.genes["symbol"].tolist()


def test_version_suffixes_are_dropped_and_repeated_symbols_stay_apart(tmp_path):
    genes = SHARD.genes.copy()
    genes["gene"] = genes["gene"] + ".7"
    read = read_matrix(
        write_tenx_v2(type(SHARD)(SHARD.counts, SHARD.barcodes, genes), tmp_path / "x.h5")
    )
    assert read.genes["gene"].tolist() == SHARD.genes["gene"].tolist()
    genes = SHARD.genes.assign(gene=["A", "A", *SHARD.genes["symbol"][2:]])
    read = read_matrix(
        write_tenx_v2(type(SHARD)(SHARD.counts, SHARD.barcodes, genes), tmp_path / "y.h5")
    )
    assert read.genes["gene"].tolist()[:2] == ["A", "A-1"]


def bad_inputs(folder):
    fractions = SHARD.counts.data * 0.5
    (folder / "text.h5").write_text("<html>404</html>")
    (folder / "empty.h5").write_bytes(b"")
    (folder / "folder").mkdir()
    as_h5ad(folder / "lognormal.h5ad", where="other")
    write_tenx_v3(SHARD, folder / "fractions.h5", data=fractions)
    write_tenx_v3(SHARD, folder / "negative.h5", data=-SHARD.counts.data)
    write_tenx_v3(SHARD, folder / "nan.h5", data=np.full(len(SHARD.counts.data), np.nan))
    whole = write_tenx_v3(SHARD, folder / "whole.h5").read_bytes()
    (folder / "truncated.h5").write_bytes(whole[: len(whole) // 2])
    write_tenx_v2(SHARD, folder / "genomes.h5", ("hg19", "mm10"))
    mixed = write_folder(SHARD, folder / "mixed", version=2)
    (mixed / "barcodes.tsv").write_text("AAAC-1\n")
    twice = type(SHARD)(SHARD.counts, np.repeat("AAAC-1", len(SHARD.barcodes)), SHARD.genes)
    write_tenx_v3(twice, folder / "twice.h5")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.h5", "no such file"),
        ("text.h5", "not a count matrix"),
        ("empty.h5", "not a count matrix"),
        ("folder", "has no matrix.mtx"),
        ("lognormal.h5ad", "no integer counts in X"),
        ("fractions.h5", "not counts"),
        ("negative.h5", "not counts"),
        ("nan.h5", "not counts"),
        ("truncated.h5", "truncated"),
        ("genomes.h5", "several genomes (hg19, mm10)"),
        ("mixed", "60 features and 1 barcodes"),
        ("twice.h5", "stands there twice"),
    ],
)
def test_a_wrong_input_gives_one_line_that_names_the_file(tmp_path, name, message):
    bad_inputs(tmp_path)
    with pytest.raises(ValueError, match=r".") as caught:
        read_matrix(tmp_path / name)
    text = str(caught.value)
    assert text.startswith(str(tmp_path / name))
    assert message in text
    assert "\n" not in text


@pytest.mark.real_data
def test_public_10x_files_of_each_version_are_read(real_data):
    folder = real_data("tenx_formats")
    h5 = read_matrix(folder / "3.0.0" / "filtered_feature_bc_matrix.h5")
    mtx = read_matrix(folder / "3.0.0" / "filtered_feature_bc_matrix")
    assert (h5.counts != mtx.counts).nnz == 0
    assert h5.genes.equals(mtx.genes)
    old = read_matrix(folder / "1.2.0" / "filtered_gene_bc_matrices" / "hg19_chr21")
    assert old.counts.shape == (12, 343)
    assert read_matrix(folder / "int-ids").genes["gene"][0] == "574405"
