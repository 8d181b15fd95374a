"""The first card of the report: its fields are there, and equal the tables."""

import re
from collections import defaultdict
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from lammscope.abundance.primary import primary_row
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.core.names import DROP
from lammscope.core.verdicts import NOT_TESTABLE, VERDICTS
from lammscope.report.figures.contrast import ContrastData
from lammscope.report.figures.fractions import MOST_NAMES, lamm_primary
from lammscope.report.figures.style import save_figure
from lammscope.report.point_names import read_points
from lammscope.report.sections.card import (
    LONGEST,
    adjustment_line,
    failed_line,
    primary_caveats,
)
from tests.unit.abundance.questions import judge, run_abundance
from tests.unit.example_results import (
    Example,
    audit_table,
    calibration_table,
    contrast_data,
    gather,
    losses_table,
    verdict_table,
)
from tests.unit.report.sections.test_primary import SETTINGS
from tests.unit.report.test_page import CONFIG, Page, words_of

NAME = "baseline"
ARMS = {"test": "non_responder", "reference": "responder"}
BETWEEN = {"kind": "between", **ARMS, "where": {"phase": "pre"}}
PAIRED = {"kind": "paired", "test": "post", "reference": "pre"}
CHANGE = {"kind": "change", **ARMS}
TREND = {"kind": "trend", "column": "ldh", "where": {"phase": "pre"}}
CARD_CONFIG = {**CONFIG, "primary": {"contrast": NAME, "denominator": "immune"}}
KINDS = [BETWEEN, PAIRED, CHANGE, TREND]
SETTINGS = {**SETTINGS, "exclude_pre_post": ["B", "CAR_T"]}
TESTED = {"effect", "interval", "p", "p-permutation", "influence"}
LONG = "x" * 60  # the longest name


