"""Tables of the report: what is read first, numbers for people, and text from data as text."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lammscope.core.verdicts import SUGGESTIVE, VERDICTS
from lammscope.report.rendering import TEMPLATES, render_page
from lammscope.report.sections.axis import pair_table
from lammscope.report.sections.lines import gene_set_table, lamm_table
from lammscope.report.sections.quality import quality_table
from lammscope.report.sections.survival import survival_section
from lammscope.report.table import (
    Column,
    Table,
    abundance_rows,
    build_table,
    gene_rows,
    without_doubles,
)
from lammscope.report.table_cells import (
    beside,
    counted_share,
    effect_cells,
    size_cells,
    verdict_cells,
)
from tests.unit.example_pairs import axis_data
from tests.unit.example_results import (
    BASELINE,
    CONTRASTS,
    abundance_table,
    example,
    expression_table,
    gene_set_rows,
    judged,
    verdict_table,
)
from tests.unit.outcome.cohorts import analyze, followed

LEVEL = "macrophage_like"
HOSTILE = '<script>alert("x")</script>\'\t&\nP'
MACRO = '{% from "macros.html.jinja" import data_table %}{{ data_table(table, label) }}'


class Cells(HTMLParser):
    """Parser of the tables of a page: the text and the attributes of each cell, by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[dict[str, str], str]]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append((values, ""))
            self.inside = True

    def handle_data(self, data: str) -> None:
        if self.inside:
            attributes, text = self.rows[-1][-1]
            self.rows[-1][-1] = (attributes, text + data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.inside = False

    def texts(self) -> list[list[str]]:
        """Return the text of all cells by row, the headings first."""
        return [[text for _, text in row] for row in self.rows]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Cells]:
    """Write a table as the report does, and read it."""
    folder = tmp_path / "template"
    shutil.copytree(TEMPLATES, folder)
    (folder / "alone.html.jinja").write_text(MACRO, encoding="utf-8")

    def write(table: Table | None, label: str = "Abundance, baseline") -> Cells:
        return Cells(render_page("alone", folder=folder, table=table, label=label))

    return write


def tables() -> dict[str, Table | None]:
    """Return the tables that have a verdict."""
    cohort = example()
    abundance = abundance_table(cohort.counts)
    pairs = axis_data(BASELINE).table
    found = analyze(followed(8), n_draws=50)
    survival = survival_section(found.tests, found.excluded)
    assert survival is not None
    return {
        "abundance": abundance_rows(abundance, contrast=BASELINE, level=LEVEL),
        "lamm": lamm_table(judged(dict.fromkeys(CONTRASTS, abundance))[1], level=LEVEL),
        "genes": gene_rows(expression_table(), contrast=BASELINE, n_genes=10, file="genes.tsv.gz"),
        "gene_sets": gene_set_table(gene_set_rows(10), contrast=BASELINE),
        "pairs": pair_table(pairs[pairs["p"].notna()], contrast=BASELINE),
        "survival": survival["table"],
        "quality": quality_table(cohort.qc_summary, verdict_table(cohort.qc_summary)),
    }


def test_the_verdict_is_second_and_p_is_shown_without_asking(
    written: Callable[..., Cells],
) -> None:
    for name, table in tables().items():
        heads, *rows = written(table).rows
        labels = [text for _, text in heads]
        assert labels[1] == "Verdict"
        assert rows[0][0][0]["role"] == "rowheader"
        asked = {text for values, text in heads if "more" in values["class"].split()}
        shown = set(labels) - asked
        corrected = {
            "abundance": "FDR or Holm's p", "lamm": "p, Holm", "survival": "p, Holm", "quality": "",
        }.get(name, "FDR")  # fmt: skip
        if name != "quality":
            assert {"p", corrected} <= shown
        if name not in ("quality", "survival"):
            assert "p, permutation" in shown
        assert len(shown) <= 10
        places = [i for i, (_, text) in enumerate(heads) if text in asked]
        for row in rows:
            more = [
                i for i, (values, _) in enumerate(row) if "more" in values.get("class", "").split()
            ]
            assert more == places


def test_what_keeps_a_verdict_from_better_stands_below_it(written: Callable[..., Cells]) -> None:
    words = [
        "suggestive: lower in non_responder; p 0.2 without P01",
        "inconclusive; 1 to 2",
        np.nan,
    ]
    cells = verdict_cells(words, ["p 0.2 without P01", np.nan, np.nan], [np.nan, "but x", np.nan])
    assert [(cell.text, cell.note, cell.group) for cell in cells] == [
        ("suggestive: lower in non-responder", "p 0.2 without P01", SUGGESTIVE),
        ("inconclusive", "but x", "inconclusive"),
        ("\N{EN DASH}", "", ""),
    ]
    table = build_table(pd.DataFrame({"name": "a", "v": cells}), [Column("name", "Name"),
                        Column("v", "Verdict", "words")])  # fmt: skip
    assert ("small", {}) in written(table).tags
    order = verdict_cells(
        ["not testable: no", "supported: higher", "inconclusive", "suggestive: x"]
    )
    ranked = [cell.group for cell in sorted(order, key=lambda cell: cell.sort)]
    assert ranked == list(VERDICTS)


