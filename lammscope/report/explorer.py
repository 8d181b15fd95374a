"""Genes of the interactive volcano plots: every row of the tables of expression, packed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.core.words import readable
from lammscope.report.order import volcano_types
from lammscope.report.packing import codes, pack, pack_words

STEPS_FOLD = 1000  # per unit of log2 fold change
STEPS_LOG = 200  # per unit of -log10 p
MISSING_LOG = 2**16 - 1
MISSING_FOLD = -(2**15)
NONE = ""  # verdict of a gene without one


def pack_explorers(expression: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the genes of all contrasts as plain values, with arrays packed by `packing.pack`.

    Parameters
    ----------
    expression
        `expression/{contrast}.tsv.gz` by contrast; tables may be empty.

    Returns
    -------
    dict
        `symbols` of all genes, sorted, and `contrasts`: for each contrast with a tested gene its
        `populations` (`name`, number of `rows`, `n_tested`; LAMM first), `untested` populations
        (`name`, `reason`), and a packed array of each column, with the rows of the populations one
        after the other: `gene` (position in `symbols`), `fold`, `low` and `high` (int16, `1 /
        STEPS_FOLD`), `p` and `fdr` (uint16, -log10 in `1 / STEPS_LOG`), `verdict` and `status`
        (uint8, positions in `verdicts` and `statuses`), and `ambient` (0 or 1). Missing values are
        `MISSING_FOLD` and `MISSING_LOG`.
    """
    rows = {name: _gene_rows(table) for name, table in expression.items()}
    rows = {name: table for name, table in rows.items() if table["p"].notna().any()}
    symbols = sorted(set().union(*(set(table["symbol"]) for table in rows.values())))
    return {
        "symbols": pack_words(symbols),
        "contrasts": {
            name: _pack_contrast(table, untested=_untested(expression[name]), symbols=symbols)
            for name, table in rows.items()
        },
    }


def _gene_rows(expression: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are about a gene, tested or not; the symbol is the id where it lacks."""
    if expression.empty or "gene" not in expression:
        return pd.DataFrame(columns=["cell_type", "symbol", "p"])
    genes, symbols = (expression[key].fillna("").astype(str) for key in ("gene", "symbol"))
    named = expression.assign(symbol=symbols.where(symbols != "", genes))
    return named[named["symbol"] != ""]


def _untested(expression: pd.DataFrame) -> list[dict[str, str]]:
    """Return the populations without a tested gene, and why."""
    tested = expression.loc[expression["p"].notna(), "cell_type"]
    others = expression[~expression["cell_type"].isin(set(tested))].drop_duplicates("cell_type")
    return [
        {"name": readable(row["cell_type"]), "reason": readable(row["status"])}
        for row in others.to_dict("records")
    ]


def _pack_contrast(
    rows: pd.DataFrame, *, untested: list[dict[str, str]], symbols: list[str]
) -> dict[str, Any]:
    names = volcano_types(rows, n_types=len(rows))
    rank = {name: place for place, name in enumerate(names)}
    rows = rows[rows["cell_type"].isin(rank)]
    rows = rows.assign(
        rank=rows["cell_type"].map(rank),
        position=pd.Index(symbols).get_indexer(pd.Index(rows["symbol"])),
    ).sort_values(["rank", "position"], kind="stable")
    n_rows = rows["cell_type"].value_counts()
    n_tested = rows.loc[rows["p"].notna(), "cell_type"].value_counts()
    verdicts, verdict = _categories(rows["verdict"])
    statuses, status = _categories(rows["status"])
    return {
        "populations": [
            {
                "name": readable(name),
                "rows": int(n_rows[name]),
                "n_tested": int(n_tested[name]),
            }
            for name in names
        ],
        "untested": untested,
        "verdicts": verdicts,
        "statuses": statuses,
        "gene": pack(codes(rows["position"].to_numpy(), len(symbols))),
        "fold": pack(_fold_steps(rows["log2fc"])),
        "low": pack(_fold_steps(rows["ci_low"])),
        "high": pack(_fold_steps(rows["ci_high"])),
        "p": pack(_log_steps(rows["p"])),
        "fdr": pack(_log_steps(rows["fdr"])),
        "verdict": pack(verdict),
        "status": pack(status),
        "ambient": pack(rows["ambient"].to_numpy(dtype=bool).astype(np.uint8)),
    }


def _categories(values: pd.Series) -> tuple[list[str], np.ndarray]:
    """Return the different texts, readable, and for each value the position of its own."""
    texts = values.astype(object).where(values.notna(), NONE).astype(str)
    names = sorted(set(texts))
    return [readable(name) for name in names], codes(
        pd.Index(names).get_indexer(pd.Index(texts)), len(names)
    )


def _fold_steps(values: pd.Series) -> np.ndarray:
    steps = np.round(values.to_numpy(dtype=float) * STEPS_FOLD)
    limit = -MISSING_FOLD - 1
    return np.where(np.isfinite(steps), np.clip(steps, -limit, limit), MISSING_FOLD).astype("<i2")


def _log_steps(p: pd.Series) -> np.ndarray:
    known = p.notna().to_numpy()
    height = -np.log10(np.clip(p.to_numpy(dtype=float), 1e-300, 1.0))
    return np.where(known, np.round(height * STEPS_LOG), MISSING_LOG).astype("<u2")
