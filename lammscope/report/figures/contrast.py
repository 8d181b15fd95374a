"""Data of a contrast's figures, and the groups that they show."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.core.words import as_text, readable


@dataclass(frozen=True, eq=False)
class ContrastData:
    """Data from which the figures of a contrast are drawn.

    Attributes
    ----------
    comparison
        The contrast and the samples that it compares.
    counts
        `abundance/counts.tsv`.
    abundance, robustness, expression
        `abundance/{contrast}.tsv`, `abundance/robustness.{contrast}.tsv` and
        `expression/{contrast}.tsv.gz`; may be empty.
    level, probability
        The configured LAMM level, `macrophage_like` or `positive`, and the threshold of a call.
    min_cells
        Samples with fewer cells in a denominator are not tested and drawn hollow.
    denominator
        That of the primary result, whose panel comes first.
    exclude_pre_post
        Populations left out of the denominators where phases are compared.
    max_fdr
        Genes at or below this false discovery rate are colored.
    n_labels
        Genes named on each side of a volcano plot.
    """

    comparison: Comparison
    counts: pd.DataFrame
    abundance: pd.DataFrame
    robustness: pd.DataFrame
    expression: pd.DataFrame
    level: str
    probability: float
    min_cells: int
    denominator: str
    exclude_pre_post: Sequence[str]
    max_fdr: float
    n_labels: int

    @property
    def contrast(self) -> Contrast:
        """The contrast that is compared."""
        return self.comparison.contrast


def contrast_slots(comparison: Comparison) -> pd.DataFrame:
    """Assign a slot on the axis to each sample that is shown in a contrast's figure.

    Returns
    -------
    DataFrame
        Rows of the sample table with `slot` (words), `rank` (order of slots), `unit` (whose points
        a line joins: the patient and, in a `paired` contrast, the columns of `match`) and `tested`
        (bool).
    """
    contrast, samples = comparison.contrast, comparison.samples
    column = contrast.column
    chosen = comparison.selection.set_index("sample").reindex(samples["sample"])
    used = (chosen["use"] == "used").to_numpy()
    shown = chosen["use"].isin(["used", "incomplete"]).to_numpy()
    if contrast.has_arms and column == "response":
        other_phase = (chosen["reason"] == "phase is not asked for").to_numpy()
        in_arms = samples["response"].isin([contrast.test, contrast.reference]).to_numpy()
        table = slots_by_arm_and_phase(samples).assign(tested=used)
        return table[in_arms & (shown | other_phase)]
    table = samples.assign(tested=used)[shown]
    value = as_text(table[column])
    units = ["sample"] if contrast.between_patients else ["patient", *contrast.match]
    return table.assign(
        slot=value.map(readable),
        rank=contrast.ranks(table),
        unit=table[units].astype(str).agg(" ".join, axis=1),
    )


def slots_by_arm_and_phase(samples: pd.DataFrame) -> pd.DataFrame:
    """Return slots by arm and phase; without labels by phase, else one for the whole cohort."""
    table = samples.copy()
    arms = {"responder": 0, "non_responder": 1}
    phases = {"pre": 0, "post": 1}
    has_arms, has_phases = table["response"].notna().any(), table["phase"].notna().any()
    arm = table["response"].map(readable, na_action="ignore").fillna("no label")
    phase = table["phase"].fillna("other time")
    if has_arms and has_phases:
        table["slot"] = arm + "\n" + phase
    else:
        table["slot"] = arm if has_arms else phase if has_phases else "all samples"
    table["rank"] = 3 * table["response"].map(arms).fillna(2) + table["phase"].map(phases).fillna(2)
    table["unit"] = table["patient"].astype(str)
    for column in ("compartment", "sort"):
        if column in table:
            table["unit"] += " " + table[column].astype(str)
    table["tested"] = True
    return table
