"""Barcodes that differ from ambient RNA are told from those that do not."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from lammscope.ingest.droplets.empty_drops import EmptyDropsSettings, call_barcodes
from lammscope.ingest.droplets.likelihood import Ambient
from tests.unit.ingest.droplets.test_low_barcodes import ambient_counts

SETTINGS: dict[str, Any] = {
    "retain": np.inf,
    "max_counts": 600,
    "n_iterations": 2000,
    "statistic": "likelihood",
    "min_share": 0,
}
GENES = 400


@pytest.fixture(scope="module")
def profiles() -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.full(GENES, 0.3), 2)


DEVIANCE = {"statistic": "deviance", "min_share": 0.002}


@pytest.mark.parametrize("concentration", [300.0, np.inf])
@pytest.mark.parametrize("changed", [{}, DEVIANCE])
def test_ambient_barcodes_have_uniform_p_values_at_any_total(
    profiles: np.ndarray, concentration: float, changed: dict[str, Any]
) -> None:
    totals = np.random.default_rng(1).integers(100, 600, 1500)
    counts = ambient_counts(profiles[0], totals, concentration)
    called = call_barcodes(
        counts,
        ambient=Ambient(profiles[0], concentration),
        settings=EmptyDropsSettings(**SETTINGS | changed),
        rng=np.random.default_rng(2),
    )
    assert abs(called["z_score"].mean()) < 0.1
    assert abs(called["z_score"].std() - 1) < 0.1
    deciles = np.histogram(called["p_value"], bins=10, range=(0, 1))[0]
    assert np.abs(deciles - 150).max() < 60
    assert (called["fdr"] > 0.01).all()


def test_large_ambient_barcodes_are_thinned_without_false_calls(profiles: np.ndarray) -> None:
    counts = ambient_counts(profiles[0], np.full(1000, 5000), np.inf)
    called = call_barcodes(
        counts,
        ambient=Ambient(profiles[0], np.inf),
        settings=EmptyDropsSettings(**SETTINGS),
        rng=np.random.default_rng(2),
    )
    assert (called["total"] == 5000).all()
    assert 0.02 < (called["p_value"] < 0.05).mean() < 0.08


def test_cells_among_ambient_barcodes_are_found(profiles: np.ndarray) -> None:
    ambient = ambient_counts(profiles[0], np.full(900, 400), 500)
    mixed = 0.8 * profiles[1] + 0.2 * profiles[0]
    cells = ambient_counts(mixed, np.full(60, 400), np.inf, seed=1)
    called = call_barcodes(
        sparse.csr_array(sparse.vstack([ambient, cells])),
        ambient=Ambient(profiles[0], 500),
        settings=EmptyDropsSettings(**SETTINGS | {"n_iterations": 10_000}),
        rng=np.random.default_rng(2),
    )
    found = called["fdr"].to_numpy() <= 0.01
    assert found[900:].mean() > 0.95
    assert found[:900].mean() < 0.005


def test_the_deviance_finds_cells_that_the_likelihood_misses() -> None:
    """Cells with more of the commonest genes are likelier than ambient RNA itself."""
    rng = np.random.default_rng(5)
    ambient = rng.dirichlet(np.r_[np.full(60, 2), np.full(3000, 0.02)])
    cell = ambient * np.r_[np.where(ambient[:60] > 0.01, 1.4, 0.7), np.ones(3000)]
    totals = np.full(300, 1500)
    counts = ambient_counts(cell / cell.sum(), totals, np.inf)
    found = {}
    for name, changed in {"likelihood": {}, "deviance": DEVIANCE}.items():
        called = call_barcodes(
            counts,
            ambient=Ambient(ambient, np.inf),
            settings=EmptyDropsSettings(**SETTINGS | {"max_counts": 1500} | changed),
            rng=np.random.default_rng(2),
        )
        found[name] = (called["p_value"] < 0.001).mean()
    assert found["deviance"] > 0.95
    assert found["likelihood"] < 0.5


def test_retained_and_empty_barcodes_are_not_tested(profiles: np.ndarray) -> None:
    counts = ambient_counts(profiles[0], np.array([0, 200, 800, 900]), np.inf)
    arguments: dict[str, Any] = {
        "ambient": Ambient(profiles[0], np.inf),
        "settings": EmptyDropsSettings(**SETTINGS | {"retain": 800}),
    }
    called = call_barcodes(counts, **arguments, rng=np.random.default_rng(3))
    assert called["p_value"].isna().tolist() == [True, False, True, True]
    assert np.isnan(called["fdr"][0])
    assert called["fdr"].tolist()[2:] == [0, 0]
    assert called["log_likelihood"][0] == 0
    again = call_barcodes(counts, **arguments, rng=np.random.default_rng(3))
    assert called.equals(again)


def test_no_barcode_gives_an_empty_table(profiles: np.ndarray) -> None:
    called = call_barcodes(
        sparse.csr_array((0, GENES), dtype=np.int32),
        ambient=Ambient(profiles[0], 100),
        settings=EmptyDropsSettings(**SETTINGS),
        rng=np.random.default_rng(0),
    )
    assert len(called) == 0
