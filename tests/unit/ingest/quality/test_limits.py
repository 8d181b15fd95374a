"""Flags of barcodes, with reasons."""

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from lammscope.ingest.quality.limits import Limits, flag_cells
from lammscope.ingest.quality.metrics import cell_metrics
from tests.matrices import small_shard

LIMITS = Limits(min_counts=50, min_genes=20, max_pct_mt=20, max_pct_hb=20, counts_mads=5, mt_mads=5)


def flags(
    metrics: pd.DataFrame, limits: Limits = LIMITS, *, lineages: object = "other"
) -> pd.DataFrame:
    """Flag barcodes of known lineages, none of them ambient RNA."""
    names = np.broadcast_to(np.asarray(lineages, dtype=str), len(metrics))
    return flag_cells(metrics, limits, lineages=names, ambient=np.zeros(len(metrics), dtype=bool))


def test_each_limit_flags_what_it_is_for_and_says_so() -> None:
    metrics = pd.DataFrame(
        {
            "barcode": list("abcdefgh"),
            "total_counts": [1000, 1100, 900, 40, 1000, 1000, 90_000, 10],
            "n_genes": [500, 500, 500, 30, 10, 500, 500, 5],
            "pct_mt": [1, 2, 3, 1, 1, 80, 1, 90.0],
            "pct_hb": [0, 0, 50.0, 0, 0, 0, 0, 0],
        }
    )
    flagged = flags(metrics)
    assert flagged["passes"].tolist() == [True, True] + [False] * 6
    assert flagged["reasons"].tolist() == [
        "", "", "high_hb", "low_counts,few_genes", "few_genes", "high_mt", "high_counts",
        "low_counts,few_genes,high_mt",
    ]  # fmt: skip


@given(st.permutations(range(40)))
def test_flags_do_not_depend_on_the_order_of_cells(order: list[int]) -> None:
    metrics = cell_metrics(small_shard())
    flagged = flags(metrics)
    shuffled = flags(metrics.iloc[order].reset_index(drop=True))
    assert (
        shuffled.sort_values("barcode")
        .reset_index(drop=True)
        .equals(flagged.sort_values("barcode").reset_index(drop=True))
    )


def test_a_sample_of_one_or_no_cell_is_flagged_without_a_crash() -> None:
    metrics = cell_metrics(small_shard(n_cells=1))
    assert len(flags(metrics)) == 1
    assert flags(metrics.iloc[:0]).empty


def cells(n: int, *, counts: float, pct_mt: float, seed: int = 0) -> pd.DataFrame:
    """Make metrics of intact cells of one lineage around the given medians."""
    rng = np.random.default_rng(seed)
    totals = counts * np.exp(0.35 * rng.standard_normal(n))
    values = {
        "total_counts": totals.astype(int),
        "n_genes": (totals**0.85).astype(int),
        "pct_mt": pct_mt * np.exp(0.3 * rng.standard_normal(n)),
        "pct_hb": 0.0,
    }
    return pd.DataFrame(values)


