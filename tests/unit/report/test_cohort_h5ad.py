"""The file of all cells: written sample by sample, read as one."""

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.expression.pseudobulk import write_pseudobulk
from lammscope.report.ambient_counts import read_correction
from lammscope.report.cohort_h5ad import LABELS, describe_cohort, write_cohort
from tests.matrices import small_shard

KEPT = {"a": np.array([3, 1, 7]), "b": np.array([0, 39])}


@pytest.fixture
def shards() -> dict[str, Shard]:
    """Two samples; the second lacks genes and has the others in another order."""
    first, second = small_shard(seed=1), small_shard(seed=2)
    order = np.arange(50)[::-1]
    fewer = second.genes.iloc[order].reset_index(drop=True)
    return {"a": first, "b": Shard(second.counts[:, order], second.barcodes, fewer)}


def described(shards: dict[str, Shard], in_use: str = "X_pca_harmony") -> anndata.AnnData:
    rows = [
        {
            "cell": f"{sample}_{shard.barcodes[row]}",
            "sample": sample,
            "barcode": shard.barcodes[row],
            "position": row,
            "patient": "P1",
            "total_counts": shard.counts[[row]].sum(),
            "n_genes": shard.counts[[row]].nnz,
        }
        for sample, shard in shards.items()
        for row in KEPT[sample]
    ]
    index = pd.DataFrame(rows)
    labels = pd.DataFrame({name: ["x"] * len(index) for name in LABELS})
    sheet = pd.DataFrame({"sample": ["a", "b"], "patient": "P1", "phase": ["pre", "post"]})
    return describe_cohort(
        index,
        labels,
        sheet.assign(counts="a path"),
        reference=shards["a"].genes.assign(n_samples=2),
        variable=shards["a"].genes["gene"][:5],
        spaces={
            "X_pca": np.ones((len(index), 3)),
            in_use: np.arange(4.0 * len(index)).reshape(-1, 4),
            "X_umap": np.zeros((len(index), 2)),
        },
        in_use=in_use,
    )


@pytest.mark.parametrize("log_normalised", [True, False])
def test_all_genes_of_kept_cells_are_there_as_counts_and_as_asked(
    tmp_path: Path, shards: dict[str, Shard], log_normalised: bool
) -> None:
    path = tmp_path / "cohort.h5ad"
    parts = ((shard, KEPT[sample]) for sample, shard in shards.items())
    write_cohort(described(shards), parts, path, log_normalised=log_normalised)
    cohort = anndata.read_h5ad(path)
    expected = np.zeros((5, 60))
    expected[:3] = shards["a"].counts.toarray()[KEPT["a"]]
    expected[3:, :50] = shards["b"].counts.toarray()[KEPT["b"]][:, ::-1]
    counts = (cohort.raw if log_normalised else cohort).X
    assert counts.dtype == np.float32
    assert counts.indices.dtype == counts.indptr.dtype
    counts.tocoo()  # scipy refuses indices of two types
    assert np.array_equal(counts.toarray(), expected)
    if log_normalised:
        rates = 1e4 * expected / cohort.obs["total_counts"].to_numpy()[:, None]
        np.testing.assert_allclose(cohort.X.toarray(), np.log1p(rates), rtol=1e-5)
        assert cohort.raw.var_names.equals(cohort.var_names)


def test_the_layout_is_that_of_the_cellxgene_schema(
    tmp_path: Path, shards: dict[str, Shard]
) -> None:
    path = tmp_path / "cohort.h5ad"
    parts = ((shard, KEPT[sample]) for sample, shard in shards.items())
    write_cohort(described(shards), parts, path, log_normalised=True)
    cohort = anndata.read_h5ad(path, backed="r")
    assert cohort.var_names.str.match(r"ENSG\d{11}$").all()
    assert cohort.var_names.is_unique
    assert cohort.obs_names.is_unique
    assert {"feature_name", "feature_is_filtered"} <= set(cohort.var)
    assert not cohort.var["feature_is_filtered"].any()
    assert set(cohort.raw.var) >= {"feature_name"}
    assert all(name.startswith("X_") for name in cohort.obsm)
    assert "counts" not in cohort.obs
    cohort.file.close()
    with h5py.File(path) as file:
        for name in ("X", "raw/X"):
            assert file[name].attrs["encoding-type"] == "csr_matrix"
            assert {file[name][part].compression for part in ("data", "indices")} == {"gzip"}


