"""Cell types from a CellTypist model: its formula, and what stands in the place of the panel."""

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler

from lammscope.annotate.celltypist import apply_labels, load_model, predict_types

TYPES = ["B cells", "Monocytes", "T cells"]
GENES = [f"G{i}" for i in range(30)]


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 240)
    profiles = rng.gamma(0.5, 2, (3, 30))
    return truth, rng.poisson(profiles[truth])


def write_model(
    path: Path,
    cells: tuple[np.ndarray, np.ndarray],
    *,
    types: tuple[int, ...] = (0, 1, 2),
    genes: list[str] = GENES,
) -> tuple[Path, Any, Any]:
    """A model as CellTypist pickles it, trained on these cells."""
    truth, counts = cells
    keep = np.isin(truth, types)
    levels = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)[keep]
    scaler = StandardScaler().fit(levels)
    classifier = LogisticRegression(max_iter=500).fit(
        scaler.transform(levels), np.array(TYPES)[truth[keep]]
    )
    classifier.features = np.array(genes)
    content = {"Model": classifier, "Scaler_": scaler, "description": {}}
    path.write_bytes(pickle.dumps(content))
    return path, classifier, scaler


def test_labels_and_probabilities_are_those_of_the_formula(
    tmp_path: Path, cells: tuple[np.ndarray, np.ndarray]
) -> None:
    truth, counts = cells
    path, classifier, scaler = write_model(tmp_path / "model.pkl", cells)
    found = predict_types(sparse.csr_array(counts), symbols=GENES, model=load_model(path))
    levels = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    scores = classifier.decision_function(np.minimum(scaler.transform(levels), 10))
    assert found["label"].tolist() == classifier.classes_[scores.argmax(axis=1)].tolist()
    np.testing.assert_allclose(found["probability"], expit(scores.max(axis=1)), rtol=1e-9)
    assert (found["label"] == np.array(TYPES)[truth]).mean() > 0.95


def test_genes_may_be_missing_or_in_another_order(
    tmp_path: Path, cells: tuple[np.ndarray, np.ndarray]
) -> None:
    _, counts = cells
    model = load_model(write_model(tmp_path / "model.pkl", cells)[0])
    order = np.random.default_rng(2).permutation(30)
    whole = predict_types(sparse.csr_array(counts), symbols=GENES, model=model)
    moved = predict_types(
        sparse.csr_array(counts[:, order]), symbols=np.array(GENES)[order], model=model
    )
    pd.testing.assert_frame_equal(moved, whole)
    half = predict_types(sparse.csr_array(counts[:, :20]), symbols=GENES[:20], model=model)
    assert (half["label"] == whole["label"]).mean() > 0.7
    with pytest.raises(ValueError, match="only 5 of the model's 30 genes are in the data"):
        predict_types(sparse.csr_array(counts[:, :5]), symbols=GENES[:5], model=model)


def test_a_model_of_two_types_has_both(
    tmp_path: Path, cells: tuple[np.ndarray, np.ndarray]
) -> None:
    truth, counts = cells
    path = write_model(tmp_path / "model.pkl", cells, types=(0, 2))[0]
    model = load_model(path)
    assert model.coef.shape == (2, 30)
    keep = truth != 1
    found = predict_types(sparse.csr_array(counts[keep]), symbols=GENES, model=model)
    assert (found["label"] == np.array(TYPES)[truth[keep]]).mean() > 0.95


def test_no_cells_give_an_empty_table(tmp_path: Path, cells: tuple[np.ndarray, np.ndarray]) -> None:
    model = load_model(write_model(tmp_path / "model.pkl", cells)[0])
    assert predict_types(sparse.csr_array((0, 30)), symbols=GENES, model=model).empty


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("classifier", [LogisticRegression, SGDClassifier])
def test_a_model_of_any_protocol_is_read_without_its_code(
    tmp_path: Path, cells: tuple[np.ndarray, np.ndarray], protocol: int, classifier: Any
) -> None:
    truth, counts = cells
    scaler = StandardScaler().fit(counts)
    model = classifier(max_iter=100, random_state=1).fit(counts, np.array(TYPES, object)[truth])
    model.features = np.array(GENES, dtype=object)
    path = tmp_path / "model.pkl"
    content = {"Model": model, "Scaler_": scaler, "description": {"date": "2021"}}
    path.write_bytes(pickle.dumps(content, protocol))
    ours, trusted = load_model(path), load_model(path, trusted=True)
    for field in fields(ours):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(trusted, field.name))


def test_code_in_a_model_runs_only_if_it_is_trusted(tmp_path: Path) -> None:
    path, canary = tmp_path / "model.pkl", tmp_path / "canary"

    class Harm:
        def __reduce__(self) -> Any:
            return canary.touch, ()

    path.write_bytes(pickle.dumps({"Model": Harm()}))
    with pytest.raises(ValueError, match=r"names .*celltypist_trusted: true"):
        load_model(path)
    assert not canary.exists()
    with pytest.raises(ValueError, match="not a CellTypist model"):
        load_model(path, trusted=True)
    assert canary.exists()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    for content in (b"no pickle", pickle.dumps({"Model": 1})):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model.pkl: not a CellTypist model"):
            load_model(path)


def test_clusters_take_the_label_of_most_cells_and_labels_one_lineage() -> None:
    names = np.array(["0"] * 4 + ["1"] * 3 + ["2"] * 2)
    cells = pd.DataFrame(
        {
            "cell_type": ["Classical_monocyte"] * 4 + ["CD4_T"] * 3 + ["CD8_T", "unassigned"],
            "lineage": ["monocytic"] * 4 + ["T"] * 3 + ["T", "unassigned"],
        }
    )
    clusters = pd.DataFrame(
        {"cluster": ["0", "1", "2"], "cell_type": "x", "lineage": "y", "runner_up": "z"}
    )
    labels = [
        pd.DataFrame({"label": ["Mono", "Mono", "DC", "Mono"]}),
        pd.DataFrame({"label": ["Tcm", "Tcm", "Mono", "Tcm", "Tcm"]}),
    ]
    changed, table = apply_labels(cells, clusters, labels, names=names)
    assert changed["cell_type"].tolist() == ["Mono"] * 4 + ["Tcm"] * 5
    assert changed["lineage"].tolist() == ["monocytic"] * 4 + ["T"] * 5
    assert changed["panel_type"].tolist() == cells["cell_type"].tolist()
    assert table["cell_type"].tolist() == ["Mono", "Tcm", "Tcm"]
    same, same_table = apply_labels(cells, clusters, [], names=names)
    assert same is cells
    assert same_table is clusters
