"""Tests of T-cell measures in a contrast, with the patient as the unit."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from lammscope.abundance.comparisons import compare, empty_row
from lammscope.abundance.fractions import OFFSET, Measure, sum_sides
from lammscope.abundance.verdicts import verdict_words
from lammscope.axis.t_states import CAR_T, FRACTION, MEAN, MEASURES, T
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sorts import Sorts, refused_denominators
from lammscope.core.names import UNKNOWN_CAR_T
from lammscope.core.verdicts import SUGGESTIVE, Evidence
from lammscope.stats.multiplicity import benjamini_hochberg

SCALES = {MEAN: "mean", FRACTION: "logit"}  # on which a kind of measure is tested
COLUMNS = [
    *("population", "measure", "kind", "scale", "estimate", "se", "ci_low", "ci_high", "t", "df"),
    *("p", "fdr", "p_permutation", "p_floor", "permutation_scheme", "mean_test", "mean_reference"),
    *("sd_test", "sd_reference", "n_test", "n_reference", "influence_low", "influence_high"),
    *("influence_patient", "influence_p_max", "detectable", "status", "reason", "notes"),
    *("verdict", "words", "doubts"),
]
SHARE = (T, CAR_T)  # of CAR-T cells among T cells
NO_CAR_T = "there are no CAR-T cells before infusion to compare with"
NO_CELLS = "no such cells in these samples"
NO_SHARE = "the CAR status is not known: no CAR feature, or libraries sorted by the CAR"
FEW_CELLS = "no patient has"
OF_DEPTH = "fractions of states move with sequencing depth, mean scores do not"
AFTER_ONLY = "no CAR-T cells before infusion: the change is the share after infusion"
CAR_T_AMONG = "CAR-T cells are among them after infusion"


def read_measures(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join tables of measures, which may be none.

    Raises
    ------
    ValueError
        If a sample has a measure of a population twice.
    """
    filled = [table[MEASURES] for table in tables if len(table)]
    joined = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=MEASURES)
    keys = ["sample", "population", "measure", "kind"]
    twice = joined[joined.duplicated(keys)]
    if len(twice):
        row = twice.iloc[0]
        raise ValueError(
            f"tables of measures: sample {row['sample']} has `{row['measure']}` of "
            f"{row['population']} twice; rename one"
        )
    return joined


def test_states(
    measures: pd.DataFrame,
    comparison: Comparison,
    *,
    min_cells: int,
    sorts: Sorts,
    permutations: Permutations,
) -> pd.DataFrame:
    """Test each measure of each T population, and give each row its verdict.

    Parameters
    ----------
    measures
        `t_states.MEASURES`, from `read_measures`. Replicates are summed.
    comparison
        Who is compared with whom.
    min_cells
        Units with fewer cells on a side are left out, and named in `notes`.
    sorts
        As in `sorts.kept_lineages`. Nothing is tested if sorting removed T cells.
    permutations
        Of the patients.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, by population, kind and measure. Means are tested as they are,
        fractions on the logit scale. Rates of false discovery are over all rows of the contrast.
        Rows that could not be tested have `status` and `reason`; there is always a row of the CAR-T
        share.
    """
    units, contrast = comparison.units, comparison.contrast
    removed = refused_denominators(comparison.sorts, sorts=sorts).get(T, [])
    rows: list[dict[str, Any]] = []
    for kind, scale in SCALES.items():
        family = _family(measures, units, comparison, kind=kind)
        refused = [_refusal(measure, comparison, removed) for measure in family]
        tested = [m for m, reason in zip(family, refused, strict=True) if not reason]
        found = compare(
            [_after_only(measure, comparison) for measure in tested],
            units,
            contrast,
            scale=scale,
            min_cells=min_cells,
            permutations=permutations,
        )
        for measure, row in zip(tested, found, strict=True):
            row |= {"kind": kind, "notes": _notes(row, measure, comparison)}
            if measure.mean and row["status"] == "no_cells":
                row |= {"status": "too_few_cells", "reason": f"{FEW_CELLS} {min_cells} cells"}
            rows.append(row)
        for measure, reason in zip(family, refused, strict=True):
            if reason:
                empty = empty_row(units, contrast, scale=scale) | {"kind": kind, "reason": reason}
                empty |= {"population": measure.population, "denominator": measure.denominator}
                rows.append(empty | {"status": "sorted_out" if removed else "no_cells"})
    table = pd.DataFrame(rows).rename(columns={"population": "measure"})
    table = table.rename(columns={"denominator": "population"})
    return _judge(table, contrast)[COLUMNS]


