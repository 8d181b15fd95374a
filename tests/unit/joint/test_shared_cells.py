"""Samples that hold the same cells are refused, and those that share barcodes are named."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.metrics import cell_metrics, split_ambient
from lammscope.joint.shared_cells import check_samples
from tests.matrices import find_matrices

RNG = np.random.default_rng(3)


def draw(n: Any = 300, *, suffix: Any = "-1") -> Any:
    """Barcodes and UMIs of a sample."""
    bases = RNG.choice(list("ACGT"), (n, 16))
    names = [f"{''.join(row)}{suffix}" for row in bases]
    return pd.DataFrame({"barcode": names, "total_counts": RNG.integers(100, 20_000, n)})


ONE = draw()
OTHER_UMIS = ONE.assign(total_counts=ONE["total_counts"] + 1)
PLATE = pd.DataFrame({"barcode": [f"cell_{i}" for i in range(96)]})


def some_of(table: pd.DataFrame, n: Any, *, of: Any = 300) -> Any:
    """A sample of which `n` barcodes are those of another."""
    return pd.concat([table[:n], draw(of - n)], ignore_index=True)


SAME = {
    "a copy": ONE,
    "in another order": ONE[::-1],
    "another suffix": ONE.assign(barcode=ONE["barcode"].str.replace("-1", "-7")),
    "a prefix": ONE.assign(barcode="P1_" + ONE["barcode"]),
    "raw and filtered": pd.concat([ONE, draw(5000)], ignore_index=True),
    "a part": ONE[:40],
    "several libraries in one file": pd.concat([ONE, draw(), draw()], ignore_index=True),
}
SHARED = {
    "of the reads counted otherwise": (OTHER_UMIS, "100 %"),
    "a third of its cells": (some_of(ONE, 100), "33 %"),
    "sequenced twice": (OTHER_UMIS.assign(barcode="x_" + ONE["barcode"]), "100 %"),
    "a quarter of a small sample": (some_of(ONE, 20, of=80), "25 %"),
}
APART = {
    "another library": draw(),
    "a tenth of its cells": some_of(ONE, 30),
    "a few barcodes": some_of(ONE, 5, of=10),
    "nothing": ONE[:0],
}


def check(*tables: Any, channels: Any = "abcdefgh") -> dict[str, str]:
    samples = dict(zip("ABCDEFGH", tables, strict=False))
    return check_samples(samples, channels=dict(zip("ABCDEFGH", channels, strict=True)))


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("channels", ["abcdefgh", "xxxxxxxx"])
def test_samples_of_the_same_cells_are_refused(name: str, channels: Any) -> None:
    with pytest.raises(ValueError, match="samples of the same cells: `A`, `C`: ") as caught:
        check(ONE, draw(), SAME[name], channels=channels)
    assert len(str(caught.value).splitlines()) == 1


def test_each_group_of_the_same_cells_is_named_once() -> None:
    two = draw()
    with pytest.raises(ValueError, match="cells: `A`, `C`, `D`; `B`, `E`: their"):
        check(ONE, two, ONE, ONE[:50], two, draw())
    many = {f"S{i:02d}": ONE for i in range(12)}
    with pytest.raises(ValueError, match="`S04` and 7 more"):
        check_samples(many, channels={name: name for name in many})


@pytest.mark.parametrize("name", SHARED)
def test_samples_that_share_barcodes_beyond_chance_are_named(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    table, percent = SHARED[name]
    shared = check(ONE, table, draw())
    assert shared == {"A": f"B {percent}", "B": f"A {percent}", "C": ""}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"`A` and `B` {percent} (0.0 % by chance)" in record.getMessage()


@pytest.mark.parametrize("name", APART)
def test_other_samples_are_not_named(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert check(ONE, APART[name]) == {"A": "", "B": ""}
    assert not caplog.records


def test_samples_of_one_channel_may_share_barcodes(caplog: pytest.LogCaptureFixture) -> None:
    check(ONE, OTHER_UMIS, channels="xxcdefgh")
    assert not caplog.records


def test_barcodes_shared_by_chance_are_not_named(caplog: pytest.LogCaptureFixture) -> None:
    """Large raw matrices share barcodes, because the kit has a limited number of them."""
    kit = draw(2000)
    table = pd.DataFrame({"barcode": kit["barcode"].to_numpy()[RNG.permutation(2000)[:600]]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lammscope.joint.shared_cells.BARCODES_OF_KIT", 2000)
        check(kit[:600], table.assign(total_counts=RNG.integers(100, 20_000, 600)))
    assert not caplog.records


def test_names_without_nucleotides_are_shared_only_with_equal_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    umis = [RNG.integers(1000, 90_000, 96) for _ in range(2)]
    check(*(PLATE.assign(total_counts=numbers) for numbers in umis))
    assert not caplog.records
    with pytest.raises(ValueError, match="`A`, `B`"):
        check(*(PLATE.assign(total_counts=umis[0]) for _ in "AB"))


def metrics(path: Path) -> Any:
    """Quality control metrics of a matrix."""
    shard = read_matrix(path)
    everything = np.arange(len(shard.barcodes))
    return cell_metrics(split_ambient(shard, everything, ambient_max_counts=100))


@pytest.mark.real_data
def test_libraries_of_a_public_cohort_are_not_named(
    real_data: Any, caplog: pytest.LogCaptureFixture
) -> None:
    qc = {path.name: metrics(path) for path in find_matrices(real_data("carpall"))}
    assert len(qc) == 25
    check_samples(qc, channels={name: name for name in qc})
    assert not caplog.records


@pytest.mark.real_data
def test_the_raw_and_the_filtered_matrix_of_a_public_library_are_refused(real_data: Any) -> None:
    folder = real_data("soupx_raw_filtered")
    kinds = (metrics(folder / f"{kind}_gene_bc_matrices") for kind in ("raw", "filtered"))
    with pytest.raises(ValueError, match="cells: `A`, `B`"):
        check(*kinds)
