"""The methods text: every setting that decides about numbers is in it, and every number is true."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lammscope import __version__
from lammscope.abundance import calibration, comparisons
from lammscope.annotate import car_probability, cell_types, integration_scores, macrophage_state
from lammscope.axis import batches, strength
from lammscope.cohort.config import read_schema, resolve_config
from lammscope.cohort.design import MIN_PATIENTS
from lammscope.cohort.trend import FEWEST_PATIENTS
from lammscope.core.names import ALPHA
from lammscope.core.verdicts import MOST_LEFT_OUT, VERDICTS
from lammscope.ingest.doublets import simulated
from lammscope.ingest.lineage_markers import LITTLE_RNA
from lammscope.ingest.quality import ambient, contamination, limits, lineages
from lammscope.joint import clustering, neighbors, verdicts
from lammscope.joint.genotype import DELETED
from lammscope.joint.integration import harmony
from lammscope.outcome.survival_tests import MIN_EVENTS
from lammscope.report.methods.facts import Facts, file_name, listing, number
from lammscope.report.methods.references import CITATION, REFERENCES
from lammscope.report.methods.text import Methods, write_methods
from tests.unit.example_results import CONTRASTS

# What the text leaves out, and why. A new key of the config is either in the text or here.
LEFT_OUT = {
    "samples": "a path of the user's",
    "patients": "a path of the user's",
    "threads": "results do not depend on it",
    "pathvars": "where results are written",
    "timepoints": "the text names the time points of each phase that occur in the cohort",
    "inputs": "how files are compared and compressed",
    "contrasts": "the text describes the contrasts themselves, as they were resolved",
    "annotation.celltypist_trusted": "how a model is opened; its numbers are the same",
    "integration.candidates": "the text names the methods that were computed",
    "multiverse.max_folders": "a limit above which nothing runs",
    "multiverse.max_specifications": "a limit above which nothing runs",
    "assembly": "the layout of a file",
    "report.n_genes": "how results are shown",
    "report.n_labels": "how results are shown",
    "report.max_points": "how results are shown",
    "report.dpi": "how results are shown",
    "report.title": "how results are shown",
}
# Other values of keys that the schema does not describe as a number, a word or a list of words.
OTHER: dict[str, Any] = {
    "sorts": {"CD3+CAT+": ["T"]},
    "genes.exclude": ["^HLA-"],
    "integration.method": "auto",
    "lamm.vetoes": {"mast": {"genes": ["KIT"], "per_10k": 7, "scope": "cell"}},
    "axis.myeloid": {"monocytes": ["Classical_monocyte"]},
    "axis.T": {"helpers": ["CD4_T"]},
    "axis.other": {},
    "axis.leading": {"resting": "T_resting"},
    "survival.endpoints": {"relapse": {"time": "months", "event": "relapsed", "competing": 2}},
    "survival.where": {"compartment": "blood"},
    "multiverse.qc": {"strict": {"min_genes": 321}},
    "multiverse.adjust": [["ldh"]],
    "robustness.thresholds": [0.75],
    "multiverse.n_neighbors": [17],
    "clustering.resolutions": [0.7],
}


def keys(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the keys that hold values by their dotted names, with their schemas."""
    for name, part in schema["properties"].items():
        if "properties" in part:
            yield from keys(part, f"{above}{name}.")
        else:
            yield f"{above}{name}", part


def is_left_out(key: str) -> bool:
    """Tell whether a key, or the section that it is in, is left out of the text."""
    parts = key.split(".")
    return any(".".join(parts[:n]) in LEFT_OUT for n in range(1, len(parts) + 1))


KEYS = dict(keys(read_schema("config")))
NAMED = [key for key in KEYS if not is_left_out(key)]


def value_at(config: dict[str, Any], key: str) -> Any:
    """Return the value of a dotted key."""
    for part in key.split("."):
        config = config[part]
    return config


def other_value(key: str, value: Any) -> Any:
    """Return another value that the schema allows."""
    part = KEYS[key]
    if key in OTHER:
        return OTHER[key]
    if "enum" in part:
        return next(each for each in part["enum"] if each != value)
    match part["type"]:
        case "boolean":
            return not value
        case "integer":
            return value + 17
        case "number":
            most = part.get("maximum", part.get("exclusiveMaximum", float("inf")))
            return value / 2 if value * 1.5 + 0.25 >= most and value > 0.6 else value * 1.07 + 0.01
        case "array" if "enum" in part["items"]:
            return [each for each in part["items"]["enum"] if each not in value][:1]
        case "array" if part["items"]["type"] in ("number", "integer"):
            return [0.625]
        case "array":
            return ["another"]
        case _:
            return "another"


