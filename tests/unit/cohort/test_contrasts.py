"""Contrasts of the config: defaults, and every mistake in one line with its remedy."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.cohort.audit import audit_design
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.config import read_schema
from lammscope.cohort.contrast_checks import contrast_mistakes, reason_for_none
from lammscope.cohort.contrast_config import DEFAULT, contrasts_from_config, default_contrasts
from lammscope.cohort.contrast_kinds import KINDS, Between, as_values, make_contrast
from lammscope.core.words import as_text
from tests.unit.example_cohorts import ARMS, BASELINE, asked, cohort

PAIRED = {"kind": "paired", "test": "post", "reference": "pre"}
CHANGE = {**ARMS, "kind": "change"}
PRIMARY = {"contrast": "question", "denominator": "monocytic"}
NOTHING = pd.Series(pd.NA, index=range(16), dtype="str")


def number(table: pd.DataFrame) -> pd.Series:
    return table["patient"].str[1:].astype(int)


def with_twins(**columns: Any) -> pd.DataFrame:
    """Add a second sample of each patient and time point, with different values in some columns."""
    twins = cohort().assign(sample=lambda t: t["sample"] + "_b", **columns)
    return pd.concat([cohort(), twins], ignore_index=True)


def test_default_contrasts_are_those_of_the_design() -> None:
    names = {c.name: c.kind for c in contrasts_from_config(DEFAULT, cohort())}
    assert names == {"baseline": "between", "on_treatment": "between", "change": "change"}


def test_default_contrasts_are_made_per_compartment() -> None:
    found = contrasts_from_config(DEFAULT, with_twins(compartment="marrow"))
    assert [c.name for c in found] == [
        f"{name}_{place}"
        for place in ("blood", "marrow")
        for name in ("baseline", "on_treatment", "change")
    ]
    assert found[0].where == {"phase": ("pre",), "compartment": ("blood",)}


def test_samples_without_a_compartment_are_compared_as_one_group() -> None:
    whole = contrasts_from_config(DEFAULT, cohort(compartment="unstated"))
    assert [c.name for c in whole] == ["baseline", "on_treatment", "change"]
    mixed = contrasts_from_config(DEFAULT, with_twins(compartment="unstated"))
    assert [c.name for c in mixed][3] == "baseline_unstated"
    assert mixed[3].where == {"phase": ("pre",), "compartment": ("unstated",)}


def test_default_contrasts_without_response_ask_what_is_left() -> None:
    samples = cohort().assign(response=NOTHING, response_label=NOTHING)
    assert [c.name for c in contrasts_from_config(DEFAULT, samples)] == ["pre_to_post"]
    assert contrasts_from_config(DEFAULT, samples[samples["phase"] == "pre"]) == []


def test_default_contrasts_never_ask_for_sorted_libraries() -> None:
    samples = cohort(sort=lambda t: np.where(t["phase"] == "post", "CD3+", "none"))
    assert [c.name for c in default_contrasts(samples, sorts={})] == ["baseline"]
    assert contrasts_from_config(DEFAULT, cohort(sort="CD3+")) == []


def test_pairs_share_compartment_and_phase_unless_these_are_compared() -> None:
    assert asked(PAIRED, cohort()).match == ("compartment",)
    entry = {"kind": "paired", "column": "product", "test": "axi", "reference": "tisa"}
    assert asked(entry, cohort()).match == ("compartment", "phase")
    sorted_too = asked({**PAIRED, "where": {"sort": "none"}}, cohort())
    assert sorted_too.match == ("compartment", "sort")
    assert sorted_too.where == {"sort": ("none",)}
    assert asked({**PAIRED, "match": []}, cohort()).match == ()


# samples, entry, the whole line but for the contrast's name (a pattern)
MISTAKES: dict[str, tuple[pd.DataFrame, dict[str, Any], str]] = {
    "kind": (cohort(), {**ARMS, "kind": "betwen"},
             r"kind `betwen` is not one of between, paired, change, trend \(did you mean "
             r"`between`\?\)"),
    "column": (cohort(), {**ARMS, "column": "respons"},
               r"`column`: no column `respons` in either sheet \(did you mean `response`\?\); "
               r"columns: patient, timepoint, .*"),
    "where": (cohort(), {**ARMS, "where": {"phse": "pre"}}, r"`where`: no column `phse` .*"),
    "adjust": (cohort(), {**BASELINE, "adjust": ["prodct"]},
               r"`adjust`: no column `prodct` .*did you mean `product`.*"),
    "match": (cohort(), {**PAIRED, "match": ["source"]}, r"`match`: no column `source` .*"),
    "test": (cohort(), {**BASELINE, "test": "responders"},
             r"`test`: column `response` has no value `responders` \(did you mean `responder`\?\); "
             r"allowed: responder, non_responder; the labels of the sheet \(CR, PD\) are in column "
             r"`response_label`"),
    "reference": (cohort(), {**ARMS, "column": "product", "test": "axi", "reference": "liso"},
                  r"`reference`: column `product` has no value `liso`; allowed: axi, tisa"),
    "value of where": (cohort(), {**ARMS, "where": {"timepoint": "d7"}},
                       r"`where.timepoint`: column `timepoint` has no value `d7` \(did you mean "
                       r"`D7`\?\); allowed: D0, D7"),
    "one value of many": (cohort(12), {**BASELINE, "where": {"batch": "x"}},
                          r"`where.batch`: column `batch` has no value `x`; allowed: (N\d+_D[07], )"
                          r"{19}N\d+_D[07], and 28 more"),
    "no response": (cohort(response=NOTHING), BASELINE,
                    r"it uses `response`, which is empty for every sample; set `response` in the "
                    r"config and in patients.tsv"),
    "no phase": (cohort(phase=NOTHING), PAIRED,
                 r"it uses `phase`, which is empty for every sample; set `timepoints` in the "
                 r"config"),
    "an empty column": (cohort(site=NOTHING), {**ARMS, "where": {"site": "Bonn"}},
                        r"it uses `site`, which is empty for every sample; fill in column `site`"),
    "one value twice": (cohort(), {**BASELINE, "reference": "non_responder"},
                        r"test and reference are both `non_responder`; use two different values"),
    "where that nothing meets": (
        cohort(), {**ARMS, "where": {"phase": "pre", "timepoint": "D7"}},
        r"`where`: no sample meets all conditions \(phase pre: 8 samples, timepoint D7: 8 "
        r"samples\); remove one"),
    "adjusted pairs": (cohort(), {**PAIRED, "adjust": ["product"]},
                       r"a pair is its own control, so covariates of patients cancel out; remove "
                       r"`adjust`"),
    "adjusted for what is compared": (
        cohort(), {**BASELINE, "adjust": ["response"]},
        r"`adjust`: `response` is the column that is compared; remove `response` from `adjust`"),
    "adjusted for names": (
        cohort(), {**BASELINE, "adjust": ["patient"]},
        r"`adjust`: `patient` identifies rows and is not a covariate; remove `patient` from .*"),
    "adjusted for the response": (
        cohort(), {**BASELINE, "adjust": ["response_label"]},
        r"`adjust`: `response_label` is the response under another name; remove .*"),
    "adjusted for a copy of the response": (
        cohort(best=lambda t: t["response_label"]), {**BASELINE, "adjust": ["best"]},
        r"`adjust`: `best` is the response under another name; remove `best` from `adjust`"),
    "adjusted for nothing": (
        cohort(ldh=np.nan), {**BASELINE, "adjust": ["ldh"]},
        r"`adjust`: no sample has a value for `ldh`; fill in the sheet, or remove `ldh` .*"),
    "numbers with a slip": (
        cohort(ldh=[*"12345678123456", "1x", "1x"]), {**BASELINE, "adjust": ["ldh"]},
        r"`adjust`: column `ldh` is numeric except for `1x` \(sample N4_D0, N4_D7\); "
        r"correct the value, or leave the field empty"),
    "adjusted for batches of one": (
        cohort(), {**BASELINE, "adjust": ["batch"]},
        r"`adjust`: `batch` has a different value in every sample; remove `batch` from `adjust`"),
    "choice without days": (
        cohort().drop(columns="day"), {**ARMS, "choose": "last"},
        r"`choose: last` needs a numeric column `day` in the sample sheet; add it, or choose "
        r"one of D0, D7"),
    "no day is filled in": (
        cohort(day=np.nan), {**ARMS, "choose": "first"},
        r"`choose: first` needs `day`, which is empty for R1_D0, .* and 11 more; fill it in"),
    "a day is missing": (
        cohort(day=lambda t: t["day"].where(t["patient"] != "R1")), {**ARMS, "choose": "last"},
        r"`choose: last` needs `day`, which is empty for R1_D0, R1_D7; fill it in"),
    "choice": (cohort(), {**ARMS, "choose": "d7"},
               r"`choose`: no time point `d7` \(did you mean `D7`\?\); allowed: first, last, D0, "
               r"D7"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_one_line_with_its_remedy(name: str) -> None:
    samples, entry, pattern = MISTAKES[name]
    with pytest.raises(ValueError, match=r"^contrast `question`: ") as error:
        asked(entry, samples)
    lines = str(error.value).removeprefix("contrast `question`: ").split("\n")
    assert re.fullmatch(pattern, lines[0]), lines[0]
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["cohort"], "this name is reserved for the figures and audit rows of the whole cohort"),
        (["ambient"], "this name is reserved for the file `expression/ambient.tsv.gz`"),
        (["Counts"], "this name is reserved for the file `abundance/counts.tsv`; rename"),
        (["a", "A"], "its name differs from `A` only in capitals; rename one, since both"),
    ],
)
def test_names_that_would_overwrite_files_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"contrast `{names[0]}`: {words}")):
        contrasts_from_config(dict.fromkeys(names, BASELINE), cohort())


def test_all_mistakes_of_all_contrasts_are_told_at_once() -> None:
    entries: dict[str, dict[str, Any]] = {
        "one": {**ARMS, "column": "respons", "adjust": ["prodct"]},
        "two": {**BASELINE, "choose": "D8"},
        "right": BASELINE,
    }
    with pytest.raises(ValueError, match="no column") as error:
        contrasts_from_config(entries, cohort())
    assert [line.split(":")[0] for line in str(error.value).split("\n")] == [
        "contrast `one`", "contrast `one`", "contrast `two`",
    ]  # fmt: skip


# samples, entry, the whole line but for the contrast's name (a pattern)
PATIENTS: dict[str, tuple[pd.DataFrame, dict[str, Any], str]] = {
    "several samples": (
        cohort(2), ARMS,
        r"patients N1, N2, R1, R2 have several samples that are not replicates: N1: N1_D0 \(D0\), "
        r"N1_D7 \(D7\); .*; narrow `where`, or set `choose` to first, last or a time point"),
    "replicates that differ": (
        cohort(age=number).replace({"patient": {"R2": "R1"}}), {**BASELINE, "adjust": ["age"]},
        r"patient R1 has several samples that are not replicates: R1: R1_D0 \(D0, 1\), R2_D0 "
        r"\(D0, 2\); .*"),
    "both arms": (
        cohort(dose=lambda t: t["timepoint"].map({"D0": "low", "D7": "high"})),
        {"kind": "between", "column": "dose", "test": "high", "reference": "low"},
        r"patients N1, .*, R4 have samples in both arms of `dose`; use `kind: paired`, or narrow "
        r"`where`"),
    "product with blood": (
        cohort(compartment=lambda t: np.where(t["patient"] == "R1", "product", "blood")), BASELINE,
        r"it mixes the compartments blood, product; infusion products are never compared with "
        r"blood, tumor or marrow: add `where: \{compartment: \.\.\.\}`"),
    "product with what nobody stated": (
        cohort(compartment=lambda t: np.where(t["patient"] == "R1", "product", "unstated")),
        BASELINE,
        r"it mixes the compartments product, unstated; infusion products are never compared with "
        r"blood, tumor or marrow: fill in the empty fields of `compartment`, or add `where: .*"),
    "product with blood in a pair": (
        cohort(compartment=lambda t: np.where(t["phase"] == "pre", "product", "blood")),
        {**PAIRED, "match": []}, r"it mixes the compartments blood, product; .*"),
    "a covariate that changes": (
        cohort(crp=lambda t: 1.0 * t["day"] + number(t)), {**CHANGE, "adjust": ["crp"]},
        r"`crp` differs between the samples of N1, .*, R4; a change can only be adjusted for "
        r"columns that are constant within patients: remove `crp` from `adjust`"),
    "a sort of which nothing is known": (
        cohort(sort="gate7"), {**BASELINE, "where": {"phase": "pre", "sort": "gate7"}},
        r"column `sort`: it is not known which cells `gate7` keeps; list them in the config, "
        r"e\.g\. `sorts: \{gate7: \[T\]\}`"),
    "a primary denominator that is gone": (
        cohort(sort="CD3+"), {**BASELINE, "where": {"phase": "pre", "sort": "CD3+"}},
        r"sorting \(CD3\+\) removed the monocytic cells, which are the denominator of the primary "
        r"result; set `primary.denominator` to cells that were kept, such as `all`, or set "
        r"`primary.contrast` to another contrast"),
}  # fmt: skip


def mistakes(entry: Any, samples: pd.DataFrame, *, sorts: Any = None, **primary: Any) -> Any:
    contrasts = contrasts_from_config({"question": entry} if entry else DEFAULT, samples)
    return contrast_mistakes(samples, contrasts, primary=PRIMARY | primary, sorts=sorts or {})


@pytest.mark.parametrize("name", PATIENTS)
def test_a_mistake_of_patients_is_returned_in_one_line_with_its_remedy(name: str) -> None:
    samples, entry, pattern = PATIENTS[name]
    found = mistakes(entry, samples)
    assert any(re.fullmatch(f"contrast `question`: {pattern}", line) for line in found), found
    assert not any("\n" in line for line in found)


def test_a_contrast_without_mistakes_has_none() -> None:
    for entry in (BASELINE, PAIRED, CHANGE, {**ARMS, "choose": "first"}):
        assert mistakes(entry, cohort()) == []


@pytest.mark.parametrize("label", ["NoSo", "unsorted", "not sorted", "PBMC", "live", "total MNC"])
def test_labels_that_keep_all_cells_count_as_no_sorting(label: Any) -> None:
    for samples in (cohort(sort=label), cohort(sort=lambda t: mixed(t, label))):
        contrasts = default_contrasts(samples, sorts={})
        assert [c.name for c in contrasts] == ["baseline", "on_treatment", "change"]
        for contrast in contrasts:
            units = Comparison(samples, make_contrast(**as_values(contrast))).units
            assert units["arm"].value_counts().to_dict() == {"test": 4, "reference": 4}


def mixed(table: pd.DataFrame, label: Any) -> Any:
    return np.where(table["phase"] == "pre", "none", label)


def test_the_config_says_which_sorts_keep_all_cells() -> None:
    samples = cohort(sort="gate7")
    assert default_contrasts(samples, sorts={}) == []
    assert default_contrasts(samples, sorts={"gate7": ["T"]}) == []
    sorts = {"gate7": "all"}
    (baseline, *_) = default_contrasts(samples, sorts=sorts)
    assert len(Comparison(samples, baseline).units) == 8
    (own,) = contrasts_from_config({"own": BASELINE}, samples, sorts=sorts)
    assert len(Comparison(samples, own).units) == 8


def test_libraries_of_two_labels_that_keep_all_cells_are_replicates() -> None:
    samples = with_twins(sort="unsorted")
    (contrast,) = contrasts_from_config({"own": BASELINE}, samples)
    assert Comparison(samples, contrast).units["samples"].str.len().tolist() == [2] * 8


NO_CONTRAST: dict[str, tuple[Any, str]] = {  # samples without a default contrast, and the reason
    "sorted": (cohort(sort="CD3+"), "all 16 samples are sorted libraries (`sort`: CD3+); name"),
    "no phase": (
        cohort(phase=NOTHING, timepoint="x"),
        "no time point (x) is before or after infusion; list them in `timepoints`",
    ),
    "no response": (
        cohort(response=NOTHING)[lambda t: t["phase"] == "pre"],
        "no patient has a response of either arm, and none has samples of both phases; fill in",
    ),
    "one arm": (
        cohort()[lambda t: t["response"] == "responder"],
        "(blood, pre: 4 responders and 0 non-responders; blood, post: 4 responders and 0 non",
    ),
    "arms in different phases": (
        cohort()[lambda t: (t["response"] == "responder") == (t["phase"] == "pre")],
        "(blood, pre: 4 responders and 0 non-responders; blood, post: 0 responders and 4 non",
    ),
}


@pytest.mark.parametrize("name", NO_CONTRAST)
def test_a_cohort_without_a_default_contrast_says_why(name: str) -> None:
    samples, reason = NO_CONTRAST[name]
    assert contrasts_from_config(DEFAULT, samples) == []
    text = reason_for_none(samples, sorts={})
    assert reason in text
    assert text.endswith("or write `contrasts: {}` to run without any comparison")


def test_a_misspelled_primary_contrast_is_refused_among_default_contrasts_too() -> None:
    (mistake,) = mistakes(None, cohort(), contrast="basline")
    assert "is `basline`, which is not a contrast (did you mean `baseline`?)" in mistake
    assert mistakes(None, cohort(), contrast="change") == []
    both = with_twins(compartment="marrow")
    assert mistakes(None, both, contrast="baseline") == []  # the default, which has two places
    assert mistakes(None, both, contrast="baseline_marrow") == []
    assert len(mistakes(None, both, contrast="baseline_bone")) == 1
    assert mistakes(None, cohort(response=NOTHING), contrast="basline") == []


def test_a_primary_contrast_has_to_be_one_unless_the_contrasts_are_the_default_ones() -> None:
    assert mistakes(BASELINE, cohort(), contrast="quest") == [
        "config: `primary.contrast` is `quest`, which is not a contrast (did you mean "
        "`question`?); contrasts: question"
    ]
    assert mistakes(None, cohort(response=NOTHING, response_label=NOTHING)) == []


def test_mistakes_of_the_config_and_of_every_contrast_are_told_together() -> None:
    samples = cohort(2)
    contrasts = contrasts_from_config({"one": ARMS, "two": ARMS}, samples)
    found = contrast_mistakes(samples, contrasts, primary=PRIMARY, sorts={"x": ["monocytes"]})
    assert [line.split(":")[0] for line in found] == [
        "config", "config", "contrast `one`", "contrast `two`",
    ]  # fmt: skip
    assert "`monocytes`, which is not a lineage" in found[0]


def test_long_whole_numbers_stay_apart_as_text() -> None:
    dates = pd.Series([20240115.0, 20240118.0, np.nan])
    assert as_text(dates).tolist()[:2] == ["20240115", "20240118"]
    assert as_text(dates).isna().tolist() == [False, False, True]


def test_the_config_allows_each_kind_and_no_other() -> None:
    """The schema lists the kinds, for editors and for the document of the config."""
    entry = read_schema("config")["properties"]["contrasts"]["additionalProperties"]
    assert entry["properties"]["kind"]["enum"] == list(KINDS)


@dataclass(frozen=True)
class Reversed(Between):
    """Patients against patients, with the arms exchanged."""

    kind = "reversed"

    def arm_and_side(self, named: pd.Series, table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        other = named.map({"test": "reference", "reference": "test"})
        return other, other

    def describe(self) -> str:
        return "The other way round."


def test_a_new_kind_is_a_class_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "reversed", Reversed)
    samples = cohort()
    contrasts = contrasts_from_config(
        {"base": BASELINE, "back": {**BASELINE, "kind": "reversed"}}, samples
    )
    base, back = (
        Comparison(samples, make_contrast(**as_values(contrast))) for contrast in contrasts
    )
    exchanged = base.units["arm"].map({"test": "reference", "reference": "test"})
    assert back.units["arm"].tolist() == exchanged.tolist()
    assert back.contrast.describe() == "The other way round."
    audit = audit_design(samples, [base, back], sorts={}, max_exact=99, n_draws=99)
    assert audit.groupby("contrast")["status"].first()[["base", "back"]].tolist() == ["ok", "ok"]
