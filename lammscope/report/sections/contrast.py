"""The section of one contrast."""

import json
from typing import Any

import pandas as pd
from markupsafe import Markup

from lammscope.cohort.contrasts import Contrast
from lammscope.core.words import readable
from lammscope.report.order import population_order, volcano_types
from lammscope.report.sections.design import audit_rows
from lammscope.report.sections.lines import (
    gene_set_table,
    missing_lines,
    neighborhood_table,
    robustness_line,
)
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
    name: str,
    *,
    contrast: Contrast,
    audit: pd.DataFrame,
    abundance: pd.DataFrame,
    robustness: pd.DataFrame,
    neighborhoods: pd.DataFrame,
    expression: pd.DataFrame,
    missing: pd.DataFrame,
    gene_sets: pd.DataFrame,
    max_fdr: float,
    n_genes: int,
) -> dict[str, Any]:
    """Everything the report says about one contrast."""
    result: dict[str, Any] = {
        "name": name,
        "title": readable(name),
        "what": contrast.describe(),
        "audit": audit_rows(audit[audit["status"] != "ok"], contrasts={name: contrast}),
        "audit_ok": audit_rows(audit[audit["status"] == "ok"], contrasts={name: contrast}),
        "lamm": [],
        "robustness": "",
        "dropped": [],
        "untested": [],
        "abundance": None,
        "neighborhoods": neighborhood_table(neighborhoods, contrast=contrast),
        "genes": None,
        "gene_sets": gene_set_table(gene_sets, contrast=contrast),
        "missing": missing_lines(missing, contrast=contrast),
        "gene_counts": [],
        "explorer": None,
        "test": readable(contrast.test),
    }
    if not abundance.empty and abundance["estimate"].notna().any():
        result["abundance"] = abundance_rows(abundance, contrast=contrast)
        result["lamm"] = lamm_lines(abundance, contrast=contrast)
        result["dropped"] = dropped_lines(abundance)
    if not robustness.empty:
        result["robustness"] = robustness_line(robustness, contrast=contrast)
    if not expression.empty:
        tested = set(expression.loc[expression["p"].notna(), "cell_type"])
        others = expression[~expression["cell_type"].isin(tested)].drop_duplicates("cell_type")
        result["untested"] = [
            (readable(row["cell_type"]), readable(row["status"]))
            for row in others.to_dict("records")
        ]
    if not expression.empty and expression["p"].notna().any():
        genes = top_genes(expression, n_genes=n_genes)
        result["genes"] = build_table(genes, GENE_COLUMNS)
        rows = expression[expression["p"].notna()]
        significant = (rows["fdr"] <= max_fdr).groupby(rows["cell_type"]).sum()
        result["gene_counts"] = [
            (readable(p), f"{significant[p]:,}") for p in population_order(list(significant.index))
        ]
        types = volcano_types(expression, n_types=8)
        points = explorer_points(expression, types=types, max_fdr=max_fdr)
        result["explorer"] = Markup(
            json.dumps(points, separators=(",", ":")).replace("<", "\\u003c")
        )
    return result
