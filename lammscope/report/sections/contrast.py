"""Content of the section on one contrast."""

from typing import Any

import pandas as pd

from lammscope.core.words import readable
from lammscope.report.catalog import result_path
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
    abundance_rows,
    dropped_lines,
    gene_rows,
    lamm_lines,
)


def contrast_section(
    results: ContrastResults,
    *,
    audit: pd.DataFrame,
    hierarchy: pd.DataFrame,
    axis: dict[str, Any],
    level: str,
    denominator: str,
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
    level
        That of LAMM cells, `lamm.level` in the config.
    denominator
        That of the primary result, `primary.denominator` in the config.
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
            results.neighborhoods_by_type, abundance, contrast=contrast, denominator=denominator
        ),
        "gene_sets": gene_set_table(results.gene_sets, contrast=contrast),
        "missing": missing_lines(results.missing, contrast=contrast),
        "populations": family_table(hierarchy),
        "axis": axis,
        "higher": contrast.toward("higher"),
        "per": contrast.per,
        **_gene_parts(results, n_genes=n_genes),
    }
    if not abundance.empty and abundance["estimate"].notna().any():
        file = result_path("abundance", contrast=contrast.name)
        result["abundance"] = abundance_rows(
            abundance, contrast=contrast, level=level, first=denominator, file=file
        )
        result["lamm"] = lamm_lines(abundance, contrast=contrast, first=denominator)
        result["dropped"] = dropped_lines(abundance)
    if not results.robustness.empty:
        result["robustness"] = robustness_line(results.robustness, contrast=contrast)
    return result


def _gene_parts(results: ContrastResults, *, n_genes: int) -> dict[str, Any]:
    """Return the genes that differ, those of ambient RNA, and untested populations."""
    expression, contrast = results.expression, results.contrast
    result: dict[str, Any] = {"untested": [], "genes": None}
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
    file = result_path("expression", contrast=contrast.name)
    result["genes"] = gene_rows(expression, contrast=contrast, n_genes=n_genes, file=file)
    result["ambient_counts"] = ambient_counts(rows)
    return result
