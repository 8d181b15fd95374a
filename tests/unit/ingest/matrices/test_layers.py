"""Which matrix of an AnnData file is read: by meaning and size, or by the user's `layer`."""

import logging
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.ingest.matrices.read import describe_matrix, inspect_matrix, read_matrix
from tests.matrices import small_shard, write_dense, write_h5ad, write_tenx_v3

SHARD = small_shard(80, 60, seed=3, rate=4)
ALL = SHARD.counts.toarray()
RNG = np.random.default_rng(5)
AMBIGUOUS = RNG.binomial(ALL, 0.2)
UNSPLICED = RNG.binomial(ALL - AMBIGUOUS, 0.3)
SPLICED = ALL - AMBIGUOUS - UNSPLICED
LOGARITHMS = np.log1p(ALL.astype(np.float32))
VELOCITY = {"spliced": SPLICED, "unspliced": UNSPLICED, "ambiguous": AMBIGUOUS}
KB = {"mature": SPLICED, "nascent": UNSPLICED, "ambiguous": AMBIGUOUS}
CHECK = "name the counts in the column `layer` of the sample sheet"


def write(
    path: Path,
    X: Any,
    layers: Any = None,
    *,
    raw: Any = None,
    n_genes: Any = 60,
    form: Any = sparse.csr_matrix,
) -> Any:
    """Write an AnnData file; `X` and the layers are cut to the first genes, `raw` is not."""
    var = pd.DataFrame({"symbol": SHARD.genes["symbol"].to_numpy()}, index=SHARD.genes["gene"])
    obs = pd.DataFrame(index=SHARD.barcodes)

    def stored(counts: Any, n: Any) -> Any:
        return form(np.asarray(counts, dtype=np.float32)[:, :n])

    data = anndata.AnnData(
        None if X is None else stored(X, n_genes),
        obs=obs,
        var=var.iloc[:n_genes],
        layers={name: stored(counts, n_genes) for name, counts in (layers or {}).items()},
    )
    if raw is not None:
        data.raw = anndata.AnnData(stored(raw, 60), obs=obs, var=var)
    data.write_h5ad(path)
    return path


# what is in the file, the counts that are right, and words that say so
FILES = {
    "velocyto": ((LOGARITHMS, VELOCITY | {"matrix": ALL}), ALL, "layer `matrix` (60 genes); left"),
    "velocyto without a whole": (
        (LOGARITHMS, VELOCITY),
        SPLICED + AMBIGUOUS,
        "the sum of the layers `spliced` and `ambiguous` (60 genes); left out: X (no counts), "
        "layer `unspliced` (a part of the molecules); if that is wrong, " + CHECK,
    ),
    "kb, X is mature": ((SPLICED, KB), SPLICED + AMBIGUOUS, "X (mature molecules only)"),
    "kb with the total": ((SPLICED, KB | {"total": ALL}), ALL, "layer `total` (60 genes)"),
    "capitals": (
        (LOGARITHMS, {f"{name.title()}_counts": part for name, part in VELOCITY.items()}),
        SPLICED + AMBIGUOUS,
        "the sum of the layers `Spliced_counts` and `Ambiguous_counts`",
    ),
    "a copy of a part named counts": (
        (LOGARITHMS, VELOCITY | {"counts": SPLICED}),
        SPLICED + AMBIGUOUS,
        "layer `counts` (spliced molecules only)",
    ),
    "X of all and parts": ((ALL, VELOCITY), ALL, "X (60 genes); left out: "),
    "unspliced kept beside X": ((ALL, {"unspliced": UNSPLICED}), ALL, "X (60 genes)"),
    "corrected X and counts": (
        (ALL - RNG.binomial(ALL, 0.1), {"counts": ALL}),
        ALL,
        "layer `counts` (60 genes); left out: X (other values); if that is wrong, " + CHECK,
    ),
    "binary X and raw_counts": ((ALL > 0, {"raw_counts": ALL}), ALL, "layer `raw_counts`"),
    "zeros in X": ((ALL * 0, {"umis": ALL}), ALL, "layer `umis`"),
    "other layers": (
        (LOGARITHMS, {"binary": ALL > 0, "raw_umi": ALL, "scaled": LOGARITHMS - 1}),
        ALL,
        "layer `raw_umi` (60 genes); left out: X (no counts), layer `binary` (other values), "
        "layer `scaled` (no counts)",
    ),
    "a copy": ((ALL, {"counts": ALL}), ALL, "layer `counts` (60 genes); left out: X (the same"),
    "counts alone": ((ALL, {}), ALL, "X (60 genes)"),
}


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, np.asarray])
@pytest.mark.parametrize("name", FILES)
def test_all_molecules_are_read_and_the_choice_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, form: Any
) -> None:
    (X, layers), right, words = FILES[name]
    path = write(tmp_path / "x.h5ad", X, layers, form=form)
    caplog.set_level(logging.INFO)
    assert inspect_matrix(path) == "h5ad"
    told = describe_matrix(path)
    assert words in told
    assert (read_matrix(path).counts.toarray() == right).all()
    (record,) = caplog.records
    assert record.getMessage() == f"{path}: read {told}"
    assert (record.levelno == logging.WARNING) == (CHECK in told)