def _family(
    measures: pd.DataFrame, units: pd.DataFrame, comparison: Comparison, *, kind: str
) -> list[Measure]:
    """Return the measures of a kind; `population` is the measure, `denominator` the cells."""
    tested = measures["population"] != UNKNOWN_CAR_T
    own = measures[tested & (measures["kind"] == kind)]
    keys = ["population", "measure"]
    names = [(str(a), str(b)) for a, b in own[keys].drop_duplicates().to_numpy()]
    if not any(population == CAR_T for population, _ in names):
        of_t = [name for population, name in names if population == T and name != CAR_T]
        names += [(CAR_T, name) for name in of_t]
    if kind == FRACTION and SHARE not in names:
        names.append(SHARE)
    if not names:
        return []
    sides = {}
    for column in ("total", "n_cells"):
        wide = own.pivot(index="sample", columns=keys, values=column)
        wide = wide.reindex(
            index=comparison.samples["sample"], columns=pd.MultiIndex.from_tuples(names, names=keys)
        )
        sides[column] = sum_sides(wide.fillna(0.0), units)
    is_mean = kind == MEAN
    share, offset = (0.0, 0.0) if is_mean else (OFFSET, 2 * OFFSET)
    return [
        Measure(name, population, count.T, total.T, share, offset, partition=False, mean=is_mean)
        for (population, name), count, total in zip(
            names, sides["total"], sides["n_cells"], strict=True
        )
    ]


def _is_share(measure: Measure) -> bool:
    return (measure.denominator, measure.population) == SHARE


def _starts_at_none(measure: Measure, comparison: Comparison) -> bool:
    """Return whether it is the CAR-T share, with a side before infusion, where it is always 0."""
    two_sides = comparison.crosses_phases and measure.count.shape[1] == 2
    known = two_sides and measure.total[:, 1].any()
    return _is_share(measure) and bool(known) and not measure.count[:, 1].any()


def _after_only(measure: Measure, comparison: Comparison) -> Measure:
    """Return the CAR-T share after infusion alone, since the logit of 0 is a number of T cells."""
    if not _starts_at_none(measure, comparison):
        return measure
    count, total = measure.count[:, :1], measure.total[:, :1]
    return Measure(
        measure.population, measure.denominator, count, total, OFFSET, 2 * OFFSET, partition=False
    )


def _refusal(measure: Measure, comparison: Comparison, removed: Sequence[str]) -> str:
    """Say why a measure is not tested at all; "" if it may be."""
    if removed:
        return f"sorting for {', '.join(removed)} removed T cells"
    if _starts_at_none(measure, comparison):
        return "" if comparison.contrast.has_arms else NO_CAR_T
    if measure.total.any(axis=0).all():
        return ""
    if comparison.crosses_phases and measure.denominator == CAR_T and measure.total.any():
        return NO_CAR_T
    return NO_SHARE if _is_share(measure) else NO_CELLS


def _notes(row: dict[str, Any], measure: Measure, comparison: Comparison) -> str:
    """Add to the notes of a tested row what its number depends on."""
    notes = [str(row["notes"])] if row["notes"] else []
    if _starts_at_none(measure, comparison):
        notes.append(AFTER_ONLY)
    elif not measure.mean and not _is_share(measure):
        notes.append(OF_DEPTH)
    if comparison.crosses_phases and measure.denominator == T and not _is_share(measure):
        notes.append(CAR_T_AMONG)
    return "; ".join(notes)


def _judge(table: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """Add the false discovery rates and verdicts."""
    keys = ["population", "kind"]
    table = table.sort_values(keys, ascending=[True, False], kind="stable", ignore_index=True)
    table["fdr"] = benjamini_hochberg(table["p"])
    verdicts, words, doubts = [], [], []
    for row in table.to_dict("records"):
        evidence = Evidence.of_row(row, corrected=float(row["fdr"]), correction="FDR")
        verdicts.append(evidence.verdict)
        words.append(verdict_words({str(k): v for k, v in row.items()}, evidence, contrast))
        doubts.append("; ".join(evidence.doubts) if evidence.verdict == SUGGESTIVE else "")
    return table.assign(verdict=verdicts, words=words, doubts=doubts)