def test_rows_of_the_configured_level_that_repeat_lamm_are_left_out_with_a_note() -> None:
    rows = abundance_table(example().counts)
    lamm = rows[rows["population"] == "LAMM"]
    repeated = lamm.assign(population=f"LAMM_{LEVEL}")
    other = lamm.assign(population="LAMM_positive")
    table = pd.concat([rows[~rows["population"].str.startswith("LAMM_")], repeated, other])
    kept, note = without_doubles(table.reset_index(drop=True), level=LEVEL)
    assert note == "LAMM means the macrophage-like level here, so its rows are not given twice."
    assert not kept["population"].eq(f"LAMM_{LEVEL}").any()
    assert kept["population"].eq("LAMM_positive").sum() == len(lamm)
    changed = table.assign(p=table["p"].where(table["population"] != f"LAMM_{LEVEL}", 0.5))
    again, nothing = without_doubles(changed.reset_index(drop=True), level=LEVEL)
    tested = repeated["p"].notna().sum()
    assert again["population"].eq(f"LAMM_{LEVEL}").sum() == tested
    assert bool(nothing) == (tested < len(repeated))


def test_numbers_that_belong_together_are_in_one_cell() -> None:
    rows = pd.DataFrame({"estimate": [np.log(2), np.nan], "ci_low": [0.0, np.nan],
                         "ci_high": [np.log(4.0), np.nan]})  # fmt: skip
    ratio, missing = effect_cells(rows, kind="ratio")
    assert (ratio.text, ratio.sort) == ("2.00 (1.00 to 4.00)", "2")
    assert (missing.text, missing.sort) == ("\N{EN DASH}", "")
    means = beside(pd.Series([0.1084, np.nan]), pd.Series([0.0782, np.nan]), kind="fraction")
    assert [cell.text for cell in means] == ["10.8 / 7.8 %", "\N{EN DASH}"]
    (share,) = counted_share(pd.Series([1204]), pd.Series([0.123]))
    assert (share.text, share.sort) == ("1,204 (12.3 %)", "0.123")
    assert [cell.sort for cell in size_cells(["4 / 12", "10 pairs"])] == ["4", "10"]


def test_empty_columns_are_left_out_and_equal_ones_become_a_line() -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "p": [np.nan, np.nan], "n": "4 / 4", "m": [1, 2]})
    columns = [Column("name", "Name"), Column("p", "p", "p"),
               Column("n", "n", "text", "patients", constant=True),
               Column("m", "m", "count", constant=True)]  # fmt: skip
    table = build_table(frame, columns)
    assert [column.key for column in table.columns] == ["name", "m"]
    assert table.caption == "n (patients): 4 / 4 in all rows."
    assert [column.key for column in build_table(frame[:1], columns).columns] == ["name", "n", "m"]


def test_long_tables_have_filters_by_choice_and_are_folded(written: Callable[..., Cells]) -> None:
    n = 60
    frame = pd.DataFrame({"name": [f"g{i}" for i in range(n)],
                          "cell_type": np.where(np.arange(n) < 20, "CD4_T", "B")})  # fmt: skip
    columns = [Column("name", "Gene"), Column("cell_type", "Population", "name", choice=True)]
    page = written(build_table(frame, columns, file="expression/baseline.tsv.gz"))
    options = [values["value"] for tag, values in page.tags if tag == "option"]
    assert options == ["", "B", "CD4 T"]
    actions = [values["data-action"] for _, values in page.tags if "data-action" in values]
    assert actions == ["all", "copy", "download"]
    assert ("a", "expression/baseline.tsv.gz") in [
        (tag, values.get("href")) for tag, values in page.tags
    ]
    short = written(build_table(frame[:8], columns))
    assert not [tag for tag, _ in short.tags if tag in ("input", "select")]
    assert len(short.rows) == 9


def test_text_from_data_stays_text_in_cells_attributes_and_filters(
    written: Callable[..., Cells],
) -> None:
    n = 30
    verdicts = verdict_cells([f"suggestive: {HOSTILE}"] * n, [HOSTILE] * n)
    frame = pd.DataFrame({"name": HOSTILE, "kind": [HOSTILE, "B"] * (n // 2), "v": verdicts})
    columns = [Column("name", HOSTILE, help=HOSTILE), Column("v", "Verdict", "words", choice=True),
               Column("kind", "Kind", "name", choice=True)]  # fmt: skip
    page = written(build_table(frame, columns, caption=HOSTILE), label=f"Abundance, {HOSTILE}")
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.texts()[0][0] == HOSTILE
    assert page.texts()[1][0] == HOSTILE
    assert page.texts()[1][1] == f"suggestive: {HOSTILE}{HOSTILE}"
    (head,) = [values for _, values in page.tags if values.get("title") == HOSTILE]
    assert head["scope"] == "col"
    assert HOSTILE in [values["value"] for tag, values in page.tags if tag == "option"]
    box = [values for _, values in page.tags if values.get("class") == "scroll"]
    assert [values["aria-label"] for values in box] == [f"Abundance, {HOSTILE}"]


@pytest.mark.parametrize(
    ("shown", "saved"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("\N{MINUS SIGN}1.50", "-1.50"),
        ("+1.24 (+0.63 to +1.85)", "1.24 (+0.63 to +1.85)"),
        ("12,345", "12345"),
        ("1,204 (12.3 %)", "1,204 (12.3 %)"),
        ("< 0.0001", "< 0.0001"),
        ("4 / 4", "4 | 4"),
        ("\N{EN DASH}", ""),
        ("P\t1\n2", "P 1 2"),
    ],
)
def test_a_saved_table_has_no_formulas_and_numbers_that_programs_read(
    shown: str, saved: str
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node to run the report's script")
    source = (TEMPLATES / "scripts" / "tables.js").read_text(encoding="utf-8")
    (function,) = re.findall(r"  function plainValue\(.*?\n  }\n", source, flags=re.S)
    program = f"{function}; process.stdout.write(plainValue({json.dumps(shown)}))"
    found = subprocess.run([node, "-e", program], capture_output=True, text=True, check=True)
    assert found.stdout == saved
