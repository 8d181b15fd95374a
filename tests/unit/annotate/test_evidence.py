"""Tables that show on what calls rest: clusters, calls and vetoes, CAR transcripts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.car import count_car
from lammscope.annotate.evidence import count_calls, describe_clusters
from lammscope.annotate.levels import levels_by_group

CELLS = pd.DataFrame(
    {
        "sample": ["a", "a", "a", "a", "b", "b"],
        "cluster": ["0", "0", "1", "1", "0", "1"],
        "lineage": ["monocytic"] * 4 + ["monocytic", "T"],
        "lamm_positive": [1.0, 0.95, 0.99, 0.2, 0.95, 0.0],
        "lamm_macrophage_like": [0.95, 0.99, 0.5, 0.0, 0.91, 0.0],
        "lamm_call": ["LAMM", "LAMM", "uncertain", "not_LAMM", "LAMM", "not_LAMM"],
        "lamm_veto": ["", "", "", "dc3", "", ""],
        "lamm_reference": ["own monocytes"] * 4 + ["prior only", ""],
        "lamm_own_patient": [0.8, 0.3, 0.9, 0.0, 0.05, 0.0],
    }
)


def test_clusters_say_what_was_called_and_how_much_of_each_gene_is_there() -> None:
    counts = sparse.csr_array(np.array([[2, 0], [0, 0], [1, 0], [1, 0], [4, 1], [0, 0]]))
    levels = levels_by_group(
        counts, totals=np.full(6, 5000), groups=CELLS["cluster"], genes=["CSF1R", "CD14"]
    )
    clusters = pd.DataFrame({"cluster": ["0", "1"], "cell_type": ["Classical_monocyte", "CD4_T"]})
    table = describe_clusters(
        clusters, cells=CELLS, levels=levels, genes=["CSF1R", "CD14", "ABSENT"]
    ).set_index("cluster")
    assert table.loc["0", ["pct_lamm", "pct_uncertain", "pct_vetoed"]].tolist() == [100, 0, 0]
    assert table.loc["1", "pct_monocytic"] == pytest.approx(200 / 3)
    assert table.loc["1", "pct_vetoed"] == pytest.approx(100 / 3)
    assert table.loc["0", "CSF1R_per_10k"] == pytest.approx(6 / 1.5)
    assert table.loc["0", "CSF1R_pct"] == pytest.approx(200 / 3)
    assert "ABSENT_pct" not in table


def test_calls_are_counted_with_those_that_the_patient_alone_bears() -> None:
    table = count_calls(
        CELLS, samples=["b", "a", "c"], reasons=["dc3", "platelet"], probability=0.9
    )
    assert table["sample"].tolist() == ["a", "b", "c"]
    a, b, c = table.to_dict("records")
    assert (a["n_cells"], a["n_monocytic"], a["n_positive"], a["n_macrophage_like"]) == (4, 4, 3, 2)
    assert (a["n_lamm"], a["n_uncertain"], a["veto_dc3"], a["veto_platelet"]) == (2, 1, 1, 0)
    assert (a["n_supported"], a["n_contradicted"], a["pct_supported"]) == (1, 0, 50)
    assert (b["n_supported"], b["n_contradicted"]) == (0, 1)
    assert [each["reference"] for each in (a, b, c)] == ["own monocytes", "prior only", ""]
    assert c["n_cells"] == 0
    assert np.isnan(c["pct_supported"])


def test_car_transcripts_before_infusion_are_contamination() -> None:
    cells = pd.DataFrame(
        {"sample": ["pre", "pre", "post", "post", "old", "stray"],
         "lineage": ["T", "B", "T", "T", "T", "B"],
         "car": ["negative", "negative", "positive", "unknown", "unknown", "negative"],
         "car_probability": [0, np.nan, 1, 0.25, np.nan, np.nan]}
    )  # fmt: skip
    phases = dict.fromkeys(["pre", "post", "old", "stray", "none"], "post") | {"pre": "pre"}
    table: Any = count_car(
        sparse.csr_array(np.array([[1], [0], [3], [0], [0], [2]])),
        symbols=["CAR"],
        cells=cells,
        samples=phases,
        has_feature=dict.fromkeys(phases, True) | {"old": False},
    ).set_index("sample")
    assert table["reading"].to_dict() == {
        "none": "none seen",
        "old": "unknown: no CAR feature",
        "post": "CAR-T cells",
        "pre": "contamination",
        "stray": "contamination",
    }
    assert table.loc["post", "pct_of_t"] == 50
    assert table.loc["stray", "n_other_with_car"] == 1
    assert np.isnan(table.loc["none", "pct_of_t"])
    post = table.loc["post"]
    assert (post["n_positive"], post["n_unknown"], post["n_expected"]) == (1, 1, 1.25)
    assert post["pct_missed"] == pytest.approx(20)  # a quarter of a cell of one and a quarter
    assert table.loc["pre", "n_expected"] == 0
    assert np.isnan(table.loc["old", "n_expected"])
    assert table.loc[["pre", "old", "stray", "none"], "pct_missed"].isna().all()
