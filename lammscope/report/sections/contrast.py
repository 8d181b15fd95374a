"""Content of the section on one contrast."""

import json
from typing import Any

import pandas as pd
from markupsafe import Markup

from lammscope.core.words import readable
from lammscope.report.order import volcano_types
from lammscope.report.results import ContrastResults
from lammscope.report.sections.design import audit_rows
from lammscope.report.sections.lines import (
    ambient_counts,
    family_table,
    gene_set_table,
    missing_lines,
    neighborhood_table,
    robustness_line,
)
from lammscope.report.sections.neighborhoods import neighborhood_line
from lammscope.report.table import (
    GENE_COLUMNS,
    abundance_rows,
    build_table,
    dropped_lines,
    explorer_points,
    lamm_lines,
    top_genes,
)


def contrast_section(
    results: ContrastResults,
    *,
    audit: pd.DataFrame,
    hierarchy: pd.DataFrame,
    axis: dict[str, Any],
    max_fdr: float,
    n_genes: int,
) -> dict[str, Any]:
    """Return the content of the section on one contrast.

    Parameters
    ----------
    results
        Its tables; they may be empty.
    audit
        Its rows of the design audit.
    hierarchy
        Its rows of `hierarchy.gather_expression`.
    axis
        From `axis.axis_section`.
    max_fdr
        False discovery rate up to which genes are colored.
    n_genes
        Number of genes listed per population.
    """
    contrast, abundance = results.contrast, results.abundance
    contrasts = {contrast.name: contrast}
    result: dict[str, Any] = {
        "name": contrast.name,
        "title": readable(contrast.name),
        "what": contrast.describe(),
        "audit": audit_rows(audit[audit["status"] != "ok"], contrasts=contrasts),
        "audit_ok": audit_rows(audit[audit["status"] == "ok"], contrasts=contrasts),
        "lamm": [],
        "robustness": "",
        "dropped": [],
        "abundance": None,
        "neighborhoods": neighborhood_table(results.neighborhoods_by_type, contrast=contrast),
        "neighborhood_line": neighborhood_line(
            results.neighborhoods_by_type, abundance, contrast=contrast
        ),
        "gene_sets": gene_set_table(results.gene_sets, contrast=contrast),
        "missing": missing_lines(results.missing, contrast=contrast),
        "populations": family_table(hierarchy),
        "axis": axis,
        "higher": contrast.toward("higher"),
        "per": contrast.per,
        **_gene_parts(results.expression, max_fdr=max_fdr, n_genes=n_genes),
    }
    if not abundance.empty and abundance["estimate"].notna().any():
        result["abundance"] = abundance_rows(abundance, contrast=contrast)
        result["lamm"] = lamm_lines(abundance, contrast=contrast)
        result["dropped"] = dropped_lines(abundance)
    if not results.robustness.empty:
        result["robustness"] = robustness_line(results.robustness, contrast=contrast)
    return result


def _gene_parts(expression: pd.DataFrame, *, max_fdr: float, n_genes: int) -> dict[str, Any]:
    """Return the genes that differ, those of ambient RNA, and untested populations."""
    result: dict[str, Any] = {"untested": [], "genes": None, "explorer": None}
    result["ambient_counts"] = []
    if expression.empty:
        return result
    rows = expression[expression["p"].notna()]
    others = expression[~expression["cell_type"].isin(set(rows["cell_type"]))]
    result["untested"] = [
        (readable(row["cell_type"]), readable(row["status"]))
        for row in others.drop_duplicates("cell_type").to_dict("records")
    ]
    if rows.empty:
        return result
    result["genes"] = build_table(top_genes(expression, n_genes=n_genes), GENE_COLUMNS)
    result["ambient_counts"] = ambient_counts(rows)
    types = volcano_types(expression, n_types=8)
    points = explorer_points(expression, types=types, max_fdr=max_fdr)
    text = json.dumps(points, separators=(",", ":")).replace("<", "\\u003c")
    result["explorer"] = Markup(text)
    return result
