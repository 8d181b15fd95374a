"""The report: one HTML file for clinicians, with what a statistician needs to check it.

The file contains all figures and tables, loads nothing from the network and has no date, so the
same results give the same file.
"""

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lammscope.axis.primary import primary_of
from lammscope.cohort.comparison import Comparison
from lammscope.core.runtime import whole_file
from lammscope.report.axis_levels import Levels
from lammscope.report.explorer import pack_explorers
from lammscope.report.figures.catalog import find_figure, placed_figures
from lammscope.report.methods.text import HOW_TO_CITE, Methods
from lammscope.report.packing import as_json
from lammscope.report.point_names import read_points
from lammscope.report.rendering import render_page
from lammscope.report.results import ContrastResults, Results
from lammscope.report.sections.axis import axis_section
from lammscope.report.sections.card import card_section
from lammscope.report.sections.cells import (
    car_section,
    cluster_rows,
    cohort_section,
    lamm_section,
    marker_line,
    state_line,
)
from lammscope.report.sections.contrast import contrast_section
from lammscope.report.sections.design import audit_rows, design_section, gene_section, warning_rows
from lammscope.report.sections.joint import joint_section
from lammscope.report.sections.lines import calibration_rows, lamm_table
from lammscope.report.sections.multiverse import multiverse_section
from lammscope.report.sections.quality import (
    empty_line,
    failure_rows,
    quality_table,
    sharing_rows,
)
from lammscope.report.sections.replication import replication_section
from lammscope.report.sections.signature import signature_section
from lammscope.report.sections.survival import survival_section

CSS_PIXELS_PER_INCH = 116  # so that 7-point text is 11 pixels tall
UNIT = 10_000  # of the places of points; scripts/figures.js has the same


def write_report(
    path: str | Path,
    results: Results,
    *,
    config: Mapping[str, Any],
    primary_sentence: str,
    methods: Methods,
    checksums: Mapping[str, str],
    figures: Sequence[str | Path],
    cell_map: Mapping[str, Any] | None = None,
) -> None:
    """Write the report as one HTML file, completely or not at all.

    Parameters
    ----------
    path
        The HTML file.
    results
        The tables of the run. Those of a contrast and the tables `lamm_results`, `hierarchy`,
        `calibration` and those of survival may be empty.
    config
        The resolved config.
    primary_sentence
        The primary result in words, from `state_primary`.
    methods
        The methods of the run in words, with the versions of the software.
    checksums
        The SHA-256 of files by path, as `sha256sum` prints it.
    figures
        PNG files: `.../cohort/{figure}.png` of the cohort and `.../{contrast}/{figure}.png` of each
        contrast. Missing figures are left out.
    cell_map
        The interactive map of the cells, from `cell_map.pack_cell_map`; left out if None.
    """
    images = {(Path(file).parent.name, Path(file).stem): Path(file) for file in figures}
    sections = _sections(results, config=config)
    context = {
        **_settings(config),
        **sections,
        "versions": dict(methods.versions),
        "cell_map": _cell_map(cell_map),
        "primary": card_section(
            results,
            sentence=primary_sentence,
            config=config,
            warnings=sections["warnings"],
        ),
        "replication": replication_section(results.replication, path=config["definition"]),
        "methods": methods,
        "how_to_cite": HOW_TO_CITE,
        "checksums": dict(checksums),
    }
    functions: dict[str, Callable[..., Any]] = {
        "figure": lambda group, name: _figure(images, group, name),
        "placed_figures": placed_figures,
    }
    page = render_page("page", functions=functions, **context)
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config as values and as text."""
    return {
        "config": config,
        "config_text": yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True),
        "max_fdr": config["report"]["max_fdr"],
        "n_genes": config["report"]["n_genes"],
    }


def _sections(results: Results, *, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of each section, by its name in the template."""
    audit, contrasts = results.findings, results.contrasts
    calibration = calibration_rows(results.calibration)
    genes = results.population_genes
    failures = failure_rows(results.qc_verdicts, on_failed=config["qc"]["on_failed"])
    return {
        "cohort": cohort_section(results.samples, cells=results.cells),
        "design": design_section(results.samples, audit=audit, contrasts=contrasts),
        "warnings": [
            *failures,
            *warning_rows(audit, contrasts=contrasts),
            *sharing_rows(results.qc_summary),
            *(row for row in calibration if row["status"] == "warning"),
        ],
        "calibration": calibration,
        "lamm_results": lamm_table(results.lamm_results, level=config["lamm"]["level"]),
        "notes": audit_rows(audit[audit["contrast"] == "cohort"], contrasts=contrasts),
        "genes": gene_section(results.gene_overlap),
        "joint": joint_section(
            results.integration_scores,
            lost=results.lost_populations,
            lamm=results.lamm_kept,
            stability=results.stability,
            config=config,
        ),
        "failures": failures,
        "empty_line": empty_line(results.qc_summary),
        "qc_table": quality_table(results.qc_summary, results.qc_verdicts),
        "cluster_table": cluster_rows(results.clusters),
        "lamm": lamm_section(
            results.cells,
            counts=results.counts,
            samples=results.samples,
            genes=genes[genes["gene"].isin(config["lamm"]["definers"])],
            calls=results.calls,
        ),
        "signature": signature_section(results.lamm_genes, path=config["lamm"]["state_genes"]),
        "car": car_section(results.car),
        "survival": survival_section(results.survival, results.survival_excluded),
        "state_line": state_line(results.state_genes),
        "marker_line": marker_line(results.missing_markers),
        "multiverse": multiverse_section(
            results.multiverse_specifications,
            summary=results.multiverse_summary,
            choices=results.multiverse_choices,
            contrasts=contrasts,
        ),
        "contrasts": _contrasts(results, audit=audit, config=config),
        "explorers": _explorers(results),
    }


