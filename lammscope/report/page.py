"""The report: one HTML file that a clinician can read and a statistician can check.

It holds every figure and table inside itself, asks the network for nothing, and carries no date:
the same results give the same file.
"""

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, StrictUndefined

from lammscope.cohort.contrasts import Contrast
from lammscope.core.runtime import whole_file
from lammscope.core.words import readable
from lammscope.report.figures.catalog import find_figure, placed_figures
from lammscope.report.references import REFERENCES
from lammscope.report.sections.cells import (
    car_section,
    cohort_section,
    lamm_section,
    marker_line,
    state_line,
)
from lammscope.report.sections.contrast import contrast_section
from lammscope.report.sections.design import audit_rows, design_section, gene_section, warning_rows
from lammscope.report.sections.joint import empty_line, joint_section
from lammscope.report.sections.lines import calibration_rows, lamm_table
from lammscope.report.sections.primary import primary_section
from lammscope.report.table import CLUSTER_COLUMNS, QC_COLUMNS, build_table

TEMPLATE = Path(__file__).parent / "template.html.jinja"
CSS_PIXELS_PER_INCH = 116  # letters of 7 points come out 11 pixels tall


def write_report(
    path: str | Path,
    *,
    config: Mapping[str, Any],
    contrasts: Mapping[str, Contrast],
    versions: Mapping[str, str],
    primary_sentence: str,
    samples: pd.DataFrame,
    cells: pd.DataFrame,
    counts: pd.DataFrame,
    qc_summary: pd.DataFrame,
    clusters: pd.DataFrame,
    population_genes: pd.DataFrame,
    calls: pd.DataFrame,
    car: pd.DataFrame,
    state_genes: pd.DataFrame,
    missing_markers: pd.DataFrame,
    integration_scores: pd.DataFrame,
    lost_populations: pd.DataFrame,
    lamm_kept: pd.DataFrame,
    stability: pd.DataFrame,
    audit: pd.DataFrame,
    lamm_results: pd.DataFrame,
    calibration: pd.DataFrame,
    abundance: Mapping[str, pd.DataFrame],
    robustness: Mapping[str, pd.DataFrame],
    neighborhoods: Mapping[str, pd.DataFrame],
    expression: Mapping[str, pd.DataFrame],
    missing: Mapping[str, pd.DataFrame],
    gene_sets: Mapping[str, pd.DataFrame],
    figures: Sequence[str | Path],
    max_fdr: float,
    n_genes: int,
    gene_overlap: pd.DataFrame | None = None,
    template: str | Path = TEMPLATE,
) -> None:
    """Write the report as one HTML file, whole or not at all.

    Parameters
    ----------
    path
        The HTML file.
    config
        The resolved config.
    contrasts
        The contrasts that were made, by name, each as plain values.
    versions
        Names and versions of the software, for the end of the report.
    primary_sentence
        The primary result in words, with its uncertainty.
    samples
        The sample table.
    cells
        `annotation/cells.parquet`; needs `sample`, `lineage`, `population`, `lamm_positive`,
        `lamm_elevated`, `lamm_call` and `lamm_veto`.
    counts, qc_summary, clusters, audit
        `abundance/counts.tsv`, `qc/summary.tsv`, `annotation/clusters.tsv`, `design/audit.tsv`.
    population_genes, calls, car, state_genes, missing_markers
        Of the same names in `annotation/`.
    integration_scores, lost_populations, lamm_kept, stability
        Of the same names in `joint/`.
    lamm_results, calibration
        `abundance/lamm.tsv` and `design/calibration.tsv`; they may be empty.
    abundance, robustness, neighborhoods, expression, missing, gene_sets
        Tables by name of the contrast (of neighbourhoods those by population); they may be empty.
    figures
        PNG files. `.../cohort/umap_lamm.png` is found as the cohort's `umap_lamm`,
        `.../{contrast}/lamm.png` as that contrast's; one that is missing is left out.
    max_fdr
        False discovery rate up to which genes are counted and coloured.
    n_genes
        Genes listed per population.
    gene_overlap
        `qc/gene_overlap.tsv`, or None.
    """
    images = {(Path(file).parent.name, Path(file).stem): Path(file) for file in figures}
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    context = {
        "config": config,
        "config_text": yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True),
        "versions": dict(versions),
        "cohort": cohort_section(samples, cells=cells),
        "primary": primary_section(
            primary_sentence,
            config=config,
            contrasts=contrasts,
            abundance=abundance,
            robustness=robustness,
        ),
        "design": design_section(samples, audit=audit, contrasts=contrasts),
        "warnings": [
            *warning_rows(audit, contrasts=contrasts),
            *(row for row in calibration_rows(calibration) if row["status"] == "warning"),
        ],
        "calibration": calibration_rows(calibration),
        "lamm_results": lamm_table(lamm_results),
        "notes": audit_rows(audit[audit["contrast"] == "cohort"], contrasts=contrasts),
        "genes": gene_section(gene_overlap),
        "joint": joint_section(
            integration_scores,
            lost=lost_populations,
            lamm=lamm_kept,
            stability=stability,
            config=config,
        ),
        "empty_line": empty_line(qc_summary),
        "qc_table": build_table(qc_summary, QC_COLUMNS),
        "cluster_table": build_table(clusters, CLUSTER_COLUMNS),
        "lamm": lamm_section(
            cells,
            counts=counts,
            samples=samples,
            genes=population_genes[population_genes["gene"].isin(config["lamm"]["definers"])],
            calls=calls,
        ),
        "car": car_section(car),
        "state_line": state_line(state_genes),
        "marker_line": marker_line(missing_markers),
        "contrasts": [
            contrast_section(
                name,
                contrast=contrasts[name],
                audit=audit[audit["contrast"] == name],
                abundance=abundance.get(name, pd.DataFrame()),
                robustness=robustness.get(name, pd.DataFrame()),
                neighborhoods=neighborhoods.get(name, pd.DataFrame()),
                expression=expression.get(name, pd.DataFrame()),
                missing=missing.get(name, pd.DataFrame()),
                gene_sets=gene_sets.get(name, pd.DataFrame()),
                max_fdr=max_fdr,
                n_genes=n_genes,
            )
            for name in contrasts
        ],
        "references": REFERENCES,
        "max_fdr": max_fdr,
        "n_genes": n_genes,
    }
    environment.filters["readable"] = readable
    environment.filters["unquote"] = _unquote
    environment.globals["figure"] = lambda group, name: _figure(images, group, name)
    environment.globals["placed_figures"] = placed_figures
    page = environment.from_string(Path(template).read_text(encoding="utf-8")).render(context)
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _unquote(text: str) -> str:
    """Names in back-ticks, as in messages for the terminal, in quotation marks; `5 %` unbroken."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", re.sub(r"`([^`]+)`", r"“\1”", text))


def _plain(value: Any) -> Any:
    """Config as plain dicts, lists and scalars."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _figure(images: Mapping[tuple[str, str], Path], group: str, name: str) -> dict[str, str] | None:
    """An image as a data URI with its caption and its words for those who cannot see it."""
    file = images.get((group, name))
    if file is None:
        return None
    entry = find_figure(name)
    content = file.read_bytes()
    width, height = _display_size(content)
    return {
        "source": f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}",
        "width": str(width),
        "height": str(height),
        "title": entry.title,
        "caption": entry.caption,
        "alternative": entry.alternative + ("" if group == "cohort" else f" Contrast: {group}."),
        "file": f"figures/{group}/{name}.pdf",
    }


def _display_size(png: bytes) -> tuple[int, int]:
    """Width and height in CSS pixels, so that letters have the same size in all figures."""
    width, height = struct.unpack(">II", png[16:24])
    at = png.find(b"pHYs", 0, 4096)
    dots_per_metre = struct.unpack(">I", png[at + 4 : at + 8])[0] if at > 0 else 5512
    scale = CSS_PIXELS_PER_INCH / (dots_per_metre * 0.0254)
    return round(width * scale), round(height * scale)