def together(**parts: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Join the metrics of several lineages."""
    names = np.repeat(list(parts), [len(part) for part in parts.values()])
    metrics = pd.concat(parts.values(), ignore_index=True)
    return metrics.assign(barcode=[f"b{number}" for number in range(len(metrics))]), names


def test_a_limit_that_removes_a_lineage_is_taken_within_it() -> None:
    metrics, names = together(
        T_NK=cells(900, counts=1500, pct_mt=3),
        macrophage=cells(60, counts=15_000, pct_mt=9, seed=1),
        plasma=cells(4, counts=20_000, pct_mt=3, seed=2),
    )
    flagged = flags(metrics, lineages=names)
    kept = flagged["passes"].groupby(names).mean()
    assert kept["T_NK"] > 0.98
    assert kept["macrophage"] > 0.95
    assert kept["plasma"] == 1  # too few for a median of their own
    assert flags(metrics, lineages="other")["passes"].groupby(names).mean()["macrophage"] < 0.5


def test_large_cells_of_a_lineage_are_kept_and_not_its_dying_ones() -> None:
    """A tenth is enough for an upper limit of UMIs of its own, but not for one of mitochondria."""
    large, dying = cells(20, counts=12_000, pct_mt=3, seed=2), cells(20, counts=6000, pct_mt=18)
    large["total_counts"], large["n_genes"] = 18_000, 3000
    metrics, names = together(
        T_NK=cells(2700, counts=1500, pct_mt=3), plasma=cells(160, counts=4000, pct_mt=3, seed=1)
    )
    more = pd.concat([metrics, large, dying], ignore_index=True)
    lineages = np.concatenate([names, np.full(40, "plasma")])
    passes = flags(more, lineages=lineages)["passes"].to_numpy()
    assert passes[-40:-20].all()
    assert not passes[-20:].any()


def test_a_few_extreme_cells_of_a_lineage_are_still_flagged() -> None:
    metrics, names = together(
        T_NK=cells(900, counts=1500, pct_mt=3), macrophage=cells(60, counts=9_000, pct_mt=3, seed=1)
    )
    metrics.loc[905, "total_counts"] = 400_000
    metrics.loc[3, "total_counts"] = 90_000
    reasons = flags(metrics, lineages=names)["reasons"]
    assert reasons[905] == reasons[3] == "high_counts"


def test_the_limit_on_mitochondria_follows_the_sample_within_the_ceiling() -> None:
    living = cells(600, counts=3000, pct_mt=2)
    dying = cells(60, counts=1500, pct_mt=14, seed=1)
    metrics, names = together(T_NK=living, other=dying)
    found = flags(metrics, lineages="T_NK")["passes"].groupby(names).mean()
    assert found["T_NK"] > 0.99
    assert found["other"] < 0.1
    healthy = flags(cells(600, counts=3000, pct_mt=4).assign(barcode="b"))
    assert (healthy["passes"] | (healthy["pct_mt"] > 5)).all()  # no limit falls below 5 %
    strict = flags(metrics, replace(LIMITS, max_pct_mt=2), lineages="T_NK")
    assert strict.loc[strict["passes"], "pct_mt"].max() <= 2


def test_small_barcodes_have_a_narrower_limit_on_mitochondria() -> None:
    living = cells(600, counts=3000, pct_mt=4).assign(pct_mt=4.0)
    living["pct_mt"] += np.random.default_rng(2).normal(0, 1, 600)
    dying = cells(60, counts=3000, pct_mt=4).assign(pct_mt=7.5, total_counts=1000, n_genes=400)
    large = dying.assign(total_counts=3000, n_genes=900)
    metrics, names = together(living=living, dying=dying, large=large)
    kept = flags(metrics, lineages="T_NK")["passes"].groupby(names).mean()
    assert kept["dying"] == 0
    assert kept["large"] == 1
    assert kept["living"] > 0.98
    spared = flags(metrics, lineages=np.where(names == "dying", "platelet", "T_NK"))["passes"]
    assert spared.groupby(names).mean()["dying"] == 1


def test_lineages_with_little_rna_have_lower_floors() -> None:
    metrics, names = together(
        T_NK=cells(300, counts=2000, pct_mt=3), neutrophil=cells(40, counts=40, pct_mt=3, seed=1)
    )
    limits = replace(LIMITS, min_counts=50, min_genes=15)
    kept = flags(metrics, limits, lineages=names)["passes"].groupby(names).mean()
    assert kept["neutrophil"] > 0.85
    assert flags(metrics, limits)["passes"].groupby(names).mean()["neutrophil"] < 0.4


def test_the_cells_of_a_poor_library_have_no_high_counts() -> None:
    """Its other barcodes are not recognized as ambient RNA, and have the cells' lineage."""
    metrics, names = together(
        soup=cells(911, counts=532, pct_mt=5), T_NK=cells(50, counts=6000, pct_mt=3, seed=1)
    )
    limits = replace(LIMITS, min_counts=400, min_genes=100)
    kept = flags(metrics, limits, lineages="T_NK")["passes"].groupby(names).mean()
    assert kept["T_NK"] == 1


def test_ambient_barcodes_fail_and_set_no_limit() -> None:
    metrics, names = together(
        soup=cells(900, counts=550, pct_mt=5), T_NK=cells(50, counts=9000, pct_mt=3, seed=1)
    )
    ambient = names == "soup"
    flagged = flag_cells(metrics, LIMITS, lineages=np.full(950, "other"), ambient=ambient)
    assert (flagged["reasons"].str.split(",").str[0] == "ambient")[ambient].all()
    assert flagged["passes"][~ambient].mean() > 0.95