@pytest.mark.parametrize("in_use", ["X_pca_harmony", "X_scVI", "X_pca"])
def test_the_embedding_in_use_has_its_own_name_and_an_alias_that_is_stored_once(
    tmp_path: Path, shards: dict[str, Shard], in_use: str
) -> None:
    path = tmp_path / "cohort.h5ad"
    parts = ((shard, KEPT[sample]) for sample, shard in shards.items())
    write_cohort(described(shards, in_use), parts, path, log_normalised=False)
    cohort = anndata.read_h5ad(path)
    assert set(cohort.obsm) == {"X_pca", in_use, "X_joint", "X_umap"}
    assert cohort.uns["X_joint"] == in_use
    assert np.array_equal(cohort.obsm["X_joint"], np.arange(20.0).reshape(5, 4))
    assert np.array_equal(cohort.obsm["X_joint"], cohort.obsm[in_use])
    with h5py.File(path) as file:
        assert file["obsm/X_joint"] == file[f"obsm/{in_use}"]


def test_a_cell_too_few_is_told(tmp_path: Path, shards: dict[str, Shard]) -> None:
    parts = [(shards["a"], KEPT["a"])]
    with pytest.raises(ValueError, match="5 cells, but the per-sample count files hold 3"):
        write_cohort(described(shards), parts, tmp_path / "x.h5ad", log_normalised=True)


def test_many_appended_samples_are_one_matrix(tmp_path: Path) -> None:
    shard = small_shard(300, 40, rate=0.3)
    pieces = [np.arange(start, start + 20) for start in range(0, 300, 20)]
    index = pd.DataFrame(
        {
            "cell": [f"s_{name}" for name in shard.barcodes],
            "sample": "s",
            "barcode": shard.barcodes,
            "position": np.arange(300),
            "patient": "P",
            "total_counts": shard.counts.sum(axis=1),
            "n_genes": np.diff(shard.counts.indptr),
        }
    )
    cohort = describe_cohort(
        index,
        pd.DataFrame({name: ["x"] * 300 for name in LABELS}),
        pd.DataFrame({"sample": ["s"]}),
        reference=shard.genes.assign(n_samples=1),
        variable=shard.genes["gene"][:1],
        spaces={"X_pca": np.zeros((300, 2))},
        in_use="X_pca",
    )
    path = tmp_path / "cohort.h5ad"
    write_cohort(cohort, ((shard, rows) for rows in pieces), path, log_normalised=False)
    found = sparse.csr_array(anndata.read_h5ad(path).X)
    assert (found != shard.counts).nnz == 0


def save_pseudobulk(path: Path, genes: pd.DataFrame) -> Path:
    """Write pseudobulks of two samples, whose ambient RNA is a tenth, and all of the first gene."""
    obs = pd.DataFrame({"sample": ["a", "b"], "population": "x", "ambient_is_limit": [False, True]})
    obs.index = pd.Index(["a|x", "b|x"])
    var = genes.set_index("gene")[["symbol"]].iloc[::-1]  # in another order
    counts = np.full((2, len(var)), 20)
    ambient = 0.1 * counts
    ambient[:, -1] = 20
    sparse_layers = {"ambient": sparse.csr_matrix(ambient)}
    made = anndata.AnnData(sparse.csr_matrix(counts), obs=obs, var=var, layers=sparse_layers)
    write_pseudobulk(made, path)
    return path


@pytest.mark.parametrize("log_normalised", [True, False])
def test_corrected_counts_are_a_layer_and_change_nothing_else(
    tmp_path: Path,
    shards: dict[str, Shard],
    log_normalised: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    described_cohort = described(shards)
    pseudobulk = save_pseudobulk(tmp_path / "pseudobulk.h5ad", shards["a"].genes)
    with caplog.at_level("WARNING", logger="lammscope"):
        correction = read_correction([pseudobulk], genes=described_cohort.var_names)
    assert "could not be estimated: b" in caplog.text
    for name, given in (("plain", None), ("corrected", correction)):
        parts = ((shard, KEPT[sample]) for sample, shard in shards.items())
        write_cohort(
            described_cohort,
            parts,
            tmp_path / f"{name}.h5ad",
            log_normalised=log_normalised,
            correction=given,
        )
    plain, cohort = (anndata.read_h5ad(tmp_path / f"{n}.h5ad") for n in ("plain", "corrected"))
    assert "ambient_corrected" not in plain.layers
    assert np.array_equal(plain.X.toarray(), cohort.X.toarray())
    counts = (cohort.raw if log_normalised else cohort).X.toarray()
    expected = counts * np.array([0.9, 0.9, 0.9, 1, 1])[:, None]
    expected[:3, 0] = 0
    corrected = cohort.layers["ambient_corrected"]
    assert corrected.dtype == np.float32
    np.testing.assert_allclose(corrected.toarray(), expected, rtol=1e-6)
    assert cohort.uns["ambient_uncorrected"].tolist() == ["b"]


def test_nothing_is_corrected_unless_asked() -> None:
    assert read_correction([], genes=pd.Index(["A"])) is None
