"""Tests of droplets and shares of ambient RNA agree with DropletUtils and edgeR."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.ambient.shares import (
    ambient_share_maximum,
    ambient_share_negative,
    maximum_scale,
    negative_scales,
)
from lammscope.ingest.droplets.empty_drops import EmptyDropsSettings, call_barcodes
from lammscope.ingest.droplets.likelihood import Ambient, log_likelihood
from lammscope.ingest.droplets.low_barcodes import fit_concentration, summarize_low_barcodes
from lammscope.ingest.droplets.profile import ambient_profile, good_turing_proportions
from lammscope.ingest.droplets.ranks import barcode_ranks
from lammscope.ingest.matrices.read import read_matrix

LOWER, RETAIN = 100, 900
SPLINE = 1.6  # the knee of DropletUtils 1.18, a bend of a spline, is within this factor of ours


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "tests" / "golden" / "droplets"


@pytest.fixture(scope="module")
def counts(folder: Path) -> sparse.csr_array:
    table = pd.read_csv(folder / "counts.csv.gz")
    n_genes = len(pd.read_csv(folder / "profile.csv"))
    place = (table["barcode"], table["gene"])
    return sparse.csr_array((table["count"], place), shape=(table["barcode"].max() + 1, n_genes))


@pytest.fixture(scope="module")
def ambient(folder: Path) -> Ambient:
    profile = pd.read_csv(folder / "profile.csv")["profile"].to_numpy()
    return Ambient(profile, float((folder / "concentration.txt").read_text()))


def totals_of(counts: sparse.csr_array) -> np.ndarray:
    return np.asarray(counts.sum(axis=1)).ravel()


def test_good_turing_proportions_are_those_of_edger(folder: Path) -> None:
    examples = pd.read_csv(folder / "good_turing.csv")
    for _, example in examples.groupby("example"):
        got = good_turing_proportions(example["count"].to_numpy())
        np.testing.assert_allclose(got, example["proportion"], rtol=1e-10)


def test_the_ambient_profile_is_that_of_dropletutils(
    folder: Path, counts: sparse.csr_array
) -> None:
    expected = pd.read_csv(folder / "profile.csv")
    low = summarize_low_barcodes(counts, totals=totals_of(counts), lower=LOWER)
    seen = np.asarray(counts.sum(axis=0)).ravel() > 0
    np.testing.assert_array_equal(low.sums, expected["sum"])
    np.testing.assert_array_equal(seen, expected["seen"])
    np.testing.assert_allclose(
        ambient_profile(low.sums, seen=seen), expected["profile"], rtol=1e-10
    )


def test_the_concentration_is_that_of_dropletutils(
    counts: sparse.csr_array, ambient: Ambient
) -> None:
    low = summarize_low_barcodes(counts, totals=totals_of(counts), lower=LOWER)
    got = fit_concentration(low, profile=ambient.profile)
    np.testing.assert_allclose(got, ambient.concentration, rtol=1e-3)


@pytest.mark.parametrize("name", ["fitted", "infinite"])
def test_barcodes_are_called_as_by_empty_drops(
    folder: Path, counts: sparse.csr_array, ambient: Ambient, name: str
) -> None:
    expected = pd.read_csv(folder / f"empty_drops_{name}.csv")
    rows = np.flatnonzero(totals_of(counts) > LOWER)
    np.testing.assert_array_equal(rows, expected["barcode"])
    model = ambient if name == "fitted" else Ambient(ambient.profile, np.inf)
    settings = EmptyDropsSettings(
        retain=RETAIN, max_counts=RETAIN, n_iterations=20_000, statistic="likelihood", min_share=0
    )
    got = call_barcodes(
        counts[rows], ambient=model, settings=settings, rng=np.random.default_rng(0)
    )
    np.testing.assert_array_equal(got["total"], expected["total"])
    np.testing.assert_allclose(got["log_likelihood"], expected["log_likelihood"], rtol=1e-8)
    tested = got["p_value"].notna().to_numpy()
    np.testing.assert_array_equal(tested, expected["total"] < RETAIN)
    p = expected["p"].to_numpy()
    error = np.sqrt(p * (1 - p) * (1 / 20_000 + 1 / 100_000)) + 1 / 20_000
    assert (np.abs(got["p_value"] - p) < 4 * error)[tested].all()
    np.testing.assert_allclose(got["fdr"], expected["fdr"], rtol=0.1, atol=0.02)
    assert (got["fdr"][~tested] == 0).all()


def test_log_likelihoods_are_those_of_dropletutils(
    folder: Path, counts: sparse.csr_array, ambient: Ambient
) -> None:
    for name, concentration in (("fitted", ambient.concentration), ("infinite", np.inf)):
        expected = pd.read_csv(folder / f"empty_drops_{name}.csv")
        got = log_likelihood(
            counts[expected["barcode"].to_numpy()],
            ambient=Ambient(ambient.profile, concentration),
        )
        np.testing.assert_allclose(got, expected["log_likelihood"], rtol=1e-8)


@pytest.mark.parametrize("name", ["clear", "poor", "gradual"])
def test_the_inflection_is_that_of_dropletutils_and_the_knee_is_near(
    folder: Path, name: str
) -> None:
    curve = pd.read_csv(folder / "curves.csv.gz").query("curve == @name")
    expected = pd.read_csv(folder / "ranks.csv", index_col="curve").loc[name]
    totals = np.repeat(curve["total"].to_numpy(), curve["barcodes"])
    got = barcode_ranks(totals, lower=LOWER, exclude_top=50)
    assert got.inflection == expected["inflection"]
    assert 1 / SPLINE < got.knee / expected["knee"] < SPLINE


@pytest.mark.real_data
def test_real_libraries_have_the_inflection_of_dropletutils_and_a_knee_near(
    folder: Path, real_data: Callable[[str], Path]
) -> None:
    expected = pd.read_csv(folder / "ranks_real.csv", index_col="library")
    ratios = []
    for name, row in expected.iterrows():
        path = real_data("carpall") / f"{name}.filtered_feature_bc_matrix.h5"
        totals = totals_of(read_matrix(path).counts)
        got = barcode_ranks(totals, lower=LOWER, exclude_top=50)
        assert got.inflection == row["inflection"]
        ratios.append(got.knee / row["knee"])
    assert len(ratios) == 25
    assert 0.75 < np.median(ratios) < 1.3
    assert 1 / 2.7 < min(ratios) < max(ratios) < 2.7


@pytest.fixture(scope="module")
def populations(folder: Path) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    table = pd.read_csv(folder / "sums.csv", skipinitialspace=True)
    sums = table.filter(regex=r"^X\d").to_numpy().T
    return sums, table["ambient"].to_numpy(), table


@pytest.mark.parametrize(("name", "dispersion"), [("maximum", 0), ("dispersed", 0.1)])
def test_the_largest_contribution_is_that_of_dropletutils(
    folder: Path,
    populations: tuple[np.ndarray, np.ndarray, pd.DataFrame],
    name: str,
    dispersion: float,
) -> None:
    sums, profile, table = populations
    expected = pd.read_csv(folder / "scales.csv")[name]
    got = [
        maximum_scale(row, profile=profile, threshold=0.1, dispersion=dispersion) for row in sums
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    if not dispersion:
        shares = ambient_share_maximum(sums, profile=profile, threshold=0.1, dispersion=0)
        np.testing.assert_allclose(shares[1], table["share2"], rtol=1e-8)


@pytest.mark.parametrize(
    ("name", "sets"),
    [("negative1", [[1, 2, 3]]), ("negative2", [[1], [2]]), ("negative3", [[1], [2], [3]])],
)
def test_the_contribution_by_lacking_genes_is_that_of_dropletutils(
    folder: Path,
    populations: tuple[np.ndarray, np.ndarray, pd.DataFrame],
    name: str,
    sets: list[list[int]],
) -> None:
    sums, profile, _ = populations
    lacking = pd.read_csv(folder / "sets.csv")
    gene_sets = [lacking.loc[lacking["set"].isin(chosen), "gene"].to_numpy() for chosen in sets]
    expected = pd.read_csv(folder / "scales.csv")[name]
    got = negative_scales(sums, profile=profile, gene_sets=gene_sets)
    np.testing.assert_allclose(got, expected, rtol=1e-10)
    shares = ambient_share_negative(sums, profile=profile, gene_sets=gene_sets)
    present = sums > 0
    wanted = np.minimum(expected.to_numpy()[:, None] * profile / np.maximum(sums, 1), 1)
    np.testing.assert_allclose(shares[present], wanted[present], rtol=1e-8)
    assert np.isnan(shares[~present]).all()