@pytest.mark.parametrize(
    ("X", "layers"), [(ALL, {}), (LOGARITHMS, {"counts": ALL}), (None, {"counts": ALL})]
)
def test_raw_is_read_if_the_rest_is_cut_to_variable_genes(
    tmp_path: Path, X: Any, layers: Any
) -> None:
    path = write(tmp_path / "x.h5ad", X, layers, raw=ALL, n_genes=20)
    assert describe_matrix(path).startswith("raw.X (60 genes); left out: ")
    assert "(only 20 genes)" in describe_matrix(path)
    read = read_matrix(path)
    assert (read.counts.toarray() == ALL).all()
    assert read.genes["symbol"].tolist() == SHARD.genes["symbol"].tolist()


def test_raw_of_one_part_is_no_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5ad", LOGARITHMS, KB, raw=SPLICED, n_genes=50)
    assert "raw.X (mature molecules only)" in describe_matrix(path)
    assert (read_matrix(path).counts.toarray() == (SPLICED + AMBIGUOUS)[:, :50]).all()


def test_a_normalized_raw_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5ad", LOGARITHMS, {"counts": ALL}, raw=LOGARITHMS, n_genes=40)
    assert (read_matrix(path).counts.toarray() == ALL[:, :40]).all()


@pytest.mark.parametrize(
    ("X", "layers", "example"),
    [
        (LOGARITHMS, {"spliced": SPLICED, "unspliced": UNSPLICED}, "e.g. spliced+unspliced"),
        (SPLICED, {"spliced": SPLICED, "unspliced": UNSPLICED}, "e.g. spliced+unspliced"),
        (UNSPLICED, {"nascent": UNSPLICED}, "e.g. nascent"),
        (LOGARITHMS, {"exon": SPLICED, "intron": UNSPLICED}, "e.g. exon+intron"),
    ],
)
def test_parts_that_do_not_add_up_are_refused(
    tmp_path: Path, X: Any, layers: Any, example: Any
) -> None:
    path = write(tmp_path / "x.h5ad", X, layers)
    for use in (inspect_matrix, describe_matrix, read_matrix):
        with pytest.raises(ValueError, match="parts of the molecules only") as caught:
            use(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert str(caught.value).endswith(example)
    asked = example.removeprefix("e.g. ")
    right = sum(layers[name] for name in asked.split("+"))
    assert (read_matrix(path, layer=asked).counts.toarray() == right).all()


@pytest.mark.parametrize(
    ("layer", "right"),
    [
        ("X", SPLICED),
        ("raw.X", ALL),
        ("raw", ALL),
        ("unspliced", UNSPLICED),
        ("spliced+unspliced", SPLICED + UNSPLICED),
        ("spliced + unspliced + ambiguous", ALL),
        ("a+b", AMBIGUOUS),
    ],
)
def test_the_sheet_decides_if_it_names_a_layer(tmp_path: Path, layer: Any, right: Any) -> None:
    path = write(tmp_path / "x.h5ad", SPLICED, VELOCITY | {"a+b": AMBIGUOUS}, raw=ALL)
    assert inspect_matrix(path, layer=layer) == "h5ad"
    assert "as the sample sheet says" in describe_matrix(path, layer=layer)
    assert (read_matrix(path, layer=layer).counts.toarray() == right).all()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("splice", "no layer `splice` (did you mean `spliced`?); its matrices: X, "),
        ("spliced+ambigous", "no layer `ambigous` (did you mean `ambiguous`?)"),
        ("raw.X", "has no layer `raw.X`"),
        ("X", "no integer counts in X; name another matrix in `layer`"),
        ("spliced+spliced", "cannot be summed"),
    ],
)
def test_a_layer_that_is_none_is_refused(tmp_path: Path, layer: Any, message: str) -> None:
    path = write(tmp_path / "x.h5ad", LOGARITHMS, VELOCITY)
    for use in (inspect_matrix, read_matrix):
        with pytest.raises(ValueError, match=r".") as caught:
            use(path, layer=layer)
        assert message in str(caught.value)


def test_a_layer_of_a_format_without_layers_is_refused(tmp_path: Path) -> None:
    for path in (
        write_tenx_v3(SHARD, tmp_path / "x.h5"),
        write_dense(SHARD, tmp_path / "x.csv"),
    ):
        for use in (inspect_matrix, read_matrix):
            with pytest.raises(ValueError, match=r"has no layers, but .* says `counts`; leave"):
                use(path, layer="counts")
        assert describe_matrix(path) == ""


def test_a_matrix_with_other_values_further_down_is_left_out(tmp_path: Path) -> None:
    late = ALL.astype(float)
    late[-1, -1] = 0.5
    path = write(tmp_path / "x.h5ad", ALL, {"counts": late})
    assert (read_matrix(path).counts.toarray() == ALL).all()
    with pytest.raises(
        ValueError, match=r"x\.h5ad: layers/counts: values are not counts, e\.g\. 0"
    ):
        read_matrix(path, layer="counts")


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "pbmc_facs/pbmc_facs.h5ad",
        "kang_ifnb/kang_ifnb_2000.h5ad",
        "tumour_macrophages/tnbc_wu_cid4465.h5ad",
        "tumour_macrophages/malt_citeseq.h5ad",
        "blood_chemistries/pbmc_hao_v3.h5ad",
    ],
)
def test_public_files_are_read_as_before(real_data: Any, name: str) -> None:
    folder, file = name.split("/")
    path = real_data(folder) / file
    data = anndata.read_h5ad(path)
    assert describe_matrix(path).startswith("X (")
    assert (read_matrix(path).counts != sparse.csr_array(data.X)).nnz == 0


def test_a_file_of_one_matrix_is_told_briefly(tmp_path: Path) -> None:
    assert describe_matrix(write_h5ad(SHARD, tmp_path / "x.h5ad")) == "X (60 genes)"
