"""Whether ambient RNA has the same composition in the groups of a contrast."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.cohort.audit import STATUSES, audit_design
from lammscope.cohort.audit_soup import WORDS, lineage_shares, read_soups
from lammscope.cohort.comparison import compare
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.core.names import PROFILE
from lammscope.core.shards import Shard, write_shard
from lammscope.ingest.lineage_markers import MARKERS
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, cohort


def row(samples: pd.DataFrame, entry: dict[str, Any], shares: dict[str, np.ndarray]) -> pd.Series:
    """Audit one contrast; `shares` has the markers of some lineages, the others have none."""
    comparisons = compare(samples, contrasts_from_config({"question": entry}, samples))
    soups = {
        sample: {name: float(shares[name][i]) if name in shares else 0.0 for name in MARKERS}
        for i, sample in enumerate(samples["sample"])
    }
    table = audit_design(samples, comparisons, sorts={}, max_exact=99, n_draws=99, soups=soups)
    found = table[table["item"] == "ambient_profile"]
    assert found["contrast"].tolist() == ["question"]
    assert set(found["status"]) <= set(STATUSES)
    assert not found["message"].str.contains("nan").any()
    return found.iloc[0]


def noisy(samples: pd.DataFrame, level: np.ndarray | float, sd: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.asarray(level * np.exp(rng.normal(0, sd, len(samples))))


def test_b_cells_that_vanish_after_infusion_are_warned_of() -> None:
    samples = cohort(6)
    pre = (samples["phase"] == "pre").to_numpy()
    shares = {"B": noisy(samples, np.where(pre, 2e-3, 1e-5)), "T_NK": noisy(samples, 5e-3)}
    found = row(samples, PAIRED, shares)
    assert (found["value"], found["status"]) == ("B", "warning")
    assert "genes of B cells (" in found["message"]
    assert "times as much in pre samples)" in found["message"]
    assert "T and NK" not in found["message"]
    same = row(samples, BASELINE, shares)  # before infusion, arms are alike
    assert (same["value"], same["status"]) == ("similar", "ok")


def test_arms_and_their_changes_are_compared() -> None:
    samples = cohort(6)
    responds = (samples["response"] == "responder").to_numpy()
    post = (samples["phase"] == "post").to_numpy()
    monocytes = noisy(samples, np.where(responds, 0.02, 0.05))
    found = row(samples, BASELINE, {"monocyte_DC": monocytes})
    assert found["status"] == "warning"
    assert "monocytes and dendritic cells (2" in found["message"]
    assert row(samples, CHANGE, {"monocyte_DC": monocytes})["status"] == "ok"
    changed = noisy(samples, np.where(responds & post, 0.08, 0.01))
    assert "after against before infusion" in row(samples, CHANGE, {"B": changed})["message"]


@pytest.mark.parametrize(
    ("fold", "level", "sd", "status"),
    [
        (1.6, 1e-2, 0.1, "ok"),  # too small
        (2.5, 1e-2, 0.1, "warning"),
        (1.5, 1e-2, 0.9, "ok"),  # by chance
        (6.0, 1e-6, 0.1, "note"),  # too rare in ambient RNA
    ],
)
def test_a_difference_must_be_certain_and_of_a_common_lineage(
    fold: float, level: float, sd: float, status: str
) -> None:
    samples = cohort(6)
    responds = (samples["response"] == "responder").to_numpy()
    shares = noisy(samples, level * np.where(responds, fold, 1.0), sd)
    assert row(samples, BASELINE, {"B": shares})["status"] == status


def test_two_patients_an_arm_are_warned_of_from_fourfold_on() -> None:
    samples = cohort(2)
    responds = (samples["response"] == "responder").to_numpy()
    for fold, status in ((3.0, "ok"), (5.0, "warning")):
        shares = noisy(samples, 1e-2 * np.where(responds, fold, 1.0), 0.01)
        assert row(samples, BASELINE, {"B": shares})["status"] == status


def test_samples_without_a_profile_are_left_out() -> None:
    samples = cohort(4)
    shares = noisy(samples, 1e-2)
    some = row(samples, BASELINE, {"B": np.where(np.arange(len(shares)) == 0, np.nan, shares)})
    assert some["status"] == "ok"
    none = row(samples, BASELINE, {name: np.full(len(shares), np.nan) for name in MARKERS})
    assert (none["value"], none["status"]) == ("unknown", "note")


def test_shares_are_read_from_count_files(tmp_path: Path) -> None:
    genes = pd.DataFrame(
        {
            "gene": ["ENSG00000105369", "G1", "G2"],  # CD79A by its id
            "symbol": ["x", "ms4a1", "OTHER"],
            PROFILE: [0.02, 0.01, 0.97],
        }
    )
    shard = Shard(sparse.csr_array(np.ones((2, 3), dtype=np.int32)), np.array(["a", "b"]), genes)
    write_shard(shard, tmp_path / "s.h5ad")
    soup = read_soups(["s"], [tmp_path / "s.h5ad"])["s"]
    assert soup["B"] == pytest.approx(0.03)
    assert sum(soup.values()) == pytest.approx(0.03)
    assert np.isnan(lineage_shares(genes.assign(**{PROFILE: 0.0}))["B"])


def test_every_lineage_has_words() -> None:
    assert set(WORDS) == set(MARKERS)
