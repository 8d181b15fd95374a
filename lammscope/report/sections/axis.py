"""Content of the section on LAMM cells and T cells in a contrast."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.axis.primary import PRIMARY
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.pairs import read_term
from lammscope.core.verdicts import SUGGESTIVE, SUPPORTED
from lammscope.core.words import counted, p_words, population_words, readable
from lammscope.report.axis_levels import Levels, level_rows
from lammscope.report.axis_rows import (
    PROXY,
    SIGNAL,
    SPECIFICITY,
    effect_keys,
    fold_words,
    pair_words,
    read_rows,
    reason_words,
    route_words,
    rows_in_order,
    term_words,
    told_rows,
)
from lammscope.report.catalog import result_path
from lammscope.report.table import MODEL, Column, Table, build_table, name_columns, size_words
from lammscope.report.table_cells import (
    effect_cells,
    size_cells,
    verdict_cells,
    with_notes,
    worst_left_out,
    write_cell,
)

N_ROWS = 30  # tested pairs in the table, the most important first
SHOWN = "shown"  # status of pairs whose levels are shown and nothing is tested
UNTESTED = {  # why pairs were not tested, in the order of the sentence
    "too_few_patients": "too few patients with enough of both cells",
    "too_few_values": "too few different values",
    "aliased": "arms that cannot be separated from a covariate",
    "no_cells": "no such cells",
    "no_gene": "a gene that no matrix has",
    "no_counts": "no UMI of a gene",
    "too_few_counts": "too few UMIs of a gene",
    "ambient": "UMIs that ambient RNA may explain",
    "no_variation": "the same level in all patients",
}
PAIR_COLUMNS = (
    Column("pair", "Pair", "text"),
    Column("verdict", "Verdict", "words", choice=True),
    Column("sender", "Sender", "name", choice=True),
    Column("receiver", "Receiver", "name", choice=True),
    Column("effect", "{ratio} (95 % CI)", "ratio", "of the product of both terms"),
    Column("p", "p", "p", MODEL),
    Column("fdr", "FDR", "p", "Benjamini-Hochberg over the tested rows but the pre-specified one"),
    Column("p_permutation", "p, permutation", "p", "assumes no distribution"),
    Column("n", "n", "number", "{sizes}", constant=True),
    Column("sender_effect", "Sender's term", "ratio", "ratio of its level per cell", True),
    Column("sender_p", "p, sender", "p", more=True),
    Column("receiver_effect", "Receiver's term", "ratio", "ratio of its level per cell", True),
    Column("receiver_p", "p, receiver", "p", more=True),
    Column("supply_effect", "Supply", "ratio", "sender's term times the fraction of senders", True),
    Column("supply_p", "p, supply", "p", more=True),
    Column(
        "specificity_effect",
        "Against other monocytic cells",
        "ratio",
        "the sender's term relative to the other monocytic cells of the same patients",
        True,
    ),
    Column("left_out", "p, one left out", "p", "largest p with one patient left out", True),
)


def axis_section(
    pairs: pd.DataFrame, *, levels: Levels, primary: Mapping[str, str] | None
) -> dict[str, Any]:
    """Return the content of the section on LAMM cells and T cells.

    Parameters
    ----------
    pairs
        `axis/pairs.{contrast}.tsv`; may be empty.
    levels
        Levels of terms in the patients of the contrast.
    primary
        `pair`, `sender` and `receiver` of the pre-specified row, also in secondary contrasts.

    Returns
    -------
    dict
        `nothing` (why nothing was tested, or that nothing differs, else ""), `lines` on the
        pre-specified pair, `counts` (how many were tested, and why others were not), `table`,
        `n_tested` and `shown`; `differs` and `has_patients`: whether there are supported or
        suggestive pairs, and levels of patients to draw.
    """
    contrast = levels.comparison.contrast
    pairs = read_rows(pairs)
    tested = rows_in_order(pairs)
    row, beside = told_rows(pairs, primary)
    return {
        "nothing": _nothing(pairs, tested),
        "differs": _differs(tested),
        "has_patients": any(own is not None and np.isfinite(own["p"]) for own in (row, beside)),
        "lines": _told_lines(row, beside, contrast=contrast),
        "counts": count_line(pairs),
        "table": pair_table(tested.head(N_ROWS), contrast=contrast),
        "n_tested": len(tested),
        "shown": shown_table(pairs, levels=levels, primary=primary),
    }


def count_line(pairs: pd.DataFrame) -> str:
    """Say how many pairs were tested, and how many were not for which reason."""
    asked = pairs[pairs["status"] != SHOWN] if len(pairs) else pairs
    if asked.empty:
        return ""
    known = asked["p"].notna()
    line = (
        f"{known.sum():,} of {len(asked):,} combinations of pair, sender and receiver were tested "
        f"({asked.loc[known, 'pair'].nunique()} of {asked['pair'].nunique()} pairs)."
    )
    numbers = asked.loc[~known, "status"].value_counts()
    order = [*UNTESTED, *sorted(set(numbers.index) - set(UNTESTED))]
    words = [f"{UNTESTED.get(s, readable(s))}: {numbers[s]:,}" for s in order if s in numbers]
    return f"{line} Not tested: {'; '.join(words)}." if words else line


def pair_table(tested: pd.DataFrame, *, contrast: Contrast) -> Table | None:
    """Return the table of tested pairs; None without any."""
    if tested.empty:
        return None
    rows = tested.to_dict("records")
    table = tested.assign(
        pair=with_notes(
            [write_cell(pair_words(row["pair"]), "text") for row in rows],
            ["specified in advance" * (row["role"] == PRIMARY) for row in rows],
        ),
        verdict=verdict_cells(tested["words"], tested["doubts"]),
        sender=tested["sender"].map(population_words),
        receiver=tested["receiver"].map(population_words),
        left_out=worst_left_out(tested),
        n=size_cells(
            contrast.size_cell(f"{row['n_test']:.0f}", f"{row['n_reference']:.0f}") for row in rows
        ),
        **{
            f"{measure}effect": effect_cells(
                tested, kind="ratio", keys=effect_keys(measure.removesuffix("_")), unit=np.log(2)
            )
            for measure in ("", "sender_", "receiver_", "supply_", f"{SPECIFICITY}_")
        },
    )
    ratio = _ratio(contrast)
    words = {"ratio": ratio[0].upper() + ratio[1:], "sizes": size_words(contrast)}
    columns = name_columns(PAIR_COLUMNS, **words)
    return build_table(table, columns, file=result_path("pairs", contrast=contrast.name))


def shown_table(
    pairs: pd.DataFrame, *, levels: Levels, primary: Mapping[str, str] | None
) -> Table | None:
    """Return levels of the terms that are shown and not tested; None without any.

    Terms of senders are given in the sender of the pre-specified pair, those of receivers in its
    receiver.
    """
    if primary is None or pairs.empty:
        return None
    rows = pairs[
        (pairs["status"] == SHOWN)
        & (pairs["sender"] == primary["sender"])
        & (pairs["receiver"] == primary["receiver"])
    ]
    wanted = [
        (f"{side} of", read_term(term), primary[group])
        for side, column, group in (
            ("Sender", "ligand", "sender"),
            ("Receiver", "receptor", "receiver"),
        )
        for term in dict.fromkeys(rows[column].astype(str))
    ]
    if not wanted:
        return None
    slots = levels.slots
    table = pd.DataFrame(level_rows(levels, wanted))
    table = table.assign(
        term=table["term"].map(term_words), group=table["group"].map(population_words)
    )
    columns = [Column("term", "Genes"), Column("group", "Cells", "name")]
    for i, slot in enumerate(slots):
        hint = "UMIs per 10,000, mean of patients; of genes that are all needed, the rarest"
        columns += [
            Column(f"level_{i}", f"{slot.label}, UMIs per 10,000", "number", hint),
            Column(f"share_{i}", f"{slot.label}, patients with a UMI", "percent"),
        ]
    return build_table(table, columns, file=result_path("axis_terms"))


def _nothing(pairs: pd.DataFrame, tested: pd.DataFrame) -> str:
    """Say why nothing was tested; "" if something was."""
    if pairs.empty:
        return "No ligand-receptor pairs are named in the config, or no cells send or receive."
    if _differs(tested):
        return ""
    if len(tested):
        return "None of the tested pairs is supported or suggestive in this contrast."
    reasons = pairs.loc[~pairs["status"].isin([SHOWN, "ok"]), "status"]
    if reasons.empty:
        return "No ligand-receptor pair is to be tested."
    most = reasons.value_counts().index[0]
    words = UNTESTED.get(most, readable(most))
    return f"No ligand-receptor pair could be tested in this contrast. Most often: {words}."


def _differs(tested: pd.DataFrame) -> bool:
    return len(tested) > 0 and bool(tested["verdict"].isin([SUPPORTED, SUGGESTIVE]).any())


def _told_lines(
    row: Mapping[str, Any] | None, beside: Mapping[str, Any] | None, *, contrast: Contrast
) -> list[str]:
    """Return sentences on the pre-specified pair; without a result, on cyclooxygenases, too."""
    if row is None:
        return []
    lines = [_result_line(row, contrast=contrast)]
    if np.isfinite(row["p"]):
        lines += _term_lines(row)
    if beside is not None and np.isfinite(beside["p"]):
        line = _result_line(beside, contrast=contrast)
        lines += [f"{line} By itself this is no PGE2 signal.", *_term_lines(beside)]
    elif beside is not None and beside["reason"] == row["reason"]:
        lines.append(f"{pair_words(beside['pair'])}: not testable for the same reason.")
    elif beside is not None:
        lines.append(_result_line(beside, contrast=contrast))
    if "PGE2" in str(row["pair"]):
        lines.append(PROXY)
    return lines


def _result_line(row: Mapping[str, Any], *, contrast: Contrast) -> str:
    """State the verdict on a pair with its ratio, interval and patients, or why it has none."""
    role = " (specified in advance)" if row["role"] == PRIMARY else ""
    name = f"{pair_words(row['pair'])}, {route_words(row)}{role}"
    if not np.isfinite(row["p"]):
        return f"{name}: not testable ({reason_words(row['reason'])})."
    sizes = contrast.patients(int(row["n_test"]), int(row["n_reference"]))
    verdict, _, rest = readable(row["words"]).partition(": ")
    verdict = f"{verdict} ({rest})" if rest else verdict.partition(";")[0]
    result = _result(row).removesuffix(")")
    return f"{name}: {verdict}. The {_ratio(contrast)} ({SIGNAL}) is {result}; {sizes})."


def _term_lines(row: Mapping[str, Any]) -> list[str]:
    """Give both terms, the supply, and the comparison with other monocytic cells."""
    terms = [
        f"The {term}'s term, {term_words(row[column])}: {_result(row, f'{term}_')}."
        for term, column in (("sender", "ligand"), ("receiver", "receptor"))
    ]
    if np.isfinite(row["supply_p"]):
        supply = _result(row, "supply_")
        terms.append(f"The supply, which also counts how many cells send: {supply}.")
    lines = [" ".join(terms)]
    if np.isfinite(row["specificity_p"]):
        n = counted(int(row["specificity_n"]), "patients")
        cells = population_words(row["sender"])
        lines.append(
            f"Within {n}, the ratio of the sender's term in {cells} cells "
            f"to that in the other monocytic cells is {_result(row, SPECIFICITY, '_p')}."
        )
    return lines


def _result(row: Mapping[str, Any], measure: str = "", p: str = "p") -> str:
    """Write `2.3 (95 % CI 1.2 to 4.4; p = 0.02)`."""
    ratio, _, interval = fold_words(row, measure).partition(" (")
    return f"{ratio} (95 % CI {interval.removesuffix(')')}; {p_words(row[f'{measure}{p}'])})"


def _ratio(contrast: Contrast) -> str:
    return contrast.ratio("expression")
