"""The report: complete, self-contained, reproducible, and clear about what is missing."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html import unescape
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from jinja2 import UndefinedError
from matplotlib.figure import Figure
from scipy import sparse

from lammscope.abundance.incomplete import COLUMNS as INCOMPLETE
from lammscope.abundance.verdicts import COLUMNS
from lammscope.annotate.evidence import count_calls
from lammscope.annotate.levels import levels_by_group
from lammscope.cohort.audit import audit_design
from lammscope.cohort.comparison import compare
from lammscope.cohort.contrast_kinds import Paired
from lammscope.cohort.multiverse import CHOICES
from lammscope.core.names import ALPHA, NO_CAR_FEATURE
from lammscope.core.verdicts import OTHERWISE
from lammscope.core.words import MINUS, NOTHING, readable, write_number
from lammscope.expression import genes as expression
from lammscope.outcome.choices import explain_choices, summarize
from lammscope.report import page as report_page
from lammscope.report.catalog import read_catalog
from lammscope.report.figures import catalog
from lammscope.report.figures.catalog import drawing_functions, figure_names
from lammscope.report.figures.cohort import CohortData
from lammscope.report.figures.draw import draw_figures, save_figures
from lammscope.report.figures.entry import FigureEntry
from lammscope.report.figures.points import name_points
from lammscope.report.figures.style import save_figure, sentence_figure
from lammscope.report.methods.facts import facts_of
from lammscope.report.methods.references import REFERENCES
from lammscope.report.methods.text import Methods
from lammscope.report.page import write_report
from lammscope.report.rendering import TEMPLATES, render_page
from lammscope.report.results import OPTIONAL_TABLES
from lammscope.report.sections.design import SERIOUS, design_section, warning_rows
from lammscope.report.sections.lines import (
    gene_set_table,
    incomplete_line,
    influence_line,
    lamm_table,
    robustness_line,
)
from lammscope.report.table import (
    Column,
    Table,
    abundance_rows,
    build_table,
    dropped_lines,
    lamm_lines,
    top_genes,
)
from lammscope.report.table_cells import write_cell
from tests.unit.example_pairs import axis_data
from tests.unit.example_results import (
    BASELINE,
    CHANGE,
    CONTRASTS,
    Example,
    abundance_table,
    audit_table,
    calibration_table,
    cohort_data,
    example,
    expression_table,
    gather,
    gene_set_rows,
    hierarchy_table,
    judged,
    losses_table,
    missing_table,
    neighborhood_rows,
    robustness_table,
    verdict_table,
)
from tests.unit.outcome.cohorts import analyze, followed

SENTENCE = "LAMM cells made up more of the `monocytic` cells in non-responders: p = 0.03 & n < 9."
CONFIG: dict[str, Any] = {
    "seed": 1,
    "definition": "",
    "response": {"column": "response", "responder": ["CR", "PR"], "non_responder": ["SD", "PD"]},
    "survival": {"adjust": []},
    "qc": {"min_counts": 500, "min_genes": 250, "max_pct_mt": 15, "on_failed": "keep"},
    "integration": {"method": "harmony", "batch": "batch"},
    "annotation": {"celltypist_model": ""},
    "lamm": {
        "level": "macrophage_like",
        "definers": ["CSF1R", "CD14", "CD68"],
        "probability": 0.9,
        "state_genes": "resources/lamm/state_genes.tsv",
    },
    "primary": {"contrast": "baseline", "denominator": "monocytic"},
    "axis": {"primary": {"contrast": "", "pair": "PGE2", "sender": "LAMM", "receiver": "CD8"}},
    "abundance": {"min_cells": 20, "exclude_pre_post": ["B", "CAR_T"]},
    "expression": {"engine": "limma_voom", "min_cells": 10, "max_ambient_share": 0.25},
    "report": {"title": "Demo cohort", "max_fdr": 0.05, "n_genes": 10},
}
METHODS = Methods(
    (("Quality control", "Barcodes of “<b>x</b>” needed 500 UMIs [1]."),),
    (REFERENCES["scater"],),
    {"lammscope": "0.1.0", "numpy": "2.0"},
)
LEVEL = CONFIG["lamm"]["level"]
CLUSTERS = pd.DataFrame(
    {"cluster": ["0"], "cell_type": ["CD4_T"], "n_cells": [10], "top_markers": ["IL7R, CD3E"]}
)


STATE_GENES = pd.DataFrame(
    {"state": ["LA_TAM", "M1"], "n_genes": [39, 16], "n_found": [39, 3],
     "status": ["ok", "under half of its genes"]}
)  # fmt: skip
LAMM_GENES = pd.DataFrame(
    {"sample": "P01_baseline", "set": ["macrophage", "monocyte"], "n_genes": [21, 10],
     "n_listed": [20, 10], "missing": ["SEPP1", ""]}
)  # fmt: skip
MISSING_MARKERS = pd.DataFrame(
    {"entry": ["cDC1"], "missing": ["CLEC9A,XCR1"], "present_weight": [0.1], "dropped": [True]}
)


def joint_tables(**changes: Any) -> dict[str, pd.DataFrame]:
    """Make tables of the integrated embedding: Harmony is used and lost one population."""
    scores = pd.DataFrame(
        {
            "method": ["none", "harmony"],
            "n_batches": 16,
            "mixing": [0.3, 0.9],
            "structure": [0.95, 0.93],
            "n_populations": 80,
            "n_lost": [0, 1],
            "lamm_before": 120,
            "lamm_kept": [0.95, 0.9],
            "n_samples_lamm_lost": [0, 1],
            "passes": [True, False],
            "used": [False, True],
        }
    )
    lost = pd.DataFrame(
        {"method": ["harmony"], "sample": ["P1_pre"], "cell_type": ["pDC"], "n_cells": [31],
         "apart_before": [0.9], "apart_after": [0.2]}
    )  # fmt: skip
    lamm = pd.DataFrame(
        {"method": "harmony", "sample": ["P1_pre", "P2_pre"], "lamm_before": [12, 2],
         "lamm_kept": [0.25, 0.0], "lost": [True, False]}
    )  # fmt: skip
    stability = pd.DataFrame(
        {"resolution": [0.5, 1.0], "used": [False, True], "n_clusters": [9, 14],
         "stability": [0.97, 0.91], "lowest": [0.94, 0.85]}
    )  # fmt: skip
    tables = {"integration_scores": scores, "lost_populations": lost, "lamm_kept": lamm}
    return tables | {"stability": stability} | changes


def car_table(samples: pd.DataFrame, *, umi: int = 3) -> pd.DataFrame:
    """Make a CAR table in which samples before infusion have transcripts, too."""
    pre = samples["phase"] == "pre"
    return pd.DataFrame(
        {
            "sample": samples["sample"],
            "phase": samples["phase"],
            "n_t_cells": 100,
            "n_t_with_car": np.where(pre, 1, 20),
            "pct_of_t": np.where(pre, 1.0, 20.0),
            "n_positive": np.where(pre, 0, 20),
            "n_unknown": np.where(pre, 0, 4),
            "n_expected": np.where(pre, 0, 25.0),
            "pct_missed": np.where(pre, np.nan, 20.0),
            "n_other_with_car": 0,
            "car_umi": umi,
            "reading": np.where(pre, "contamination", "CAR-T cells"),
        }
    )


@pytest.fixture(scope="module")
def cohort() -> Example:
    return example()


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("figures")
    of_cohort = figure_names("quality", "cohort", "evidence", "associations")
    stems = [folder / "cohort" / name for name in of_cohort]
    names = figure_names("contrast", "neighborhoods", "axis")
    stems += [folder / contrast / name for contrast in CONTRASTS for name in names]
    drawn = save_figure(sentence_figure("as good as any"), folder / "drawn", dpi=20)[0]
    for stem in stems:
        stem.parent.mkdir(exist_ok=True)
        shutil.copy(drawn, stem.with_suffix(".png"))
    return [stem.with_suffix(".png") for stem in stems]


@pytest.fixture(scope="module")
def run_tables(cohort: Example) -> dict[str, Any]:
    """Return the tables of a run."""
    raw: Any = np.expm1(cohort.definers).round()
    population = cohort.cells["population"]
    axis = {name: axis_data(contrast) for name, contrast in CONTRASTS.items()}
    return {
        "contrasts": CONTRASTS,
        "samples": cohort.samples,
        "cells": cohort.cells,
        "counts": cohort.counts,
        "qc_summary": cohort.qc_summary,
        "qc_verdicts": verdict_table(cohort.qc_summary),
        "gene_overlap": pd.DataFrame(),
        "clusters": CLUSTERS,
        "population_genes": levels_by_group(
            sparse.csr_array(raw.to_numpy()),
            totals=np.full(len(raw), 4000.0),
            groups=population,
            genes=list(raw),
        ),
        "calls": count_calls(
            cohort.cells.assign(lamm_own_patient=0.8),
            samples=cohort.samples["sample"],
            reasons=["dc3"],
            probability=0.9,
        ),
        "lamm_genes": LAMM_GENES,
        "car": car_table(cohort.samples),
        "state_genes": STATE_GENES,
        "missing_markers": MISSING_MARKERS,
        **joint_tables(),
        "audit": audit_table(),
        "losses": losses_table(),
        "abundance": {name: abundance_table(cohort.counts) for name in CONTRASTS},
        "robustness": {name: robustness_table() for name in CONTRASTS},
        "lamm_results": judged({name: abundance_table(cohort.counts) for name in CONTRASTS})[1],
        "calibration": calibration_table(),
        "hierarchy": hierarchy_table(),
        "expression": {name: expression_table() for name in CONTRASTS},
        "neighborhoods_by_type": {name: neighborhood_rows() for name in CONTRASTS},
        "missing": {name: missing_table() for name in CONTRASTS},
        "gene_sets": {name: gene_set_rows() for name in CONTRASTS},
        "pairs": {name: pairs.table for name, pairs in axis.items()},
        "axis_libraries": axis["baseline"].levels.libraries,
        "axis_terms": axis["baseline"].levels.terms,
    }


@pytest.fixture
def make_report(
    run_tables: dict[str, Any], figures: list[Path], repository: Path, tmp_path: Path
) -> Callable[..., str]:
    """Write a report with some arguments changed, and return its text."""

    def make(**changes: Any) -> str:
        known = {*run_tables, *chain.from_iterable(OPTIONAL_TABLES.values())}
        tables = run_tables | {key: new for key, new in changes.items() if key in known}
        arguments: dict[str, Any] = {
            "config": CONFIG,
            "methods": METHODS,
            "checksums": {"design/samples.tsv": "0" * 64},
            "primary_sentence": SENTENCE,
            "figures": figures,
        }
        arguments |= {name: value for name, value in changes.items() if name not in tables}
        path = tmp_path / "report.html"
        write_report(path, gather(tables), **arguments)
        return path.read_text(encoding="utf-8")

    return make


def result_files() -> set[str]:
    """Return the paths of the result files, with those of each contrast."""
    paths = chain.from_iterable(file.paths for file in read_catalog().values())
    return {path.replace("{contrast}", name) for path in paths for name in CONTRASTS}


class Page(HTMLParser):
    """Parser that checks the order of closing tags and collects what the tests need."""

    VOID = frozenset({"meta", "img", "input", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.sources: list[str] = []
        self.headings: list[int] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "a":
            self.targets.append(str(values["href"]))
        if tag == "img":
            self.images.append(values)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.sources += [str(values[key]) for key in ("src", "srcset", "data") if values.get(key)]
        assert tag not in ("link", "iframe", "object", "embed", "base")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def written(table: Table | None, *keys: str) -> list[list[str]]:
    """Return the text of some columns of a table, row by row."""
    assert table is not None
    at = [[column.key for column in table.columns].index(key) for key in keys]
    return [[row[i].text for i in at] for row in table.rows]


def words_of(text: str) -> str:
    """Return the page without tags, scripts and line breaks."""
    text = re.sub(r"<(script|style).*?</\1>", " ", text, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_page_is_well_formed_and_asks_the_network_for_nothing(
    make_report: Callable[..., str], figures: list[Path], run_tables: dict[str, Any]
) -> None:
    text = make_report()
    page = Page(text)
    without = [not table["verdict"].isin(["supported", "suggestive"]).any()
               for table in run_tables["pairs"].values()]  # fmt: skip
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert all(t.startswith(("#", "https://doi.org/")) or t in result_files() for t in page.targets)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|src=.http", text)
    assert {t[1:] for t in page.targets if t.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    of_card = len(CONTRASTS) - 1  # only the primary contrast has a card
    assert len(page.images) == len(figures) - of_card - sum(without)  # no lines to draw
    assert all(image["alt"] and int(str(image["width"])) > 0 for image in page.images)
    steps = np.diff(page.headings)
    assert page.headings[0] == 1
    assert steps.max() <= 2  # the warnings of the primary result are directly below the title


def test_same_results_give_the_same_file(make_report: Callable[..., str]) -> None:
    assert make_report() == make_report()


def test_primary_result_comes_first_with_its_numbers(make_report: Callable[..., str]) -> None:
    words = words_of(make_report())
    at = words.index("Response goes with product")
    assert (
        words.index("Does the fraction of LAMM cells among monocytic cells differ")
        < at
        < words.index("LAMM cells made up more of the “monocytic” cells")
        < words.index("Thresholds: at least 500 UMIs")
    )
    assert "p = 0.03 &amp; n &lt; 9." in words
    row = abundance_table(example().counts).query(
        "population == 'LAMM' and denominator == 'monocytic' and scale == 'logit'"
    )
    assert write_number(float(row["estimate"].iloc[0]), "ratio") in words[at : at + 600]


def test_warnings_of_the_design_are_shown_at_the_top_and_at_their_contrast(
    make_report: Callable[..., str],
) -> None:
    words = words_of(make_report())
    before = words[: words.index("Comparisons")]
    assert "Tested, but with 4 pairs a permutation test cannot give p below 0.125." in before
    assert "With 4 pairs a permutation p cannot go below 2/16 = 0.125." not in before
    assert words.count("With 4 pairs a permutation p cannot go below 2/16 = 0.125.") == 1
    assert words.count("4 against 4 patients: p of a permutation test cannot go below") == 1


def test_the_design_has_a_page_of_comparisons_and_arms(make_report: Callable[..., str]) -> None:
    text = make_report()
    words = words_of(text)
    page = words[words.index("was determined before any cell was counted") :]
    page = page[: page.index("Checks of the cohort")]
    assert "Patients against patients: non-responder compared with responder" in page
    assert "2 of 2" in page
    assert "Can be tested: 4 non-responders against 4 responders." in page
    assert "Tested, but with 4 pairs" in page
    assert "Without this phase" in page
    assert (
        '<li><a href="#cohort">Cohort</a></li>\n    <li><a href="#design">Design</a></li>' in text
    )
    checks = words[words.index("Checks of the cohort") : words.index("Thresholds: at least 500")]
    assert "1 of 8 patients have no response label." in checks
    assert words.count("1 of 8 patients have no response label.") == 1


@pytest.mark.parametrize("status", SERIOUS)
def test_what_is_serious_in_a_cohort_is_shown_at_the_top_and_with_the_design(
    make_report: Callable[..., str], status: str
) -> None:
    row = ["cohort", "late_M6", "M6", status, "At M6 nearly all are responders."]
    audit = pd.concat([audit_table(), pd.DataFrame([row], columns=audit_table().columns)])
    text = make_report(audit=audit)
    for part in text.split('<h2 id="design">')[:2]:
        assert part.count(f'<li class="{status}"><span class="tag">{readable(status)}</span>') >= 1
        assert part.count("At M6 nearly all are responders.") == 1
    assert f".messages .{status}" in text


def test_serious_messages_come_in_the_order_of_their_weight(
    make_report: Callable[..., str],
) -> None:
    rows = [["cohort", s, "1", s, f"This is {s}."] for s in (*reversed(SERIOUS), "note", "ok")]
    audit = pd.DataFrame(rows, columns=audit_table().columns)
    words = words_of(make_report(audit=audit, contrasts={}))
    design = words[words.index("Checks of the cohort") :]
    places = [design.index(f"This is {s}.") for s in (*SERIOUS, "note", "ok")]
    assert places == sorted(places)


def test_the_design_reads_the_audit_that_the_workflow_writes(cohort: Example) -> None:
    contrasts = list(CONTRASTS.values())
    audit = audit_design(
        cohort.samples,
        compare(cohort.samples, contrasts),
        sorts={},
        max_exact=20_000,
        n_draws=10_000,
    )
    design = design_section(cohort.samples, audit=audit, contrasts=CONTRASTS)
    assert written(design["contrasts"], "name", "test", "reference", "pairs", "rank", "floor") == [
        ["baseline", "4", "4", NOTHING, "2 of 2", "0.029"],
        ["pre to post", NOTHING, NOTHING, "4", "1 of 1", "0.125"],
        ["change", "4", "4", NOTHING, "2 of 2", "0.029"],
    ]
    assert written(design["contrasts"], "verdict")[1][0].startswith("Tested, but with 4 pairs")
    assert written(design["arms"], "arm", "phase", "n_patients", "n_pairs", "n_missing") == [
        [arm, phase, "4", "4", "0"]
        for arm in ("responder", "non-responder")
        for phase in ("before", "after")
    ]


def test_samples_left_out_of_a_comparison_are_counted_if_they_were_selected(
    cohort: Example,
) -> None:
    samples = cohort.samples.assign(sort=lambda t: ["CD3+", *["none"] * (len(t) - 1)])
    audit = audit_design(
        samples, compare(samples, [BASELINE]), sorts={}, max_exact=20_000, n_draws=10_000
    )
    design = design_section(samples, audit=audit, contrasts={"baseline": BASELINE})
    assert written(design["contrasts"], "reference", "left_out") == [["3", "1"]]


def test_a_verdict_against_a_comparison_stands_out(make_report: Callable[..., str]) -> None:
    audit = audit_table().replace({"value": {"ok": "confounded"}})
    chosen = (audit["contrast"] == "baseline") & (audit["item"] == "verdict")
    audit.loc[chosen, ["status", "message"]] = ["confounded", "Tested, but batch is the response."]
    text = make_report(audit=audit)
    assert '<li class="confounded"><span class="tag">confounded</span>' in text
    assert "Tested, but batch is the response." in words_of(text)[:3000]


def test_the_top_has_one_line_for_a_comparison_that_is_confounded_with_batch(
    cohort: Example,
) -> None:
    samples = cohort.samples.assign(batch=cohort.samples["response"])
    aliased = replace(BASELINE, name="adjusted", adjust=("batch",))
    contrasts = {"baseline": BASELINE, "adjusted": aliased}
    audit = audit_design(
        samples,
        compare(samples, contrasts.values()),
        sorts={},
        max_exact=99,
        n_draws=99,
    )
    rows = warning_rows(audit, contrasts=contrasts)
    assert [(row["contrast"], row["status"]) for row in rows] == [
        ("cohort", "confounded"), ("baseline", "confounded"), ("adjusted", "aliased"),
    ]  # fmt: skip
    assert "a difference cannot be separated from the effect of batch" in rows[1]["message"]


OVERLAP: dict[str, list[Any]] = {
    "sample": ["P1_pre", "P2_pre", "P3_pre"],
    "matched_by": ["ensembl", "ensembl", "ensembl"],
    "n_genes": [36601, 36601, 36602],
    "n_matched": [36601, 36601, 36602],
    "n_missing": [0, 0, 0],
    "pct_overlap": [100.0, 100.0, 100.0],
    "closest": [100.0, 100.0, 100.0],
    "n_mt": [13, 13, 13],
    "n_panel": [150, 150, 150],
    "note": [None, None, None],
}


@pytest.mark.parametrize(
    ("changes", "odd"),
    [
        ({}, []),
        ({"pct_overlap": [71.0, 100.0, 100.0]}, ["P1_pre"]),
        ({"matched_by": ["ensembl", "symbol", "ensembl"]}, ["P2_pre"]),
        ({"n_genes": [36601, 36601, 2000], "n_missing": [0, 0, 34601]}, ["P3_pre"]),
        ({"pct_overlap": [99.0, 99.0, 98.9]}, ["P3_pre"]),
        ({"n_missing": [0, 365, 370]}, ["P3_pre"]),
        ({"n_mt": [13, 0, 13], "note": [None, "no mitochondrial gene", None]}, ["P2_pre"]),
    ],
)
def test_samples_with_other_genes_are_named(
    make_report: Callable[..., str], changes: dict[str, list[Any]], odd: list[str]
) -> None:
    words = words_of(make_report(gene_overlap=pd.DataFrame(OVERLAP | changes)))
    assert ("All 3 samples share their genes" in words) == (not odd)
    assert ("Genes that are missing from any sample are not used" in words) == bool(odd)
    if odd:
        after = words[words.index("genes of these samples differ from those of the others") :][:600]
        assert [name for name in OVERLAP["sample"] if name in after] == odd


def test_missing_mitochondrial_genes_and_markers_are_shown_also_of_a_single_sample(
    make_report: Callable[..., str],
) -> None:
    note = "no mitochondrial gene; only 3 of 150 genes of the marker panel"
    one = pd.DataFrame(OVERLAP).iloc[:1]
    assert note in words_of(make_report(gene_overlap=one.assign(note=note)))
    assert "Samples with other genes" not in words_of(make_report(gene_overlap=one))


def test_the_lowest_overlap_is_shown_and_nothing_without_a_table(
    make_report: Callable[..., str],
) -> None:
    table = pd.DataFrame(OVERLAP | {"pct_overlap": [99.4, 100.0, 100.0]})
    words = words_of(make_report(gene_overlap=table))
    assert "All 3 samples share at least 99.4 % of their genes." in words
    without = words_of(make_report())
    assert "samples share" not in without
    assert "Genes are matched" not in without


def test_names_from_the_sheets_cannot_break_the_page(
    make_report: Callable[..., str], cohort: Example
) -> None:
    hostile = "<script>alert('x')</script>"
    text = make_report(
        samples=cohort.samples.assign(product=hostile),
        primary_sentence=hostile,
        expression=dict.fromkeys(
            CONTRASTS, expression_table().assign(symbol=f"</script>{hostile}")
        ),
        gene_sets=dict.fromkeys(CONTRASTS, gene_set_rows(40).assign(gene_set=hostile)),
        abundance=dict.fromkeys(
            CONTRASTS, abundance_table(cohort.counts).replace({"population": {"B": hostile}})
        ),
        car=car_table(cohort.samples).assign(sample=hostile),
        qc_summary=cohort.qc_summary.assign(sample=hostile),
        qc_verdicts=verdict_table(cohort.qc_summary)[:1].assign(sample=hostile),
        clusters=CLUSTERS.assign(cell_type=hostile),
    )
    Page(text)
    assert hostile not in text
    assert text.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") > 40


def nothing_to_compare(cohort: Example) -> dict[str, Any]:
    """Return the tables of a cohort without labels, phases and contrasts."""
    missing = {"response": None, "response_label": None, "phase": None}
    return {
        "samples": cohort.samples.assign(**missing),
        "contrasts": {},
        "abundance": {},
        "expression": {},
        "audit": audit_table().iloc[:0],
        "primary_sentence": "",
    }


def test_cohort_without_labels_contrasts_and_primary_says_so(
    make_report: Callable[..., str], cohort: Example
) -> None:
    words = words_of(make_report(**nothing_to_compare(cohort)))
    assert "No patient of this cohort has a response label" in words
    assert "No contrast could be made from this cohort" in words
    assert "No comparison was made: the sheets do not contain two groups to compare." in words
    assert "This cohort has no primary result" in words


def test_cohort_without_monocytes_says_so(make_report: Callable[..., str], cohort: Example) -> None:
    kept = cohort.cells["lineage"] != "monocytic"
    counts = cohort.counts
    counts = counts.assign(n_cells=counts["n_cells"].where(counts["lineage"] != "monocytic", 0))
    text = make_report(cells=cohort.cells[kept], counts=counts)
    Page(text)
    assert "This cohort has no monocytic cells after quality control" in words_of(text)


def test_contrast_that_could_not_be_tested_says_so(
    make_report: Callable[..., str], cohort: Example
) -> None:
    status = "too_few_patients"
    text = make_report(
        abundance={name: abundance_table(cohort.counts, status=status) for name in CONTRASTS},
        expression={name: expression_table().query("status != 'ok'") for name in CONTRASTS},
    )
    words = words_of(text)
    assert words.count("No population could be tested in this contrast") == len(CONTRASTS)
    assert words.count("No population had enough samples with enough cells") == len(CONTRASTS)
    assert "Not tested: Platelet (too few patients)." in words


def test_missing_figures_leave_the_page_whole(make_report: Callable[..., str]) -> None:
    page = Page(make_report(figures=[]))
    assert page.images == []


def draw_sizes(data: CohortData) -> Figure:
    """Draw a made-up figure of a cohort."""
    return sentence_figure(f"{len(data.cells)} cells in {len(data.samples)} samples")


def test_a_figure_needs_a_function_and_an_entry_alone(
    make_report: Callable[..., str],
    cohort: Example,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    entry = FigureEntry(
        group="cohort",
        name="sizes",
        draw=f"{draw_sizes.__module__}.draw_sizes",
        section="types",
        title="Sizes of cohorts",
        caption="How many cells there are.",
        alternative="A number of cells.",
    )
    monkeypatch.setattr(catalog, "CATALOG", (*catalog.CATALOG, entry))
    figures = draw_figures(cohort_data(cohort), functions=drawing_functions("cohort"))
    paths = [tmp_path / "cohort" / f"{name}.png" for name in figure_names("cohort")]
    save_figures(figures, paths, dpi=20)
    image = base64.b64encode(paths[-1].read_bytes()).decode()
    text = make_report(figures=paths)
    assert paths[-1].with_suffix(".pdf").is_file()
    section = text.partition('<h2 id="types">')[2].partition("<h3>")[0]
    assert f'<img src="data:image/png;base64,{image}" alt="A number of cells."' in section
    assert "<b>Sizes of cohorts.</b> How many cells there are." in section
    assert "figures/cohort/sizes.pdf" in section


def test_blood_is_described_as_lamm_like_and_claims_are_careful(
    make_report: Callable[..., str], cohort: Example
) -> None:
    words = words_of(make_report())
    assert "LAMM here means LAMM-like monocytic cells" in words
    assert "Association is not causation" in words
    assert "unadjusted, so exploratory" in words
    assert "cells are never replicates" in words
    tumor = words_of(make_report(samples=cohort.samples.assign(compartment="tumour")))
    assert "LAMM here means LAMM-like monocytic cells" not in tumor


@pytest.mark.parametrize("n", [1, 12])
def test_samples_without_a_compartment_are_not_called_blood(
    make_report: Any, cohort: Any, n: Any
) -> None:
    table = cohort.samples.reset_index(drop=True)
    table.loc[: n - 1, "compartment"] = "unstated"
    words = words_of(make_report(samples=table))
    assert "All samples are blood" not in words
    n_unstated = min(n, len(table))
    assert f"The compartment of {n_unstated} of {len(table)} samples is not stated" in words


def test_failing_template_leaves_no_file(
    make_report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(TEMPLATES, broken)
    (broken / "page.html.jinja").write_text("{{ nothing.like.this }}", encoding="utf-8")
    monkeypatch.setattr(report_page, "render_page", partial(render_page, folder=broken))
    with pytest.raises(UndefinedError, match="nothing"):
        make_report()
    assert not (tmp_path / "report.html").exists()


def test_examples_have_the_columns_that_the_workflow_writes(cohort: Example) -> None:
    assert set(abundance_table(cohort.counts)) == set(COLUMNS)
    assert set(expression_table()) == set(expression.COLUMNS)


def test_columns_that_are_absent_are_left_out_not_faked() -> None:
    frame = pd.DataFrame({"p": [0.0004, np.nan], "population": ["LAMM", "CD4_T"]})
    columns = [Column("population", "Population", "name"), Column("p", "p", "p"), Column("q", "q")]
    table = build_table(frame, columns)
    assert [column.key for column in table.columns] == ["population", "p"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["LAMM", "0.0004"],
        ["CD4 T", "\N{EN DASH}"],
    ]
    assert table.rows[0][1].sort == "0.0004"
    assert table.rows[1][1].sort == ""


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (12345.0, "count", "12,345"),
        (0.1234, "fraction", "12.3 %"),
        (0.0004, "fraction", "0.04 %"),
        (-0.021, "points", f"{MINUS}2.1 %"),
        (0.0494, "p", "0.049"),
        (3e-7, "p", "< 0.0001"),
        (0.00041, "p", "0.0004"),
        (0.00096, "p", "0.001"),
        (0.0497, "p", "0.0497"),
        (0.0502, "p", "0.0502"),
        (0.05, "p", "0.050"),
        (1e-5, "fraction", "< 0.01 %"),
        (-9.0, "ratio", "< 0.001"),
        (18.0, "ratio", "> 1,000,000"),
        (np.log(4.056), "ratio", "4.06"),
        (np.log(0.0123), "ratio", "0.012"),
        (69.0, "plain", "69"),
        (-1.5, "signed", f"{MINUS}1.50"),
        (np.nan, "p", "\N{EN DASH}"),
    ],
)
def test_numbers_read_as_the_field_writes_them(value: float, kind: str, text: str) -> None:
    assert write_number(value, kind) == text


def test_missing_text_is_a_dash() -> None:
    assert write_cell(np.nan, "name").text == "\N{EN DASH}"
    assert write_cell(None, "text").sort == ""
    assert readable("lower in non_responder") == "lower in non-responder"


def test_abundance_table_has_one_row_per_question(cohort: Example) -> None:
    table = abundance_rows(abundance_table(cohort.counts), contrast=BASELINE, level=LEVEL)
    keys = [column.key for column in table.columns]
    assert keys[:3] == ["population", "verdict", "denominator"]
    assert {"p", "p_arcsine", "detectable"} <= set(keys)
    pairs = [tuple(row) for row in written(table, "population", "denominator")]
    assert len(pairs) == len(set(pairs))
    assert pairs[0] == ("LAMM", "of monocytic cells")
    assert any(pair == ("LAMM", "per T cell") for pair in pairs)
    change = abundance_rows(abundance_table(cohort.counts), contrast=CHANGE, level=LEVEL)
    assert "Mean change, responder / non-responder" in [column.label for column in change.columns]


def test_lamm_has_a_line_for_each_denominator(cohort: Example) -> None:
    lines = lamm_lines(abundance_table(cohort.counts), contrast=BASELINE)
    assert [line.split(":")[0] for line in lines] == [
        "LAMM of monocytic cells", "LAMM of all cells", "LAMM of immune cells", "LAMM per T cell",
    ]  # fmt: skip
    untested = abundance_table(cohort.counts, status="too_few_patients")
    assert "not testable: fewer than 3 patients" in lamm_lines(untested, contrast=BASELINE)[0]
    assert "P02 (non-responder)" in dropped_lines(untested)[0]


def test_contrasts_are_described_in_a_sentence() -> None:
    assert BASELINE.describe() == (
        "Patients against patients: non-responder compared with responder; samples from before "
        "infusion; unadjusted, so exploratory."
    )
    adjusted = replace(BASELINE, adjust=("product",)).describe()
    assert adjusted.endswith("adjusted for product.")
    assert CHANGE.describe().startswith(f"Change after infusion: (post {MINUS} pre)")
    sort = Paired("sort", "sort", "NoSo", "CD3+CAT+", where={}, adjust=(), match=("source",),
                  choose=None)  # fmt: skip
    assert sort.describe() == (
        "Within each patient and source: NoSo compared with CD3+CAT+, complete pairs only."
    )


def test_top_genes_are_the_best_of_each_population_lamm_first() -> None:
    table = top_genes(expression_table(), n_genes=3)
    assert table["cell_type"].iloc[0] == "LAMM"
    assert (table.groupby("cell_type").size() == 3).all()
    for name, best in table.groupby("cell_type"):  # noqa: B007 (used by the query)
        all_p = expression_table().query("cell_type == @name")["p"]
        assert best["p"].tolist() == sorted(all_p)[:3]


def test_genes_of_ambient_rna_are_not_listed_and_counted_apart(
    make_report: Callable[..., str],
) -> None:
    table = expression_table()
    first = table["symbol"].isin(["SPP1", "TREM2"]) & (table["cell_type"] == "LAMM")
    assert {"SPP1", "TREM2"} <= set(top_genes(table, n_genes=30)["symbol"])
    marked = table.assign(ambient=table["ambient"] | first, fdr=table["fdr"].mask(first))
    listed = top_genes(marked, n_genes=30)
    assert not set(listed.loc[listed["cell_type"] == "LAMM", "symbol"]) & {"SPP1", "TREM2"}
    words = words_of(make_report(expression=dict.fromkeys(CONTRASTS, marked)))
    assert "a large part of their counts may be ambient RNA (hollow points): LAMM 2" in words
    none = marked.assign(ambient=False)
    assert "hollow points):" not in words_of(make_report(expression=dict.fromkeys(CONTRASTS, none)))


def test_each_contrast_has_its_genes_and_all_share_the_symbols(
    make_report: Callable[..., str],
) -> None:
    text = make_report()
    blocks = re.findall(r'<script type="application/json">(.*?)</script>', text, flags=re.S)
    assert len(blocks) == len(CONTRASTS) == text.count('<details class="explorer"')
    assert text.count('id="gene-symbols"') == 1
    assert json.loads(blocks[0])["populations"][0]["name"] == "LAMM"


def test_map_of_cells_stands_in_the_page_with_its_names_escaped(
    make_report: Callable[..., str],
) -> None:
    data = {"n_all": 40_000, "n_shown": 30_000, "groups": [{"names": ["</script><b>"]}]}
    text = make_report(cell_map=data)
    Page(text)
    blocks = re.findall(r'<script type="application/json">(.*?)</script>', text, flags=re.S)
    assert data in map(json.loads, blocks)
    assert "30,000 of 40,000 cells are shown" in words_of(text)
    assert 'id="cell-map"' not in make_report()


def test_points_of_a_figure_are_named_in_the_page(
    make_report: Callable[..., str], tmp_path: Path
) -> None:
    figure = Figure(figsize=(2, 2))
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, 1), ylim=(0, 1))
    name_points(axis, [0.25], [0.75], ['P01 <b> "x"'])
    (tmp_path / "cohort").mkdir()
    png = save_figure(figure, tmp_path / "cohort" / "composition", dpi=20)[0]
    (found,) = re.findall(r'data-points="(.*?)"', make_report(figures=[png]))
    assert json.loads(unescape(found)) == [[2500, 2500, 'P01 <b> "x"']]
    assert "<b>" not in found


def test_tables_read_back_from_files_give_the_same_page(
    make_report: Callable[..., str], cohort: Example, tmp_path: Path
) -> None:
    def read_back(table: pd.DataFrame) -> pd.DataFrame:
        table.to_csv(tmp_path / "table.tsv", sep="\t", index=False)
        return pd.read_csv(tmp_path / "table.tsv", sep="\t")

    tables = {name: abundance_table(cohort.counts) for name in CONTRASTS}
    read = make_report(
        abundance={name: read_back(table) for name, table in tables.items()},
        expression={name: read_back(expression_table()) for name in CONTRASTS},
        audit=read_back(audit_table()),
        counts=read_back(cohort.counts),
        qc_summary=read_back(cohort.qc_summary),
    )
    assert words_of(read) == words_of(make_report())


def test_report_without_table_of_defining_markers_and_with_few_columns(
    make_report: Callable[..., str], cohort: Example
) -> None:
    no_genes = pd.DataFrame({"group": [], "n_cells": [], "gene": []})
    cells = cohort.cells.drop(columns=["patient", "car"])
    text = make_report(population_genes=no_genes, cells=cells)
    Page(text)
    assert "Defining markers by population" not in words_of(text)
    assert "Defining markers by population" in words_of(make_report())


def test_the_genes_of_the_state_are_named(make_report: Callable[..., str]) -> None:
    page = make_report()
    assert "Genes of macrophages: 21 genes, of which the matrices list 20." in page
    assert "positive cells in the state of tissue macrophages" in page
    assert "signature beyond the three defining markers is not used" in page
    own = {**CONFIG, "lamm": {**CONFIG["lamm"], "state_genes": "mine.gmt"}}
    page = make_report(config=own, lamm_genes=LAMM_GENES.assign(set=["MINE_UP", "MINE_DN"]))
    assert "rest on the signature in \N{LEFT DOUBLE QUOTATION MARK}mine.gmt" in page
    assert "positive cells in the state of your signature" in page
    assert "LAMM scores of other cohorts cannot be compared with these" in page
    assert "positive cells in the state of tissue macrophages" not in page


def test_calls_supported_by_own_cells_are_counted(make_report: Callable[..., str]) -> None:
    words = words_of(make_report())
    assert "own cells alone, 100.0 % of the" in words
    assert "and 0.0 % are contradicted" in words


def test_car_transcripts_before_infusion_are_reported_as_contamination(
    make_report: Callable[..., str], cohort: Example
) -> None:
    words = words_of(make_report())
    assert "as contamination, not as CAR-T cells: 24 UMIs in 8 samples" in words
    words = words_of(make_report(car=car_table(cohort.samples, umi=0).assign(reading="none seen")))
    assert "No CAR transcript was found in this cohort" in words


def test_missed_and_unknown_car_t_cells_are_reported(
    make_report: Callable[..., str], cohort: Example
) -> None:
    table = car_table(cohort.samples)
    after = table.index[table["phase"] == "post"]
    table.loc[after[0], ["n_expected", "pct_missed"]] = [75.0, 60.0]
    words = words_of(make_report(car=table))
    pooled = (75 * 60 + 25 * 20 * (len(after) - 1)) / (75 + 25 * (len(after) - 1))
    assert f"An expected {write_number(pooled, 'percent')} of all CAR-T cells are missed" in words
    assert "in single samples 20.0 % to 60.0 %" in words
    assert f"{4 * len(after)} T cells may be CAR-T cells or not" in words
    assert "has no CAR gene" not in words


def test_samples_after_infusion_without_a_car_gene_are_named(
    make_report: Callable[..., str], cohort: Example
) -> None:
    table = car_table(cohort.samples, umi=0).assign(reading="none seen", pct_missed=np.nan)
    after = table.index[table["phase"] == "post"]
    table.loc[after, "reading"] = NO_CAR_FEATURE
    words = words_of(make_report(car=table))
    assert f"{table.loc[after[0], 'sample']}, " in words
    assert "has no CAR gene, so T cells after infusion include CAR-T cells" in words
    assert "are missed" not in words


def test_missing_genes_of_programs_and_types_are_reported(make_report: Callable[..., str]) -> None:
    words = words_of(make_report())
    assert "less than half of the genes are in these data: M1 (3 of 16 genes)" in words
    assert "because the data lack most of their markers: cDC1" in words
    words = words_of(
        make_report(state_genes=STATE_GENES[:1], missing_markers=MISSING_MARKERS.iloc[:0])
    )
    assert "lack most of their markers" not in words
    assert "less than half of the genes" not in words


def test_patients_outside_both_arms_are_counted(
    make_report: Callable[..., str], cohort: Example
) -> None:
    samples = replace(cohort).samples.copy()
    samples.loc[samples["patient"] == "P01", "response"] = None
    words = words_of(make_report(samples=samples))
    assert "1 patient is neither responder nor non-responder" in words


def test_the_primary_result_comes_with_its_robustness(make_report: Callable[..., str]) -> None:
    page = make_report()
    assert "If any one patient is left out, the odds ratio is between" in page
    assert "(without P01)" in page
    assert "The analysis was repeated 15 times, each time with one choice changed" in page
    assert "the same direction in 15 of them; 15 of these have p &lt; 0.05" in page


def test_other_analyses_are_counted_by_direction_and_p() -> None:
    table = robustness_table()
    table.loc[table["analysis"] == "denominator", ["log_odds", "p"]] = [-0.2, 0.6]
    table.loc[table["analysis"] == "level", ["log_odds", "p"]] = np.nan
    line = robustness_line(table, contrast=BASELINE)
    assert "was repeated 14 times" in line
    assert "the same direction in 12 of them; 12 of these have p < 0.05" in line
    assert "odds ratio is between 0.82 and" in line
    assert robustness_line(robustness_table(status="no_cells"), contrast=BASELINE) == ""


def test_corrected_numbers_stand_beside_called_ones_of_the_same_level() -> None:
    table = robustness_table()
    assert "lose more of them" not in robustness_line(table, contrast=BASELINE)
    ends = ["log_odds", "log_odds_low", "log_odds_high"]
    corrected = table[table["analysis"] == "main"].assign(
        analysis="corrected", setting="macrophage_like", **dict(zip(ends, [0, -1, 1], strict=True))
    )
    plain = corrected.assign(analysis="level", **dict(zip(ends, [1, 0, 2], strict=True)))
    line = robustness_line(pd.concat([table, plain, corrected]), contrast=BASELINE)
    assert "macrophage-like cells is 2.72 (95 % CI 1.00 to 7.39), that of the numbers" in line
    assert line.endswith("corrected for this 1.00 (95 % CI 0.37 to 2.72).")
    table.loc[table["analysis"] == "main", ends] = [1, 0, 2]  # the level of the main analysis
    assert "cells is 2.72" in robustness_line(pd.concat([table, corrected]), contrast=BASELINE)


def test_p_with_weighted_patients_is_shown_only_where_it_is_on_the_other_side_of_the_level(
    cohort: Example,
) -> None:
    plain = abundance_table(cohort.counts)
    table = abundance_rows(plain, contrast=BASELINE, level=LEVEL)
    labels = [column.label for column in table.columns]
    assert "p, weighted" not in labels
    tested = plain["estimate"].notna() & (plain["scale"] == "logit")
    first = plain.index[tested & (plain["p"] > ALPHA)][0]
    plain.loc[first, "p_weighted"] = 0.0321
    table = abundance_rows(plain, contrast=BASELINE, level=LEVEL)
    at = [column.label for column in table.columns].index("p, weighted")
    assert "0.032" in {row[at].text for row in table.rows}


def test_incomplete_patients_are_beside_the_row_only_where_there_are_any(cohort: Example) -> None:
    plain = abundance_table(cohort.counts)
    table = abundance_rows(plain, contrast=CHANGE, level=LEVEL)
    assert "p, incomplete" not in [column.label for column in table.columns]
    assert not any("but with" in cell.note for row in table.rows for cell in row)
    first = plain.index[plain["estimate"].notna() & (plain["scale"] == "logit")][0]
    assert incomplete_line(plain.loc[first].to_dict(), contrast=CHANGE) == ""
    added = plain.copy()
    added.loc[first, list(INCOMPLETE)] = [0.0, -1.0, 1.0, 0.4, 1, 2]
    added.loc[first, "words"] += f"{OTHERWISE}with 3 patients of one side only p 0.4, higher"
    table = abundance_rows(added, contrast=CHANGE, level=LEVEL)
    at = {column.label: place for place, column in enumerate(table.columns)}
    assert sorted({row[at["p, incomplete"]].text for row in table.rows}) == ["0.400", NOTHING]
    verdicts = [row[at["Verdict"]] for row in table.rows]
    (changed,) = [cell for cell in verdicts if "one side" in cell.note]
    assert changed.note.endswith("but with 3 patients of one side only p 0.4, higher")
    assert not any("one side" in cell.text for cell in verdicts)
    line = incomplete_line(added.loc[first].to_dict(), contrast=CHANGE)
    assert line.startswith("With 3 patients added who have only one of the two samples")
    assert "is 1.00 (95 % CI 0.37 to 2.72; p = 0.4)" in line
    assert line.endswith("The verdict rests on complete patients.")


def test_patients_lost_for_want_of_cells_are_above_the_results(
    make_report: Callable[..., str],
) -> None:
    lost = "One side lacks cells"
    words = words_of(make_report())
    assert lost in words[: words.index("Comparisons")]
    assert lost not in words_of(make_report(losses=losses_table().iloc[:0]))


def test_influence_is_silent_where_nothing_was_tested(cohort: Example) -> None:
    rows: list[Any] = abundance_table(cohort.counts, status="too_few_patients").to_dict("records")
    assert influence_line(rows[0], contrast=BASELINE) == ""


def test_a_warning_of_the_self_diagnosis_is_above_the_results(
    make_report: Callable[..., str],
) -> None:
    warning = calibration_table(share=0.12, status="warning")
    page = make_report(calibration=warning)
    before, _, after = page.partition('<h2 id="cohort">')
    assert "12.0" in before
    assert "12.0" in after
    page = make_report()
    assert "With permuted labels" not in page.partition('<h2 id="cohort">')[0]
    assert "With permuted labels 4.0" in page
    empty = calibration_table().iloc[:0]
    assert "<h3>Calibration</h3>" not in make_report(calibration=empty)


def test_lamm_rows_of_all_contrasts_are_in_one_table_with_the_primary_first(
    make_report: Callable[..., str], cohort: Example
) -> None:
    page = make_report()
    assert "LAMM cells in all contrasts" in page
    results = judged({name: abundance_table(cohort.counts) for name in CONTRASTS})[1]
    table = lamm_table(results, level=LEVEL)
    assert table is not None
    assert [row[0].note for row in table.rows] == ["primary", *[""] * (len(table.rows) - 1)]
    assert lamm_table(judged({})[1], level=LEVEL) is None


def test_gene_sets_have_their_section_if_any_was_tested(make_report: Callable[..., str]) -> None:
    page = make_report()
    assert "Gene sets, " in page
    assert "SET 0" in page
    none = gene_set_rows(0)
    assert "<h4>Gene sets</h4>" not in make_report(gene_sets=dict.fromkeys(CONTRASTS, none))
    assert "camera counts genes" in page
    many = gene_set_table(gene_set_rows(100), contrast=BASELINE)
    assert many is not None
    assert {"p", "p_permutation", "p_camera"} <= {column.key for column in many.columns}
    assert "Smallest possible p (that the permutations can give): " in many.caption
    assert len(many.rows) == 40


def test_a_population_that_one_arm_lacks_is_named(make_report: Callable[..., str]) -> None:
    assert "Missing more often on one side" not in make_report()
    page = make_report(missing=dict.fromkeys(CONTRASTS, missing_table(p=0.029)))
    assert "Missing more often on one side" in page
    assert "B: 0 of 4 non-responder and 4 of 4 responder patients have enough cells" in page


def test_neighborhoods_are_listed_by_population_if_any_was_tested(
    make_report: Callable[..., str],
) -> None:
    page = make_report()
    assert "Neighborhoods by population" in page
    assert "Higher in non-responder" in page
    none = dict.fromkeys(CONTRASTS, neighborhood_rows(0))
    assert "<h4>Neighborhoods</h4>" in page
    assert "<h4>Neighborhoods</h4>" not in make_report(neighborhoods_by_type=none)


def test_the_section_on_the_embedding_shows_what_it_lost_and_what_is_stable(
    make_report: Callable[..., str],
) -> None:
    text = make_report()
    assert "that of Harmony, corrected for batch (16 batches)" in text
    assert "loses more LAMM cells or structure" in text
    lost = text.split("no longer separates")[1].split("</table>")[0]
    assert "P1_pre" in lost
    few = text.split("also called in the integrated embedding")[1].split("</table>")[0]
    assert "P1_pre" in few
    assert "P2_pre" not in few  # two cells are too few
    assert "0.91" in text.split("Clustering was repeated")[1].split("</table>")[0]


def test_one_batch_needs_no_correction_and_auto_says_why_it_chose(
    make_report: Callable[..., str],
) -> None:
    scores = joint_tables()["integration_scores"]
    alone = scores[scores["method"] == "none"].assign(n_batches=1, used=True, passes=True)
    assert "there is nothing to correct" in make_report(integration_scores=alone)
    auto = {**CONFIG, "integration": {"method": "auto", "batch": "batch"}}
    passed = scores.assign(passes=True)
    assert "mixes batches best" in make_report(integration_scores=passed, config=auto)
    none = scores.assign(used=[True, False])
    text = make_report(integration_scores=none, config=auto)
    assert "because no method keeps the populations" in text
    text = make_report(integration_scores=none.assign(passes=True), config=auto)
    assert "because no method that keeps the populations mixes batches better" in text
    text = make_report(integration_scores=none[:1], config=auto)
    assert "not corrected for the 16 batches." in text


def test_samples_without_a_cell_are_named(make_report: Callable[..., str], cohort: Example) -> None:
    assert "passes quality control. It has" not in make_report()
    names = cohort.qc_summary["sample"]
    empty = cohort.qc_summary.assign(n_cells=np.where(names == names[0], 0, 5))
    page = make_report(qc_summary=empty)
    assert f"No cell of sample {names[0]} passes quality control. It has zero cells" in page


def test_samples_that_fail_come_first_with_what_happens_to_their_cells(
    make_report: Callable[..., str], cohort: Example
) -> None:
    assert "fails quality control" not in make_report()
    verdicts = verdict_table(cohort.qc_summary)
    name = verdicts["sample"][2]
    is_bad = verdicts["sample"] == name
    verdicts["verdict"] = np.where(is_bad, "failed", "passed")
    verdicts["message"] = np.where(is_bad, "41 % of the cells' UMIs are ambient RNA", "")
    partners = np.where(cohort.qc_summary["sample"] == name, "x 45 %", None)
    page = make_report(
        qc_verdicts=verdicts, qc_summary=cohort.qc_summary.assign(shared_barcodes=partners)
    )
    top = words_of(page.split('id="cohort"')[0])
    first, later = top.index("fails quality control"), top.index("share many barcodes")
    assert first < later
    assert f"Sample {name} fails quality control: 41 %" in top.replace("\N{NO-BREAK SPACE}", " ")
    assert "The cells of this sample are part of all results. To leave them out, set" in top
    quality = page.split('id="quality"')[1].split('id="types"')[0]
    order = [
        "fails quality control",
        'aria-label="Quality per sample"',
        "figures/cohort/qc_knee.pdf",
    ]
    assert sorted(order, key=quality.index) == order
    drop = {**CONFIG, "qc": {**CONFIG["qc"], "on_failed": "drop"}}
    top = words_of(make_report(qc_verdicts=verdicts, config=drop).split('id="cohort"')[0])
    assert "are left out of all results" in top


def test_samples_that_share_barcodes_are_a_warning_and_in_the_table(
    make_report: Callable[..., str], cohort: Example
) -> None:
    page = make_report()
    assert "Shares barcodes with" not in page
    assert "share many barcodes" not in page
    names = cohort.qc_summary["sample"]
    partners = np.where(names == names[1], f"{names[2]} 45 %", None)
    page = make_report(qc_summary=cohort.qc_summary.assign(shared_barcodes=partners))
    assert f"more than by chance: {names[1]} (see Quality)" in page.split('id="cohort"')[0]
    assert "Shares barcodes with" in page
    assert f"{names[2]} 45 %" in page


def test_the_methods_text_stands_in_the_page_and_can_be_copied(
    make_report: Callable[..., str],
) -> None:
    page = make_report()
    text = page.partition('<div id="methods-text">')[2].partition("</details>")[0]
    assert "<h4>Quality control</h4>" in text
    assert "Barcodes of “&lt;b&gt;x&lt;/b&gt;” needed 500 UMIs [1]." in text
    assert "<p>1. McCarthy DJ" in text
    assert "https://doi.org/10.1093/bioinformatics/btw777" in text
    assert 'data-copy="methods-text"' in page
    assert f"{'0' * 64}  design/samples.tsv" in page


def test_the_methods_text_is_written_from_what_the_run_did(run_tables: dict[str, Any]) -> None:
    facts = facts_of(gather(run_tables), config=CONFIG, versions={"numpy": "2.0"})
    assert (facts.n_samples, facts.n_patients, facts.n_batches) == (16, 8, 16)
    assert (facts.embedding, facts.compared) == ("harmony", ("none", "harmony"))
    assert set(facts.contrasts) == set(facts.schemes) == set(CONTRASTS)
    assert facts.endpoints == ()
    assert (facts.n_specifications, facts.is_replication) == (0, False)
    samples = run_tables["samples"].assign(min_counts=[300.0, *[np.nan] * 15])
    survival = pd.DataFrame({"endpoint": ["pfs", "os", "pfs"]})
    tables = run_tables | {"samples": samples, "survival": survival}
    facts = facts_of(gather(tables), config=CONFIG, versions={})
    assert facts.own == {"min_counts": 1}
    assert facts.endpoints == ("pfs", "os")


def test_lamm_cells_and_t_cells_have_their_section_in_each_contrast(
    make_report: Callable[..., str], run_tables: dict[str, Any]
) -> None:
    text = make_report()
    words = words_of(text)
    assert text.count("<h4>LAMM cells and T cells</h4>") == len(CONTRASTS)
    assert "PGE2, LAMM (macrophage-like) to CD8 (specified in advance): supported" in words
    assert words.count("PGE2 itself is not measured; the expression of its enzymes") == 3
    assert "shown, never enough for a PGE2 signal" in words
    assert "LAMM cells and T cells across patients" in words
    for figure in ("pair_patients", "pairs", "pair_levels", "t_states"):
        assert f"figures/baseline/{figure}.pdf" in text
    own = re.findall("<h4>LAMM cells and T cells</h4>.*?<h4>Expression</h4>", text, re.S)
    assert not re.search("interaction strength|communicat|crosstalk|driv(es|en)", "".join(own))
    nothing = {name: table.head(0) for name, table in run_tables["pairs"].items()}
    empty = make_report(pairs=nothing, axis_terms=run_tables["axis_terms"].head(0))
    assert words_of(empty).count("No ligand-receptor pairs are named in the config") == 3
    assert "figures/baseline/pairs.pdf" not in empty
    assert "figures/baseline/pair_patients.pdf" not in empty


def test_follow_up_has_a_section_only_if_there_is_any(make_report: Callable[..., str]) -> None:
    assert "follow-up" not in make_report().lower()
    found = analyze(followed(6), n_draws=100)
    page = make_report(survival=found.tests, survival_excluded=found.excluded)
    assert "LAMM cells and follow-up" in page
    assert "so they are not independent evidence" in page


def test_other_choices_have_a_section_if_the_config_lists_some(
    make_report: Callable[..., str],
) -> None:
    values = dict.fromkeys(CHOICES, ("own",)) | {"resolution": ("1", "0.5")}
    rows = [dict.fromkeys(CHOICES, "own") | {"resolution": each} for each in ("1", "0.5")]
    table = pd.DataFrame(rows).assign(estimate=[1.0, 0.8], p=0.01, status="ok", folder="run")
    text = make_report(
        multiverse_specifications=table,
        multiverse_summary=summarize(table, None, contrast="baseline"),
        multiverse_choices=explain_choices(table, values),
    )
    assert '<h2 id="multiverse">Other choices</h2>' in text
    assert "2 combinations of choices" in text
    assert 'id="multiverse"' not in make_report()
