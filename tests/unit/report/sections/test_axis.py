"""The section on LAMM cells and T cells: its sentences, tables and reasons."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.axis.pair_tests import COLUMNS
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.pairs import read_term
from lammscope.core.verdicts import VERDICTS
from lammscope.core.words import NOTHING
from lammscope.report.axis_levels import Levels
from lammscope.report.axis_rows import (
    fold_words,
    pair_words,
    read_rows,
    rows_in_order,
    term_words,
    told_rows,
)
from lammscope.report.figures.axis import AxisData
from lammscope.report.sections.axis import axis_section, count_line
from tests.unit.example_pairs import MYELOID, PRIMARY, UMI, axis_data
from tests.unit.example_results import BASELINE, CHANGE, CONTRASTS, PRE_TO_POST

NEVER = re.compile(
    r"interaction strength|\bdriv(es|en|ing)\b|communicat|crosstalk|cross-talk", re.I
)


def section_of(data: AxisData, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"levels": data.levels, "primary": data.primary} | changes
    return axis_section(arguments.pop("pairs", data.table), **arguments)


def all_words(section: dict[str, Any]) -> str:
    tables = [section[name] for name in ("table", "shown") if section[name]]
    cells = [cell.text for table in tables for row in table.rows for cell in row]
    heads = [text for t in tables for column in t.columns for text in (column.label, column.help)]
    return "\n".join([section["nothing"], section["counts"], *section["lines"], *cells, *heads])


@pytest.fixture(scope="module")
def baseline() -> AxisData:
    return axis_data(BASELINE)


def test_the_section_opens_with_the_pre_specified_pair_its_ratio_and_both_terms(
    baseline: AxisData,
) -> None:
    section = section_of(baseline)
    first, terms = section["lines"][:2]
    row, _ = told_rows(baseline.pairs, PRIMARY)
    assert row is not None
    ratio = 2 ** row["estimate"]
    assert 8 < ratio < 32  # both terms were planted fourfold
    assert first.startswith("PGE2, LAMM (macrophage-like) to CD8 (specified in advance): supported")
    assert f"is {ratio:.1f} (95 % CI" in first
    assert "co-expression that is compatible with signaling" in first
    assert "4 non-responder and 4 responder patients" in first
    assert f"(PTGS1 or PTGS2) and PTGES: {2 ** row['sender_estimate']:.2f} (95 % CI" in terms
    assert f"PTGER2 or PTGER4: {2 ** row['receiver_estimate']:.2f} (95 % CI" in terms
    assert "The supply, which also counts how many cells send" in terms
    assert section["lines"][-1].startswith("PGE2 itself is not measured")
    assert section["has_patients"]
    assert section["differs"]


def test_a_pair_without_a_synthase_is_not_testable_and_cyclooxygenases_stand_beside() -> None:
    section = section_of(axis_data(BASELINE, without=["PTGES"]))
    first, beside = section["lines"][:2]
    assert "not testable (no UMI of PTGES in LAMM (macrophage-like))" in first
    assert beside.startswith("Cyclooxygenase alone, LAMM (macrophage-like) to CD8: supported")
    assert beside.endswith("By itself this is no PGE2 signal.")
    assert section["has_patients"]


def test_the_same_reason_is_not_given_twice() -> None:
    section = section_of(axis_data(BASELINE, without=["PTGER2", "PTGER4"]))
    assert section["lines"][1] == "Cyclooxygenase alone: not testable for the same reason."
    assert not section["has_patients"]


def test_the_pair_is_secondary_in_other_contrasts() -> None:
    data = axis_data(BASELINE)
    table = data.table.assign(role=data.table["role"].replace("primary", "secondary"))
    assert "specified in advance" not in section_of(data, pairs=table)["lines"][0]


def test_only_one_term_that_differs_is_suggestive_and_the_doubt_names_the_other(
    baseline: AxisData,
) -> None:
    table = section_of(baseline)["table"]
    keys = [column.key for column in table.columns]
    rows = [
        {key: f"{cell.text} {cell.note}".strip() for key, cell in zip(keys, row, strict=True)}
        for row in table.rows
    ]
    (row,) = [r for r in rows if r["pair"] == f"PDL1{NOTHING}PD1" and r["sender"].startswith("LAMM")
              and r["receiver"] == "CD8"]  # fmt: skip
    assert row["verdict"].startswith("suggestive")
    assert "receiver's term does not differ by itself" in row["verdict"]
    effects = [f"{name}_effect" for name in ("sender", "receiver", "supply", "specificity")]
    assert set(effects) <= {column.key for column in table.columns if column.more}
    assert keys[:2] == ["pair", "verdict"]
    assert rows[0]["pair"] == "PGE2 specified in advance"
    place = [column.key for column in table.columns].index("verdict")
    order = [VERDICTS.index(row[place].group) for row in table.rows[1:]]
    assert order == sorted(order)


def test_ratios_in_the_table_are_folds_of_log2_estimates() -> None:
    row = {"estimate": 1.0, "ci_low": 0.0, "ci_high": 2.0, "specificity": np.nan}
    assert fold_words(row) == "2.00 (1.00 to 4.00)"
    assert fold_words(row, "specificity") == ""


def test_rows_that_were_not_tested_are_counted_by_reason() -> None:
    data = axis_data(BASELINE, without=["PTGES", "PDCD1"])
    line = count_line(data.pairs)
    asked = data.pairs[data.pairs["status"] != "shown"]
    tested = int(asked["p"].notna().sum())
    assert line.startswith(f"{tested} of {len(asked)} combinations of pair, sender and receiver")
    assert f"no UMI of a gene: {(asked['status'] == 'no_counts').sum()}" in line
    assert "shown" not in line
    numbers = [int(n) for n in re.findall(r": (\d+)", line.partition("Not tested")[2])]
    assert sum(numbers) == len(asked) - tested


def test_genes_that_are_shown_have_levels_in_the_pre_specified_cells(baseline: AxisData) -> None:
    shown = section_of(baseline)["shown"]
    labels = [column.label for column in shown.columns]
    assert labels[2:4] == ["responder, UMIs per 10,000", "responder, patients with a UMI"]
    rows = {row[0].text: row for row in shown.rows}
    assert set(rows) == {"PTGES3", "PTGER2 or PTGER4"}
    assert float(rows["PTGES3"][2].text) == pytest.approx(90 / UMI * 1e4, rel=0.2)
    assert rows["PTGES3"][3].text == "100.0 %"


@pytest.mark.parametrize("contrast", CONTRASTS.values(), ids=lambda contrast: contrast.name)
def test_words_that_claim_an_effect_never_appear(contrast: Contrast) -> None:
    words = all_words(section_of(axis_data(contrast)))
    assert "compatible with signaling" in words
    assert not NEVER.search(words)
    assert "nan" not in words


def test_a_change_is_a_ratio_of_ratios_and_pairs_are_counted() -> None:
    change = section_of(axis_data(CHANGE))
    assert "The ratio of expression ratios" in change["lines"][0]
    labels = [column.label for column in change["shown"].columns]
    assert sum(label.endswith("UMIs per 10,000") for label in labels) == 4
    pairs = section_of(axis_data(PRE_TO_POST))
    assert "pairs of post and pre samples" in pairs["lines"][0]


def test_an_empty_table_and_one_without_tests_say_why(baseline: AxisData) -> None:
    empty = section_of(baseline, pairs=pd.DataFrame(columns=COLUMNS))
    assert empty["nothing"].startswith("No ligand-receptor pairs are named")
    assert empty["table"] is None
    assert empty["shown"] is None
    assert empty["lines"] == []
    few = section_of(axis_data(BASELINE, n_patients=2))
    assert few["nothing"].startswith("No ligand-receptor pair could be tested in this contrast")
    assert few["nothing"].endswith("Most often: too few patients with enough of both cells.")
    assert "fewer than 3 patients in each arm have 10 LAMM (macrophage-like)" in few["lines"][0]
    assert few["counts"].startswith("0 of 16")


def test_nothing_that_differs_is_said_and_no_absence_is_claimed() -> None:
    section = section_of(axis_data(BASELINE, higher=1.0))
    assert section["nothing"].startswith("None of the tested pairs is supported or suggestive")
    assert not section["differs"]
    assert section["table"] is not None


def test_without_a_pre_specified_pair_the_section_has_its_table_alone(baseline: AxisData) -> None:
    section = section_of(baseline, primary=None)
    assert section["lines"] == []
    assert section["table"] is not None
    assert section["shown"] is None


def test_tables_read_from_files_have_empty_text_for_missing_words(baseline: AxisData) -> None:
    gaps = baseline.table.replace("", np.nan)
    assert section_of(baseline, pairs=gaps)["lines"] == section_of(baseline)["lines"]
    assert (read_rows(gaps)["doubts"] == read_rows(baseline.table)["doubts"]).all()


def test_tested_rows_start_with_the_pre_specified_one_whatever_its_p(baseline: AxisData) -> None:
    table = baseline.pairs
    table = table.assign(p=table["p"].where(table["role"] != "primary", 0.9))
    assert rows_in_order(table).iloc[0]["role"] == "primary"


def test_levels_are_those_of_the_weakest_part(baseline: AxisData) -> None:
    levels = baseline.levels
    assert [slot.label for slot in levels.slots] == ["responder", "non-responder"]
    both = levels.of_term(read_term("PTGS1|PTGS2+PTGES"), MYELOID[0])
    one = levels.of_term(read_term("PTGES"), MYELOID[0])
    assert both[0].rate == pytest.approx(one[0].rate, rel=0.1)  # 30 of PTGES, 60 of both others
    assert one[1].rate / one[0].rate == pytest.approx(4, rel=0.3)
    assert (both[0].n, both[0].share) == (4, 1.0)
    nothing = levels.of_term(read_term("PTGES"), "CD8")
    assert (nothing[0].rate, nothing[0].share) == (0, 0)


def test_levels_leave_out_patients_with_too_few_cells(baseline: AxisData) -> None:
    own = baseline.levels
    few = Levels(own.comparison, own.libraries, own.terms, min_cells=61)
    assert [level.n for level in few.of_term(read_term("PTGES"), MYELOID[0])] == [0, 0]
    assert np.isnan(few.of_term(read_term("ABSENT"), MYELOID[0])[0].rate)
    assert np.isnan(few.of_term(read_term("PTGES"), "no such cells")[0].rate)


def test_names_of_pairs_and_terms_are_readable() -> None:
    assert pair_words("CCL3_CCL4_CCR5") == NOTHING.join(["CCL3", "CCL4", "CCR5"])
    assert pair_words("SPP1_integrin") == "SPP1 integrin"
    assert term_words("PTGS1|PTGS2+PTGES") == "(PTGS1 or PTGS2) and PTGES"
    assert term_words("PTGER2|PTGER4") == "PTGER2 or PTGER4"
