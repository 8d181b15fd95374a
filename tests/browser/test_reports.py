"""Reports of unusual cohorts in a browser. Those of whole runs are opened in tests/workflow."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lammscope.combine import main
from tests.browser.pages import check_report, open_browser
from tests.unit.example_results import (
    CONTRASTS,
    Example,
    abundance_table,
    example,
    expression_table,
    gene_set_rows,
)
from tests.unit.report import test_page
from tests.unit.test_combine import write_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert('x')</script>" + 33 * "W"  # 60 characters without a space


@pytest.fixture(scope="module")
def cohort(request: pytest.FixtureRequest) -> Example:
    return example(**getattr(request, "param", {}))


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with open_browser() as opened:
        yield opened


def test_a_cohort_without_a_result(
    make_report: Callable[..., str],
    cohort: Example,
    browser: "Browser",
    tmp_path: Path,
) -> None:
    make_report(**test_page.nothing_to_compare(cohort))
    check_report(browser, tmp_path / "report.html", most_pages=12)


@pytest.mark.parametrize("cohort", [{"n_patients": 30}], indirect=True, ids=["60 samples"])
def test_a_cohort_of_many_samples(
    make_report: Callable[..., str],
    cohort: Example,
    browser: "Browser",
    tmp_path: Path,
) -> None:
    assert len(cohort.samples) == 60
    make_report()
    check_report(browser, tmp_path / "report.html", most_pages=16)


def test_long_names_and_names_with_code(
    make_report: Callable[..., str],
    cohort: Example,
    browser: "Browser",
    tmp_path: Path,
) -> None:
    abundance = abundance_table(cohort.counts).replace({"population": {"B": HOSTILE}})
    make_report(
        config={**test_page.CONFIG, "report": test_page.CONFIG["report"] | {"title": HOSTILE}},
        samples=cohort.samples.assign(product=HOSTILE),
        qc_summary=cohort.qc_summary.assign(sample=HOSTILE),
        expression=dict.fromkeys(CONTRASTS, expression_table().assign(symbol=HOSTILE)),
        gene_sets=dict.fromkeys(CONTRASTS, gene_set_rows(40).assign(gene_set=HOSTILE)),
        abundance=dict.fromkeys(CONTRASTS, abundance),
        clusters=test_page.CLUSTERS.assign(cell_type=HOSTILE),
    )
    check_report(browser, tmp_path / "report.html", most_pages=20)


def test_the_page_of_combined_cohorts(browser: "Browser", tmp_path: Path) -> None:
    folders = [
        str(write_results(tmp_path / name / "results", name, estimate))
        for name, estimate in (("one", 1.0), ("two", 1.1), ("three", 1.2))
    ]
    assert main([*folders, "--output", str(tmp_path / "combined")]) == 0
    report = tmp_path / "combined" / "report.html"
    check_report(browser, report, most_pages=2, first="common effect")
