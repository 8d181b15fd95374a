"""Names of samples as people read them, in figures and in tables of the report.

Names of samples are often those of a laboratory. Patient and time point say more, and so does the
sheet's own column `label`. Only figures and report read these names, so a changed label reruns no
analysis.
"""

from collections.abc import Iterator

import pandas as pd

from lammscope.core.words import as_text, readable

LABEL = "label"  # an optional column of the sample sheet
MORE = ("compartment", "sort", "batch")  # added where patient and time point are not unique


def sample_labels(samples: pd.DataFrame) -> dict[str, str]:
    """Return the name that is shown for each sample; no two samples share one.

    It is the sheet's `label`. Without one, it is the patient and the time point, with compartment,
    sorting and batch where they are needed to tell samples apart; if they are not enough, the name
    of the sample.
    """
    names = samples["sample"].astype(str)
    given = _given(samples)
    texts = {
        column: as_text(samples[column]).map(readable, na_action="ignore").fillna("")
        for column in ("timepoint", *MORE)
        if column in samples
    }
    made = (as_text(samples["patient"]) + " " + texts["timepoint"]).str.strip()
    for column in MORE:
        alike = made.duplicated(keep=False)
        if column in texts and alike.any():
            differs = texts[column].groupby(made).transform("nunique") > 1
            made = made.where(~(alike & differs), made + " " + texts[column]).str.strip()
    shown = given.fillna(made)
    # A name that two samples would share, or that belongs to another sample, names neither.
    taken = shown.duplicated(keep=False) | (shown.isin(set(names)) & (shown != names))
    shown = shown.where(~taken | given.notna(), names)
    if shown.duplicated().any():
        shown = names
    return dict(zip(names, shown.astype(str), strict=True))


def label_mistakes(samples: pd.DataFrame) -> Iterator[str]:
    """Find labels of the sample sheet that two rows share, or that are names of other samples."""
    given = as_text(samples[LABEL]).dropna() if LABEL in samples else pd.Series(dtype=object)
    for row, value in given[given.duplicated()].items():
        first = given.index[given == value][0]
        yield (
            f"row {row}: label `{value}` is also in row {first}; labels name samples, so "
            "they must be unique; if the column holds something else, rename it"
        )
    for row, value in given.items():
        others = samples.index[(samples["sample"] == value) & (samples.index != row)]
        for other in others:
            yield f"row {row}: label `{value}` is the name of the sample in row {other}; change it"


def _given(samples: pd.DataFrame) -> pd.Series:
    """Return the given labels; missing where there are none.

    A column of the patient sheet with this name gives several samples the same value, and is
    something else.
    """
    none = pd.Series(None, index=samples.index, dtype=object)
    given = as_text(samples[LABEL]) if LABEL in samples else none
    return none if given.dropna().duplicated().any() else given
