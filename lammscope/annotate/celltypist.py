"""Cell types from a CellTypist model on disk, by CellTypist's own formula.

The package `celltypist` is not needed: its models are pickles of scikit-learn objects, of which
only numbers and names are read. A pickle could run code; none is run, unless the config says that
the model is trusted.
"""

import pickle
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from lammscope.annotate.model_pickle import array_of, read_model_pickle
from lammscope.core.names import PER, UNASSIGNED, Array

MIN_GENES = 0.3  # share of a model's genes that the data must have; our choice
MAX_SCALED = 10  # standardized levels are clipped there, as in CellTypist's classifier
LARGEST = 250_000_000  # bytes of a model; those of CellTypist have up to 50 MB
TRUST = (
    "; if it is one and you trust its source, `annotation.celltypist_trusted: true` opens it with "
    "whatever code it holds"
)
CHUNK = 2_000  # cells at a time: limits memory, does not change results


@dataclass(frozen=True)
class TypeModel:
    """A logistic model per type: `coef` is types x genes, `mean` and `scale` are per gene."""

    types: NDArray[np.str_]
    genes: NDArray[np.str_]
    mean: Array
    scale: Array
    coef: Array
    intercept: Array


def load_model(path: str | Path, *, trusted: bool = False) -> TypeModel:
    """Read a CellTypist model file (`.pkl`).

    Parameters
    ----------
    path
        The model.
    trusted
        Whether to open it as any pickle, which runs whatever code it holds. Without, only numbers
        and names are read of it.

    Raises
    ------
    ValueError
        If it is not a model, or needs code of its own.
    """
    path = Path(path)
    try:
        parts = _trusted_parts(path) if trusted else _parts(path)
        classifier, scaler = parts["Model"], parts["Scaler_"]
        names = ("coef_", "intercept_", "classes_", "features")
        coef, intercept, types, genes = (array_of(classifier[name]) for name in names)
        coef, intercept = np.atleast_2d(coef), np.atleast_1d(intercept)
        if len(coef) == 1:  # two types share one row, that of the second
            coef, intercept = np.vstack([-coef, coef]), np.concatenate([-intercept, intercept])
        mean = array_of(scaler["mean_"]) if scaler["with_mean"] else np.zeros(coef.shape[1])
        model = TypeModel(
            types=np.asarray(types, dtype=str),
            genes=np.asarray(genes, dtype=str),
            mean=np.asarray(mean, dtype=float),
            scale=np.asarray(array_of(scaler["scale_"]), dtype=float),
            coef=np.asarray(coef, dtype=float),
            intercept=np.asarray(intercept, dtype=float),
        )
    except Exception as error:  # a pickle may raise anything
        raise ValueError(
            f"{path}: not a CellTypist model ({type(error).__name__}: {error}); give a .pkl file "
            f"written by CellTypist{'' if trusted else TRUST}"
        ) from error
    return model


def _parts(path: Path) -> dict[str, dict[str, Any]]:
    """Return classifier and scaler as their attributes, without running code of the file."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"over {LARGEST / 1e9:g} GB")
    content = read_model_pickle(path.read_bytes())
    return {name: content[name].state for name in ("Model", "Scaler_")}


def _trusted_parts(path: Path) -> dict[str, dict[str, Any]]:
    """Return the same of a pickle that may run code."""
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from scikit-learn: the model is from another version
        content = pickle.load(file)
    return {name: vars(content[name]) for name in ("Model", "Scaler_")}


def predict_types(
    counts: sparse.csr_array, *, symbols: Sequence[str] | np.ndarray, model: TypeModel
) -> pd.DataFrame:
    """Predict the best type of every cell (CellTypist's "best match", without majority voting).

    Parameters
    ----------
    counts : n_cells x n_genes raw counts of all genes, since levels are relative to a cell's total.
    symbols : n_genes; if genes share a symbol, the first is used.
    model : from `load_model`; genes that the data lack are ignored.

    Returns
    -------
    DataFrame
        `label`, `probability` (of that type against all others).

    Raises
    ------
    ValueError
        If the data have under 30 % of the model's genes.

    References
    ----------
    Dominguez Conde et al. 2022, Science 376:eabl5197, doi 10.1126/science.abl5197.
    """
    place = {symbol: column for column, symbol in reversed(list(enumerate(symbols)))}
    used = np.array([gene in place for gene in model.genes])
    if used.mean() < MIN_GENES:
        raise ValueError(
            f"annotation.celltypist_model: only {used.sum()} of the model's {len(used)} genes are "
            "in the data; give a model of the same species that names genes by symbol"
        )
    columns = [place[gene] for gene in model.genes[used]]
    totals = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1)
    chosen = sparse.csr_array(counts[:, columns])
    labels, probabilities = [], []
    for start in range(0, chosen.shape[0], CHUNK):
        rows = slice(start, start + CHUNK)
        levels = np.log1p(chosen[rows].toarray() / totals[rows, None] * PER)
        scaled = np.minimum((levels - model.mean[used]) / model.scale[used], MAX_SCALED)
        scores = scaled @ model.coef[:, used].T + model.intercept
        best = scores.argmax(axis=1)
        labels.append(model.types[best])
        probabilities.append(expit(scores[np.arange(len(best)), best]))
    return pd.DataFrame(
        {
            "label": pd.array(np.concatenate([*labels, np.array([], dtype=str)]), dtype="str"),
            "probability": np.concatenate([*probabilities, np.array([])]),
        }
    )


def apply_labels(
    cells: pd.DataFrame,
    clusters: pd.DataFrame,
    labels: Sequence[pd.DataFrame],
    *,
    names: np.ndarray,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Replace the panel's types by those of a model; lineages remain the panel's.

    Each cluster gets the most frequent label of its cells (CellTypist's majority voting), and each
    label the lineage that the panel gives most of its cells, so that a population is never in two
    lineages.

    Parameters
    ----------
    cells : from `cell_types.annotate_cells`, in the order of the index.
    clusters : its table of clusters.
    labels : from `predict_types`, in the order of the index; if empty, nothing changes.
    names : the cluster of every cell.

    Returns
    -------
    cells, clusters
        With the new `cell_type` and `lineage`; `cells` also with `panel_type`, the panel's type.
    """
    if not labels:
        return cells, clusters
    found = pd.concat(labels, ignore_index=True)["label"]
    by_cluster = found.groupby(np.asarray(names, dtype=str)).agg(_most_frequent)
    voted = pd.Series(np.asarray(names, dtype=str)).map(by_cluster)
    known = cells["lineage"] != UNASSIGNED
    lineage = cells.loc[known, "lineage"].groupby(voted[known]).agg(_most_frequent)
    result = cells.assign(
        panel_type=cells["cell_type"],
        cell_type=voted.astype("str"),
        lineage=voted.map(lineage).fillna(UNASSIGNED).astype("str"),
    )
    changed = clusters["cluster"].astype(str).map(by_cluster)
    table = clusters.assign(
        cell_type=changed, lineage=changed.map(lineage).fillna(UNASSIGNED), runner_up=""
    )
    return result, table


def _most_frequent(values: pd.Series) -> str:
    """Return the most frequent value; in a tie, the first by name."""
    counts = values.value_counts()
    return str(min(counts.index[counts == counts.iloc[0]]))