def _contrasts(
    results: Results, *, audit: pd.DataFrame, config: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the content of the section of each contrast."""
    return [
        contrast_section(
            own,
            audit=audit[audit["contrast"] == name],
            hierarchy=results.hierarchy[results.hierarchy["contrast"] == name],
            axis=_axis(results, own, config=config),
            level=config["lamm"]["level"],
            denominator=config["primary"]["denominator"],
            n_genes=config["report"]["n_genes"],
        )
        for name, own in results.of_contrast.items()
    ]


def _explorers(results: Results) -> dict[str, Any]:
    """Return the genes of the interactive volcano plots: `symbols`, and JSON by contrast."""
    tables = {name: own.expression for name, own in results.of_contrast.items()}
    packed = pack_explorers(tables)
    contrasts = {name: as_json(data) for name, data in packed["contrasts"].items()}
    return packed | {"contrasts": contrasts}


def _cell_map(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the interactive map as JSON, with its numbers of cells; None without one."""
    if data is None:
        return None
    return {"text": as_json(data), "n_shown": data["n_shown"], "n_all": data["n_all"]}


def _axis(results: Results, own: ContrastResults, *, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the section on LAMM cells and T cells in a contrast."""
    name = own.contrast.name
    levels = Levels(
        Comparison(results.sheet_samples, own.contrast),
        libraries=results.axis_libraries,
        terms=results.axis_terms,
        min_cells=config["expression"]["min_cells"],
    )
    wanted = config["axis"]["primary"] | {"contrast": name}
    primary = primary_of(wanted, name, level=config["lamm"]["level"])
    return axis_section(own.pairs, levels=levels, primary=primary)


def _plain(value: Any) -> Any:
    """Convert the config to plain dicts, lists and scalars."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _figure(images: Mapping[tuple[str, str], Path], group: str, name: str) -> dict[str, str] | None:
    """Return an image as a data URI with its caption, alternative text and named points."""
    file = images.get((group, name))
    if file is None:
        return None
    entry = find_figure(name)
    points, content = _points(file), file.read_bytes()
    width, height = _display_size(content)
    return {
        "source": f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}",
        "width": str(width),
        "height": str(height),
        "points": points,
        "title": entry.title,
        "caption": entry.caption,
        "alternative": entry.alternative + ("" if group == "cohort" else f" Contrast: {group}."),
        "file": f"figures/{group}/{name}.pdf",
    }


def _points(png: Path) -> str:
    """Return the named points of an image as JSON, places in 1/10,000; empty without any."""
    points = [(round(UNIT * x), round(UNIT * y), name) for x, y, name in read_points(png)]
    return json.dumps(points, separators=(",", ":"), ensure_ascii=False) if points else ""


def _display_size(png: bytes) -> tuple[int, int]:
    """Return width and height in CSS pixels, so that text has the same size in all figures."""
    width, height = struct.unpack(">II", png[16:24])
    at = png.find(b"pHYs", 0, 4096)
    dots_per_metre = struct.unpack(">I", png[at + 4 : at + 8])[0] if at > 0 else 5512
    scale = CSS_PIXELS_PER_INCH / (dots_per_metre * 0.0254)
    return round(width * scale), round(height * scale)