def changed(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return the config with another value of a dotted key."""
    first, _, rest = key.partition(".")
    return config | {first: changed(config[first], rest, value) if rest else value}


@pytest.fixture(scope="module")
def facts() -> Facts:
    """A run with everything that the text can speak of."""
    config = resolve_config(
        {
            "definition": "first/definition.yaml",
            "multiverse": {"resolution": [0.5], "adjust": [["product"]]},
        }
    )
    return Facts(
        config=config,
        contrasts=CONTRASTS,
        n_samples=16,
        n_patients=8,
        n_batches=16,
        timepoints={"pre": ("baseline",), "post": ("day_7",)},
        embedding="harmony",
        compared=("none", "harmony"),
        own={"min_counts": 2, "doublet_rate": 1},
        schemes={"baseline": "labels of patients: exact, 70 assignments"},
        endpoints=("pfs", "os"),
        n_specifications=8,
        is_replication=True,
        versions={"lammscope": "0.1.0", "numpy": "2.0"},
    )


def words(methods: Methods) -> str:
    return "\n".join(text for _, text in methods.sections)


@pytest.mark.parametrize("key", NAMED)
def test_the_text_follows_every_setting_that_decides_about_numbers(key: str, facts: Facts) -> None:
    config = dict(facts.config)
    if key.startswith("integration.scvi"):
        facts = replace(facts, embedding="scvi")
    if key.startswith("survival.endpoints"):
        facts = replace(facts, endpoints=("relapse",))
    value = other_value(key, value_at(config, key))
    assert value != value_at(config, key)
    after = replace(facts, config=changed(config, key, value))
    assert words(write_methods(after)) != words(write_methods(facts))


def test_what_is_left_out_is_in_the_config() -> None:
    sections = {".".join(key.split(".")[:n]) for key in KEYS for n in (1, 2, 3)}
    assert set(LEFT_OUT) <= sections
    assert set(OTHER) <= set(NAMED)


def test_numbers_that_the_code_fixes_are_those_of_the_code(facts: Facts) -> None:
    text = words(write_methods(facts))
    fixed = [
        (set(LITTLE_RNA.values()), {0.4}, "(0.4 times as many for barcodes"),
        (limits.LOWEST_PCT_MT, 5, "no mitochondrial limit was below 5 %"),
        (limits.MAX_LOST, 1 / 3, "over a third of a lineage"),
        (limits.MAX_LARGE_LOST, 1 / 20, "upper limit of UMIs, a twentieth"),
        (limits.SMALL, 0.5, "less than half the median UMIs"),
        (limits.SMALL_WIDTH * facts.config["qc"]["mt_mads"], 2, "was 2 median absolute"),
        (ambient.MAX_FDR, 0.01, "a false discovery rate of 0.01 among barcodes"),
        ((ambient.MOST, ambient.LOW_P), (0.4, 0.05), "if more than 40 % of them"),
        (lineages.MAX_P, 1e-4, "Poisson, p up to 0.0001"),
        (verdicts.MOSTLY, 50, "more than half of those"),
        (verdicts.MAX_CONTAMINATION, 30, "more than 30 % of its UMIs"),
        (DELETED, ("GSTM1",), "HLA-DRB5, HLA-DQA2 and GSTM1"),
        (contamination.N_CLUSTERINGS, 3, "the median over three clusterings"),
        (simulated.MIN_SUPPORT, 10, "(log likelihood 10)"),
        (simulated.MIN_EVIDENCE, 3, "(log likelihood 3)"),
        (harmony.CELLS_PER_CLUSTER, 30, "one cluster per 30 cells"),
        (harmony.MAX_CLUSTERS, 200, "at most 200,"),
        (neighbors.EXACT_UP_TO, 20_000, "exactly up to 20,000 cells"),
        ((clustering.N_DRAWS, clustering.DRAWN), (5, 0.8), "five random draws of 80 %"),
        (clustering.STABILITY_CELLS, 20_000, "(of at most 20,000)"),
        (cell_types.RULED_OUT, 0.001, "probability below 0.001"),
        (macrophage_state.N_NEIGHBORS, 20, "the 20 nearest monocytic cells"),
        (car_probability.SHAPE, 2.2, "shape 2.2"),
        ((MIN_PATIENTS, FEWEST_PATIENTS), (3, 5), "needed 3 patients in each arm"),
        (comparisons.MIN_EXPECTED, 2, "fewer than 2 expected cells per sample"),
        ((ALPHA, MOST_LEFT_OUT), (0.05, 0.1), "below 0.1 without any one patient"),
        (calibration.N_COHORTS, 2000, "2,000 simulated cohorts"),
        (strength.PRIOR, 0.5, "prior count 0.5"),
        (batches.MIN_EXPECTED, 2, "fewer than 2 expected UMIs per patient"),
        (MIN_EVENTS, 5, "Fewer than 5 events"),
    ]
    for in_code, in_text, part in fixed:
        assert in_code == in_text, part
        assert part in text
    auto = changed(dict(facts.config), "integration.method", "auto")
    kept = integration_scores.MIN_LAMM_KEPT, integration_scores.MIN_STRUCTURE
    assert kept == (0.8, 0.9)
    text = words(write_methods(replace(facts, config=auto)))
    assert "keep 80 % of the LAMM cells and 90 % of the structure" in text
    assert all(verdict in text for verdict in VERDICTS)


def test_papers_are_cited_by_number_in_order_and_only_if_their_method_was_run(facts: Facts) -> None:
    methods = write_methods(facts)
    text = words(methods)
    assert not CITATION.search(text)
    assert methods.references[0] == REFERENCES["scater"]
    assert len(methods.references) == len(set(methods.references))
    assert all(f"{n}]" in text or f"{n}," in text for n in range(1, len(methods.references) + 1))
    other = replace(facts, embedding="scvi", endpoints=(), n_specifications=0)
    config = changed(dict(other.config), "expression.engine", "pydeseq2")
    config = changed(config, "annotation.celltypist_model", "models/a.pkl")
    without = write_methods(replace(other, config=config)).references
    for name in ("harmony", "firth", "specification_curve", "voom"):
        assert REFERENCES[name] in methods.references
        assert REFERENCES[name] not in without
    for name in ("scvi", "pydeseq2", "deseq2", "celltypist"):
        assert REFERENCES[name] not in methods.references
        assert REFERENCES[name] in without


def test_every_paper_of_the_list_is_cited_by_some_run(facts: Facts) -> None:
    cited = set()
    for engine in KEYS["expression.engine"]["enum"]:
        for embedding in ("harmony", "scvi"):
            config = changed(dict(facts.config), "expression.engine", engine)
            config = changed(config, "annotation.celltypist_model", "a.pkl")
            run = replace(facts, config=config, embedding=embedding)
            cited |= set(write_methods(run).references)
    assert cited == set(REFERENCES.values())


def test_without_contrasts_and_follow_up_nothing_is_said_of_tests(facts: Facts) -> None:
    config = changed(dict(facts.config), "definition", "")
    bare = Facts(config=config, n_samples=1, n_patients=1)
    headings = [heading for heading, _ in write_methods(bare).sections]
    assert "Contrasts" in headings
    assert not {"Abundance", "Expression", "Follow-up", "Replication"} & set(headings)
    text = words(write_methods(bare))
    assert "No contrasts were tested." in text
    assert "All cells were of one batch" in text
    assert "1 sample of 1 patient " in text


def test_labels_of_users_are_no_citations(facts: Facts) -> None:
    config = changed(dict(facts.config), "response.responder", ["[@nobody]", "<script>"])
    assert "with [@nobody] or <script> were responders" in words(
        write_methods(replace(facts, config=config))
    )


def test_the_file_has_headings_and_numbered_references(facts: Facts) -> None:
    text = write_methods(facts).markdown
    assert text.startswith("# Methods\n\n## Patients and samples\n\n16 samples of 8 patients")
    assert "\n1. McCarthy DJ" in text
    assert "https://doi.org/10.1093/bioinformatics/btw777\n" in text
    assert "LAMMscope 0.1.0 (numpy 2.0)" in text


def test_a_contrast_says_how_it_was_permuted_or_that_it_was_not_tested(facts: Facts) -> None:
    text = words(write_methods(facts))
    baseline, change = (text.split(f"Contrast {name}: ")[1] for name in ("baseline", "change"))
    scheme = " Permutation test: labels of patients: exact, 70 assignments."
    assert scheme in baseline.split("Contrast ")[0]
    assert "It was not tested." not in baseline.split("Contrast ")[0]
    assert "It was not tested." in change


def test_the_citation_file_names_this_version_and_papers_that_the_text_cites(
    repository: Path,
) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    texts = {paper.doi: paper.text for paper in REFERENCES.values()}
    assert citation["version"] == __version__
    assert len(citation["references"]) > 10
    for paper in citation["references"]:
        assert paper["title"] in texts[paper["doi"]]
        assert f"({paper['year']})" in texts[paper["doi"]]
        assert paper["authors"][0]["family-names"] in texts[paper["doi"]]


def test_numbers_and_lists_read_as_a_person_writes_them() -> None:
    assert [number(value) for value in (2000, 0.25, 1.0)] == ["2,000", "0.25", "1"]
    assert listing(["A", "B", "C"]) == "A, B and C"
    assert listing([]) == "none"
    assert file_name("a/b\\c.gmt") == "c.gmt"