class Fields(HTMLParser):
    """Parser that collects the text of elements with `data-field`, by field."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = defaultdict(list)
        self.open: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in Page.VOID:
            return
        field = dict(attrs).get("data-field")
        self.open.append(field)
        if field:
            self.found[field].append("")

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for field in filter(None, self.open):
            self.found[field][-1] += data

    def __getitem__(self, field: str) -> str:
        (text,) = self.found[field]
        return text.replace("\N{NO-BREAK SPACE}", " ")

    @property
    def caveats(self) -> list[str]:
        return [text.replace("\N{NO-BREAK SPACE}", " ") for text in self.found["caveat"]]


def assert_rounded(text: str, value: float) -> None:
    """Compare a written number with a value, within half a unit of the last digit."""
    if text.startswith("< "):
        assert value < float(text.removeprefix("< "))
        return
    digits = text.replace(",", "").replace("\N{MINUS SIGN}", "-")
    unit = 10.0 ** -len(digits.partition(".")[2])
    assert abs(float(digits) - value) <= 0.5 * unit + 1e-9


def numbers_in(text: str) -> list[str]:
    return re.findall(r"\d[\d,]*\.?\d*", text)


def asked(entry: dict[str, Any], samples: pd.DataFrame) -> Contrast:
    (contrast,) = contrasts_from_config({NAME: entry}, samples)
    return contrast


@pytest.fixture(scope="module")
def samples(cohort: Example) -> pd.DataFrame:
    patients = sorted(set(cohort.samples["patient"]))
    ldh = dict(zip(patients, np.linspace(150, 480, len(patients)), strict=True))
    return cohort.samples.assign(ldh=cohort.samples["patient"].map(ldh))


@pytest.fixture
def write_card(
    make_report: Callable[..., str], cohort: Example, samples: pd.DataFrame
) -> Callable[..., tuple[Fields, dict[str, Any], str]]:
    """Test one contrast, and return the fields of the page, the primary row and the page."""

    def write(entry: dict[str, Any], **changes: Any) -> tuple[Fields, dict[str, Any], str]:
        used = changes.get("samples", samples)
        contrast = asked(entry, used)
        table = run_abundance(cohort.counts, used, contrast, **SETTINGS)
        table = judge(table, contrast, denominator="immune")
        arguments = {
            "samples": used,
            "contrasts": {NAME: contrast},
            "abundance": {NAME: table},
            "config": CARD_CONFIG,
        }
        text = make_report(**{**arguments, **changes})
        return Fields(text), primary_row(table, denominator="immune"), text

    return write


@pytest.mark.parametrize("entry", KINDS, ids=lambda entry: entry["kind"])
def test_the_numbers_of_the_card_are_those_of_the_table(
    write_card: Callable[..., Any], entry: dict[str, Any]
) -> None:
    fields, row, text = write_card(entry)
    assert {"question", "adjustment", "caveat", "failed-samples"} <= set(fields.found)
    assert row["status"] == "ok"
    assert fields["verdict"] == row["verdict"]
    assert fields["verdict"] in VERDICTS
    sides = ["test"] if entry is TREND else ["reference", "test"]
    for side in sides:
        assert int(fields[f"n-{side}"]) == row[f"n_{side}"]
    assert_rounded(fields["effect"], np.exp(row["estimate"]))
    for end, number in zip(("low", "high"), fields["interval"].split(" to "), strict=True):
        assert_rounded(number, np.exp(row[f"ci_{end}"]))
    assert_rounded(fields["p"], row["p"])
    assert_rounded(fields["p-permutation"], row["p_permutation"])
    influence = fields["influence"]
    assert influence.endswith(f"without {row['influence_patient']}")
    low, high, p_max = numbers_in(influence)[:3]
    assert_rounded(low, np.exp(row["influence_low"]))
    assert_rounded(high, np.exp(row["influence_high"]))
    assert_rounded(p_max, row["influence_p_max"])
    means = re.findall(r"<dd>([^<]+)<small>mean", text)[:2]
    for side, mean in zip(("reference", "test"), means, strict=True):
        assert_rounded(mean.removesuffix(" %").replace("+", ""), 100 * row[f"mean_{side}"])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (BETWEEN, "immune cells differ between non-responders and responders, before infusion?"),
        (PAIRED, "between the post and the pre samples of the same patient?"),
        (CHANGE, "change differently, from before to after infusion, in non-responders and in"),
        (TREND, "among immune cells rise or fall with LDH, before infusion?"),
        ({**PAIRED, "where": {"product": "axi-cel"}}, "patient, in samples with product axi-cel?"),
    ],
)
def test_the_question_says_who_is_compared_when_and_in_what(
    samples: pd.DataFrame, entry: dict[str, Any], words: str
) -> None:
    question = asked(entry, samples).asks("immune cells")
    assert question.startswith("Does the fraction of LAMM cells among immune cells ")
    assert words in question


def test_the_card_says_what_the_comparison_is_adjusted_for(samples: pd.DataFrame) -> None:
    assert adjustment_line(asked(BETWEEN, samples)).startswith("Unadjusted")
    adjusted = asked({**BETWEEN, "adjust": ["product"]}, samples)
    assert adjustment_line(adjusted) == "Adjusted for product."
    assert "own samples" in adjustment_line(asked(PAIRED, samples))


def test_caveats_are_on_the_page_before_the_numbers_and_not_twice(
    write_card: Callable[..., Any],
) -> None:
    long = f"Compared are {LONG}" + ", and others" * 30 + "."
    rows = [
        ["baseline", "verdict", "x", "survivorship", "At M6 nearly all are responders."],
        ["baseline", "rows", "x", "warning", long],
        ["baseline", "rows", "x", "warning", f"One sentence. {long}"],
        ["pre_to_post", "verdict", "x", "aliased", "The other comparison is aliased."],
    ]
    audit = pd.DataFrame(rows, columns=audit_table().columns)
    fields, _, text = write_card(BETWEEN, audit=audit)
    first, second, third = fields.caveats
    assert first == rows[0][4]
    assert second.startswith(f"Compared are {LONG}")
    assert len(second) <= LONGEST
    assert third == "One sentence. …"
    top = text.partition('<h2 id="cohort"')[0]
    order = ["verdict", "caveat", "failed-samples", "n-reference", "effect"]
    places = [top.index(f'data-field="{field}"') for field in order]
    assert places == sorted(places)
    below = top.partition('id="warnings"')[2]
    assert [rows[0][4] in below, long in below, rows[3][4] in below] == [False, True, True]


@pytest.fixture
def caveats_of(run_tables: dict[str, Any]) -> Callable[..., list[str]]:
    def caveats(**changes: Any) -> list[str]:
        results = gather(run_tables | changes)
        own = results.of_contrast[NAME]
        rows = primary_caveats(results, own, denominator="monocytic")
        return [row["message"] for row in rows]

    return caveats


def test_the_most_serious_caveat_comes_first(caveats_of: Callable[..., list[str]]) -> None:
    rows = [
        ["cohort", "no_response", "1", "confounded", "Two patients have no label."],
        ["baseline", "rows", "x", "warning", "A mere warning."],
        ["baseline", "verdict", "x", "survivorship", "At M6 nearly all are responders."],
        ["pre_to_post", "verdict", "x", "aliased", "The other comparison is aliased."],
    ]
    audit = pd.DataFrame(rows, columns=audit_table().columns)
    calibration = calibration_table(share=0.12, status="warning")
    calibration["test"] = "LAMM cells as a fraction of immune cells"
    found = caveats_of(audit=audit, calibration=calibration)
    assert found == [rows[2][4], calibration["message"][0], rows[1][4], rows[0][4]]


def test_what_concerns_genes_is_a_caveat_only_without_others(
    caveats_of: Callable[..., list[str]],
) -> None:
    lost, _ = losses_table()["message"]
    fine = audit_table().query("status == 'ok'")
    assert lost not in caveats_of()
    assert caveats_of(audit=fine) == [lost]
    assert caveats_of(audit=fine, losses=losses_table().iloc[:0]) == []


def test_patients_left_out_for_want_of_cells_are_a_caveat(
    caveats_of: Callable[..., list[str]], run_tables: dict[str, Any]
) -> None:
    notes = "under 20 cells of the denominator: P02 (non_responder)"
    abundance = {name: table.assign(notes=notes) for name, table in run_tables["abundance"].items()}
    assert f"Left out of the primary test: {notes}." in caveats_of(abundance=abundance)


def test_samples_that_fail_are_named_with_what_happened_to_them(
    run_tables: dict[str, Any],
) -> None:
    def line(*names: str, on_failed: str = "keep") -> str:
        verdicts = run_tables["qc_verdicts"]
        failed = np.where(verdicts["sample"].isin(names), "failed", "passed")
        results = gather(run_tables | {"qc_verdicts": verdicts.assign(verdict=failed)})
        return failed_line(results, results.of_contrast[NAME], on_failed=on_failed)

    every = list(run_tables["qc_verdicts"]["sample"])
    assert line() == "All 16 samples pass quality control."
    both = line("P01_d7", "P02_baseline")
    assert both.startswith("2 of 16 samples fail quality control: P02_baseline, P01_d7.")
    assert both.endswith("are part of all results; in this comparison, those of P02_baseline.")
    assert line("P01_d7").endswith("none is in this comparison.")
    assert line("P02_baseline").endswith("this comparison included.")
    assert line("P02_baseline", on_failed=DROP).endswith("are left out of all results.")
    assert "and 8 more" in line(*every)


def test_a_comparison_that_was_not_tested_says_why_and_what_it_needs(
    write_card: Callable[..., Any], samples: pd.DataFrame
) -> None:
    two = samples[samples["patient"].isin(["P01", "P02", "P03", "P04"])]
    fields, row, text = write_card(BETWEEN, samples=two.reset_index(drop=True))
    assert fields["verdict"] == row["verdict"] == NOT_TESTABLE
    assert [fields["n-reference"], fields["n-test"]] == ["2", "2"]
    assert not TESTED & set(fields.found)
    words = words_of(text)
    assert "Fewer than 3 patients in an arm" in words
    assert "Needed for a test: at least 3 patients in each arm." in words
    assert "With 4 patients in each arm, a difference can be supported." in words


def test_a_cohort_without_the_primary_contrast_says_so_and_names_failed_samples(
    make_report: Callable[..., str], cohort: Example
) -> None:
    failed = verdict_table(cohort.qc_summary)
    failed.loc[0, ["verdict", "message"]] = "failed", "few cells"
    config = {**CONFIG, "primary": {"contrast": "absent", "denominator": "immune"}}
    for changes in ({}, {"contrasts": {}, "audit": audit_table().iloc[:0]}):
        text = make_report(config=config, qc_verdicts=failed, primary_sentence="None.", **changes)
        fields = Fields(text)
        assert not {"question", "verdict", *TESTED} & set(fields.found)
        assert failed["sample"][0] in fields["failed-samples"]
        assert '<p class="nothing">None.</p>' in text


def test_one_sample_makes_a_card(make_report: Callable[..., str], cohort: Example) -> None:
    one = cohort.samples.iloc[:1]
    verdicts = verdict_table(cohort.qc_summary).iloc[:1]
    text = make_report(
        samples=one, qc_verdicts=verdicts, contrasts={}, audit=audit_table().iloc[:0]
    )
    assert Fields(text)["failed-samples"] == "The only sample passes quality control."


def test_names_cannot_break_the_card(
    write_card: Callable[..., Any], cohort: Example, samples: pd.DataFrame
) -> None:
    hostile = "<script>alert(1)</script>"
    verdicts = verdict_table(cohort.qc_summary).assign(verdict="failed", message=hostile)
    verdicts["sample"] = [f"{hostile}{LONG}", *verdicts["sample"][1:]]
    named = samples.assign(patient=samples["patient"].replace("P01", hostile))
    fields, _, text = write_card({**BETWEEN, "adjust": []}, samples=named, qc_verdicts=verdicts)
    assert hostile not in text
    assert hostile in fields["failed-samples"]


# --- the picture ----------------------------------------------------------------------------------


def data_of(cohort: Example, samples: pd.DataFrame, entry: dict[str, Any]) -> ContrastData:
    comparison = Comparison(samples, asked(entry, samples))
    changes: dict[str, Any] = {"denominator": "immune"}
    changes["exclude_pre_post"] = SETTINGS["exclude_pre_post"]
    return contrast_data(cohort, comparison=comparison, **changes)


def texts(figure: Figure) -> list[str]:
    """Return the texts of the only panel, from left to right."""
    (axis,) = figure.axes
    marks = [text for text in axis.texts if isinstance(text, Annotation)]
    return [mark.get_text() for mark in sorted(marks, key=lambda mark: mark.xy[0])]


@pytest.mark.parametrize("entry", [BETWEEN, PAIRED], ids=["between", "paired"])
def test_the_picture_shows_the_means_of_the_table(
    cohort: Example, samples: pd.DataFrame, entry: dict[str, Any]
) -> None:
    table = run_abundance(cohort.counts, samples, asked(entry, samples), **SETTINGS)
    row = primary_row(table, denominator="immune")
    figure = lamm_primary(data_of(cohort, samples, entry))
    shown = [text.removesuffix(" %") for text in texts(figure) if text.endswith(" %")]
    for side, mean in zip(("reference", "test"), shown, strict=True):
        assert_rounded(mean, 100 * row[f"mean_{side}"])


def test_the_picture_of_a_change_has_means_whose_differences_are_in_the_table(
    cohort: Example, samples: pd.DataFrame
) -> None:
    table = run_abundance(cohort.counts, samples, asked(CHANGE, samples), **SETTINGS)
    row = primary_row(table, denominator="immune")
    figure = lamm_primary(data_of(cohort, samples, CHANGE))
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == pytest.approx(1.8)]
    ends = sorted(
        np.asarray(line.get_path().vertices)[0].tolist() for line in bars
    )  # left to right
    pre, post, pre_test, post_test = (y for _, y in ends)
    assert post - pre == pytest.approx(100 * row["mean_reference"])
    assert post_test - pre_test == pytest.approx(100 * row["mean_test"])


def test_the_picture_shows_only_what_is_compared_and_names_its_points(
    cohort: Example, samples: pd.DataFrame, tmp_path: Any
) -> None:
    figure = lamm_primary(data_of(cohort, samples, BETWEEN))
    (axis,) = figure.axes
    groups = [label.get_text() for label in axis.get_xticklabels()]
    assert groups == ["responder\npre", "non-responder\npre"]
    patients = sorted(set(samples["patient"]))
    assert sorted(text for text in texts(figure) if text.startswith("P")) == patients
    png, _ = save_figure(figure, tmp_path / "card", dpi=40)
    names = [name for _, _, name in read_points(png)]
    assert len(names) == len(patients)
    counts = cohort.counts[cohort.counts["sample"] == "P01_baseline"]
    n = counts.loc[counts["population"] == "LAMM_macrophage_like", "n_cells"].sum()
    assert any(re.match(rf"P01 \(P01_baseline\): .* %, {n} of \d+ immune cells", x) for x in names)


def test_many_patients_are_named_on_hover_only(cohort: Example, samples: pd.DataFrame) -> None:
    parts = []
    for i in range(MOST_NAMES + 1):
        for arm in ("CR", "PD"):
            row = samples[(samples["response_label"] == arm) & (samples["phase"] == "pre")].iloc[:1]
            parts.append(row.assign(patient=f"Q{i}{arm}"))
    many = pd.concat(parts, ignore_index=True)
    many["source"], many["sample"] = many["sample"], [f"S{i}" for i in range(len(many))]
    counts = many[["sample", "source"]].merge(
        cohort.counts.rename(columns={"sample": "source"}), on="source"
    )
    own = contrast_data(
        cohort,
        comparison=Comparison(many, asked(BETWEEN, many)),
        counts=counts.drop(columns="source"),
    )
    assert not [text for text in texts(lamm_primary(own)) if text.startswith("Q")]
