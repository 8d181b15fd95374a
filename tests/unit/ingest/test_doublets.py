"""Doublets by likeness to simulated ones."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from lammscope.cohort.config import read_schema, resolve_config
from lammscope.core.shards import Shard
from lammscope.ingest.doublets import METHODS, score_channel
from lammscope.ingest.doublets.lineages import (
    Profiles,
    cluster_profiles,
    lineage_activity,
    lineages_of,
)
from lammscope.ingest.doublets.mixtures import evidence_of_both, find_mixtures
from lammscope.ingest.doublets.simulated import score_doublets
from lammscope.ingest.doublets.threshold import KnownRate, call_threshold, estimate_rate
from lammscope.ingest.lineage_markers import LINEAGES
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.metrics import cell_metrics
from tests.matrices import small_shard

SETTINGS: dict[str, Any] = {
    "simulated_per_cell": 2,
    "n_pcs": 20,
    "n_genes": 1500,
    "max_false_pct": 0.5,
}
PER_CHANNEL: dict[str, Any] = {"expected_per_1000": 0.008, "min_cells": 50}
MARKERS = [gene for sets in LINEAGES.values() for gene in sets[0]]
SYMBOLS = np.array([*MARKERS, *(f"G{i}" for i in range(500 - len(MARKERS)))])
TYPES = ("T or NK", "B", "myeloid")


def profiles() -> np.ndarray:
    """Rates of three lineages with their markers and genes of their own."""
    rates = np.random.default_rng(7).gamma(0.5, 2, (len(TYPES), len(SYMBOLS)))
    rates[:, : len(MARKERS)] = 0.02
    for row, name in zip(rates, TYPES, strict=True):
        row[np.isin(SYMBOLS, list(LINEAGES[name][0]))] = 6
    return rates


def three_types(
    n_cells: int = 600, n_doublets: int = 30, seed: int = 0
) -> tuple[sparse.csr_array, np.ndarray]:
    rng = np.random.default_rng(seed)
    rates = profiles()
    counts = rng.poisson(rates[np.arange(n_cells) % 3])
    first = np.arange(n_doublets) % 3
    both = rng.poisson(rates[first] + rates[(first + 1) % 3])
    return sparse.csr_array(np.vstack([counts, both])), np.arange(n_cells + n_doublets) >= n_cells


def call(counts: sparse.csr_array, *, rate: float = 0.005) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return score_doublets(counts, symbols=SYMBOLS, rate=rate, rng=rng, **SETTINGS)


def auroc(score: np.ndarray, truth: np.ndarray) -> float:
    """Probability that a true doublet scores above a single cell."""
    difference = score[truth][:, None] - score[~truth][None, :]
    return (difference > 0).mean() + 0.5 * (difference == 0).mean()


@pytest.mark.parametrize("n_doublets", [0, 12, 80])
def test_planted_doublets_of_lineages_are_found_and_single_cells_left(n_doublets: int) -> None:
    """At any rate, and also if far fewer are expected."""
    counts, truth = three_types(n_doublets=n_doublets)
    scores, called = call(counts)
    assert called[~truth].mean() < 0.02
    if n_doublets:
        assert auroc(scores, truth) > 0.95
        assert called[truth].mean() > 0.8


def test_calls_are_no_fixed_share() -> None:
    shares = [call(three_types(n_doublets=number)[0])[1].mean() for number in (12, 40, 80)]
    assert shares[0] < 0.04 < shares[1] < 0.09 < shares[2]


def test_scores_and_calls_are_reproducible() -> None:
    counts, _ = three_types()
    for one, other in zip(call(counts), call(counts), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("rate", [0.005, 0.2, KnownRate(0.4)])
def test_a_channel_of_one_lineage_loses_no_cell(row: int, rate: float) -> None:
    """However many doublets are expected: two cells of one lineage look like one."""
    counts = np.random.default_rng(0).poisson(profiles()[row], (300, len(SYMBOLS)))
    _, called = call(sparse.csr_array(counts), rate=rate)
    assert called.mean() <= 0.01


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("odd", ["few", "identical"])
def test_a_channel_of_few_or_identical_cells_has_no_doublets(method: str, odd: str) -> None:
    counts, _ = three_types()
    cells = np.arange(20) if odd == "few" else np.zeros(300, dtype=int)
    rng = np.random.default_rng(1)
    _, called = METHODS[method](counts[cells], symbols=SYMBOLS, rate=0.05, rng=rng, **SETTINGS)
    assert not called.any()


def test_without_symbols_few_cells_are_called() -> None:
    counts, truth = three_types()
    symbols = np.full(len(SYMBOLS), "")
    _, called = score_doublets(
        counts, symbols=symbols, rate=0.05, rng=np.random.default_rng(1), **SETTINGS
    )
    assert called[~truth].mean() < 0.01


def test_abundant_genes_of_all_lineages_are_no_evidence() -> None:
    """T cells with several times the usual level of genes that monocytes have more of."""
    rates = profiles()
    common = np.arange(len(SYMBOLS) - 20, len(SYMBOLS))
    rates[:, common], rates[2, common] = 30, 90
    odd = rates[0].copy()
    odd[common] = 70
    rng = np.random.default_rng(0)
    kinds = np.vstack(
        [
            rates[np.arange(600) % 3],
            np.tile(odd, (20, 1)),
            np.tile(rates[[0, 2]].mean(axis=0), (20, 1)),
        ]
    )
    counts = sparse.csr_array(rng.poisson(kinds))
    found = Profiles(rates / rates.sum(axis=1, keepdims=True), np.array(TYPES))
    pair, support = find_mixtures(counts[600:], found)
    evidence = evidence_of_both(counts[600:], found, pair)
    assert (support[:20] > 10).all()
    assert (evidence[:20] < 0).all()
    assert (evidence[20:] > 10).all()


def test_a_mixed_cluster_too_large_for_doublets_explains_its_cells() -> None:
    """Dividing cells of two lineages, which make up an eighth of the cells, are no doublets."""
    rng = np.random.default_rng(2)
    rates = profiles()
    shared = rates[[0, 2]].mean(axis=0)
    kinds = np.vstack([rates[np.repeat([0, 1, 2], [40, 480, 40])], np.tile(shared, (80, 1))])
    counts = sparse.csr_array(rng.poisson(kinds))
    profile = cluster_profiles(
        counts,
        counts.toarray().astype(np.float32),
        totals=np.asarray(counts.sum(axis=1)),
        symbols=SYMBOLS,
        rng=np.random.default_rng(1),
    )
    _, support = find_mixtures(counts[-80:], profile)
    assert "" in profile.lineages
    assert np.median(support) < 0


def test_a_channel_without_known_lineages_loses_few_cells() -> None:
    counts = np.random.default_rng(0).poisson(1.0, (300, len(SYMBOLS)))
    _, called = call(sparse.csr_array(counts))
    assert called.mean() <= 0.01


def test_a_rare_population_with_genes_of_its_own_is_kept() -> None:
    """Twelve cells with the markers of two lineages, as plasmacytoid dendritic cells have."""
    rng = np.random.default_rng(3)
    counts, _ = three_types(n_doublets=0)
    both = profiles()[1:].mean(axis=0)
    doublets = call(_with(counts, rng.poisson(2 * both, (12, len(SYMBOLS)))))[1]
    both[-25:] = 12
    rare = call(_with(counts, rng.poisson(2 * both, (12, len(SYMBOLS)))))[1]
    assert doublets[-12:].mean() > 0.4  # without such genes they are called
    assert rare[-12:].mean() < 0.2


def _with(counts: sparse.csr_array, others: np.ndarray) -> sparse.csr_array:
    return sparse.csr_array(sparse.vstack([counts, sparse.csr_array(others)]))


def test_ambient_markers_give_no_lineage() -> None:
    """T cells have some LYZ and S100A9 wherever there are monocytes."""
    symbols = np.array([*LINEAGES["T or NK"][0], *LINEAGES["myeloid"][0]])
    t_cells = np.r_[list(LINEAGES["T or NK"][0].values()), 0.2 * np.ones(7)]
    monocytes = np.r_[np.full(6, 0.2), list(LINEAGES["myeloid"][0].values())]
    soiled = t_cells + 0.15 * monocytes
    rates = np.array([soiled, monocytes, 0.5 * (t_cells + monocytes), np.full(13, 0.1)])
    assert lineages_of(lineage_activity(rates, symbols)).tolist() == [
        "T or NK",
        "myeloid",
        "mixed",
        "",
    ]


def test_clusters_of_three_types_have_their_lineages() -> None:
    counts, _ = three_types(n_doublets=0)
    found = cluster_profiles(
        counts,
        counts.toarray().astype(np.float32),
        totals=np.asarray(counts.sum(axis=1)),
        symbols=SYMBOLS,
        rng=np.random.default_rng(1),
    )
    assert set(found.lineages) - {""} == set(TYPES)
    assert len(found.pairs)


def test_the_rate_is_estimated_from_the_scores() -> None:
    rng = np.random.default_rng(0)
    simulated = rng.uniform(0.2, 1, 4000)
    observed = np.r_[rng.uniform(0, 0.22, 4500), rng.uniform(0.2, 1, 500)]
    rate = estimate_rate(observed, simulated)
    assert rate == pytest.approx(0.1, abs=0.03)
    threshold = call_threshold(observed, simulated, rate=0.1, max_false_pct=1)
    false = (observed[:4500] >= threshold).sum() / 5000
    assert false < 0.017
    assert (observed[4500:] >= threshold).mean() > 0.9
    few = call_threshold(observed, simulated, rate=0.001, max_false_pct=1)
    assert (observed >= few).mean() < 0.02


def test_without_scored_simulated_doublets_there_is_no_rate_and_no_call() -> None:
    observed, none = np.ones(100), np.full(200, -np.inf)
    assert np.isnan(estimate_rate(observed, none))
    assert call_threshold(observed, none, rate=0.1, max_false_pct=1) == np.inf


def test_a_small_channel_is_not_scored() -> None:
    counts, _ = three_types(210, 2)
    settings = {**SETTINGS, **PER_CHANNEL, "min_cells": 500}
    table = score_channel(
        channel(counts), method="simulated", rng=np.random.default_rng(1), **settings
    )
    assert table["doublet_score"].isna().all()
    assert not table["doublet"].any()


def channel(counts: sparse.csr_array) -> Iterator[Any]:
    """A channel of two samples, of which the first has a barcode that fails QC."""
    genes = small_shard(n_genes=500).genes.assign(symbol=SYMBOLS)
    barcodes = np.array([f"B{i}" for i in range(counts.shape[0])])
    parts = {
        "s1": Shard(counts[:200], barcodes[:200], genes),
        "s2": Shard(counts[200:], barcodes[200:], genes),
    }
    qc = {sample: cell_metrics(part).assign(passes=True) for sample, part in parts.items()}
    qc["s1"].loc[0, "passes"] = False
    return ((sample, part, qc[sample]) for sample, part in parts.items())


def test_a_channel_is_scored_over_all_its_samples_and_named_by_sample() -> None:
    counts, _ = three_types()
    settings = {**SETTINGS, **PER_CHANNEL}
    table = score_channel(
        channel(counts), method="simulated", rng=np.random.default_rng(1), **settings
    )
    assert len(table) == counts.shape[0] - 1
    assert table["cell"].tolist()[0] == "s1_B1"
    assert table["doublet_score"].notna().all()


def test_the_config_allows_each_method_and_no_other() -> None:
    method = read_schema("config")["properties"]["doublets"]["properties"]["method"]
    assert method["enum"] == list(METHODS)
    assert method["default"] in METHODS


def test_a_new_method_is_a_line_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets every setting of the config's section, and scores through the same function."""
    given = {}

    def call_large_cells(
        counts: sparse.csr_array, *, rng: np.random.Generator, rate: float, **others: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        given.update(others)
        totals = counts.sum(axis=1)
        return totals / totals.max(), totals > np.quantile(totals, 1 - rate)

    monkeypatch.setitem(METHODS, "large", call_large_cells)
    counts, _ = three_types()
    settings = {**resolve_config({})["doublets"], "method": "large"}
    del settings["remove"]
    table = score_channel(channel(counts), rng=np.random.default_rng(1), rate=0.05, **settings)
    passing = counts[1:].sum(axis=1)
    assert np.array_equal(table["doublet_score"], passing / passing.max())
    assert 0.04 < table["doublet"].mean() < 0.06
    assert given.pop("symbols").tolist() == SYMBOLS.tolist()
    assert given == SETTINGS


def test_more_cells_mean_more_expected_doublets(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []

    def note_rate(counts: sparse.csr_array, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
        rates.append(settings["rate"])
        return np.zeros(counts.shape[0]), np.zeros(counts.shape[0], dtype=bool)

    monkeypatch.setitem(METHODS, "simulated", note_rate)
    for per_1000 in (0.008, 80):
        score_channel(
            channel(three_types()[0]),
            method="simulated",
            expected_per_1000=per_1000,
            min_cells=50,
        )
    assert rates == [pytest.approx(0.008 * 629 / 1000), 0.4]


def test_cells_recovered_from_the_channel_set_the_expected_rate(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Fewer than the cells that are there cannot have been recovered, which is said."""
    rates = []

    def note_rate(counts: sparse.csr_array, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
        rates.append((settings["rate"], isinstance(settings["rate"], KnownRate)))
        return np.zeros(counts.shape[0]), np.zeros(counts.shape[0], dtype=bool)

    monkeypatch.setitem(METHODS, "simulated", note_rate)
    for cells, rate in ((10_000, None), (100, None), (10_000, 0.03)):
        score_channel(
            channel(three_types()[0]),
            method="simulated",
            expected_cells=cells,
            rate=rate,
            **PER_CHANNEL,
        )
    assert rates == [(0.08, False), (pytest.approx(0.008 * 0.629), False), (0.03, True)]
    said = "`expected_cells` of the sample sheet is 100, but 629 cells of the channel pass QC"
    assert [said in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize("method", list(METHODS))
def test_a_rate_of_zero_calls_no_doublet(method: str) -> None:
    counts, _ = three_types(n_doublets=80)
    table = score_channel(
        channel(counts),
        method=method,
        rate=0,
        rng=np.random.default_rng(1),
        **SETTINGS,
        **PER_CHANNEL,
    )
    assert not table["doublet"].any()
    assert table["doublet_score"].isna().all()


def test_a_known_rate_replaces_the_estimate() -> None:
    counts, truth = three_types(n_doublets=80)
    settings = {**SETTINGS, "symbols": SYMBOLS, "max_false_pct": 0}
    shares = [
        score_doublets(counts, rng=np.random.default_rng(1), rate=rate, **settings)[1]
        for rate in (0.01, KnownRate(0.01))
    ]
    assert shares[0][truth].mean() > 2 * shares[1][truth].mean()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_scrublet_scores_planted_doublets_high_and_calls_few_single_cells() -> None:
    counts, truth = three_types()
    rng = np.random.default_rng(1)
    scores, called = METHODS["scrublet"](counts, symbols=SYMBOLS, rate=0.08, rng=rng, **SETTINGS)
    assert auroc(scores, truth) > 0.9
    assert called[truth].mean() > 0.3
    assert called[~truth].mean() < 0.03


@pytest.mark.real_data
def test_hashed_doublets_score_above_singlets(real_data: Callable[[str], Path]) -> None:
    import anndata

    path = real_data("doublets_hashing") / "cellline_hashing_2000.h5ad"
    label = anndata.read_h5ad(path).obs["doublet_true_labels"].astype(str).to_numpy()
    counts = read_matrix(path)
    scores, _ = score_doublets(
        counts.counts,
        symbols=counts.genes["symbol"].to_numpy(dtype=str),
        rate=0.016,
        rng=np.random.default_rng(1),
        **SETTINGS,
    )
    known = label != "Negative"
    # scanpy's Scrublet reaches 0.61 on this set
    assert auroc(scores[known], label[known] == "Doublet") > 0.64


@pytest.mark.real_data
@pytest.mark.parametrize("purified", ["CD19+ B", "CD34+", "CD56+ NK", "CD8+ Cytotoxic T"])
def test_bead_purified_cells_of_one_type_are_not_called(
    real_data: Callable[[str], Path], purified: str
) -> None:
    counts, symbols, cells = _beads(real_data("pbmc_facs"))
    _, called = score_doublets(
        counts[cells == purified],
        symbols=symbols,
        rate=0.005,
        rng=np.random.default_rng(1),
        **SETTINGS,
    )
    assert called.mean() <= 0.01


@pytest.mark.real_data
@pytest.mark.parametrize(("max_false_pct", "at_least"), [(0.5, 0.7), (1.0, 0.9)])
def test_sums_of_real_t_cells_and_monocytes_are_called(
    real_data: Callable[[str], Path], max_false_pct: float, at_least: float
) -> None:
    """60 doublets are planted among blood cells that were purified by beads.

    They are far more frequent than by chance, so that fewer are called than in
    `benchmarks.doublets`: 75 % by default.
    """
    counts, symbols, cells = _beads(real_data("pbmc_facs"))
    t_cells = np.flatnonzero(np.char.startswith(cells.astype(str), "CD8+"))[:60]
    monocytes = np.flatnonzero(cells == "CD14+ Monocyte")[:60]
    others = np.setdiff1d(np.arange(len(cells)), np.r_[t_cells, monocytes])
    sums = counts[t_cells] + counts[monocytes]
    planted = sparse.csr_array(sparse.vstack([counts[others], sums]))
    settings = SETTINGS | {"max_false_pct": max_false_pct}
    _, called = score_doublets(
        planted, symbols=symbols, rate=0.03, rng=np.random.default_rng(1), **settings
    )
    assert called[-60:].mean() > at_least
    assert called[:-60].mean() < 0.02


def _beads(folder: Path) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    import anndata

    table = anndata.read_h5ad(folder / "pbmc_facs.h5ad")
    counts = sparse.csr_array(table.X).astype(np.int32)
    types = table.obs["celltype"].astype(str).to_numpy()
    return counts, np.asarray(table.var["symbol"], dtype=str), types
