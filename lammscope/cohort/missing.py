"""Words and codes that stand for a missing value in a sheet.

Empty fields, `NA`, `NaN` and `NULL` are always missing. Other usual words (`unknown`, `n.d.`,
`None`) and codes (`-999`) are missing, too, but reported, since a sheet may mean a value by them.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

EMPTY = frozenset({"", "na", "n/a", "n.a.", "n.a", "nan", "null", "<na>"})  # in any capitals
WORDS = frozenset(
    {
        *("unknown", "unk", "unkn", "missing", "n.d.", "n.d", "n/d", "not available", "no data"),
        *("not known", "not determined", "not done", "not reported", "not recorded", "not tested"),
        *("not assessed", "not applicable", "not evaluated", "unavailable", "undetermined"),
        *("unspecified", "tbd", "to be determined", "?", "??", "???", ".", "..", "-", "--", "---"),
        *("\N{EN DASH}", "\N{EM DASH}"),
    }
)
DASHES = frozenset({"-", "--", "---", "\N{EN DASH}", "\N{EM DASH}"})  # or negative, beside a plus
CODE = re.compile(r"-9{2,}([.,]0+)?")
LARGE = -999  # codes from here on are missing in a column with other negative values, too


def find_missing(values: pd.Series, part: Mapping[str, Any], keep: Collection[str]) -> pd.Series:
    """Return which values of a column are words or codes for missing ones (bool).

    Parameters
    ----------
    values
        Text; NA for fields that are missing already.
    part
        The column in the schema, or an empty mapping.
    keep
        Values that the config names, which are never missing.

    Notes
    -----
    `None` as Python writes it is missing, `none` in lower case only in a column of numbers, since
    it may be a category (no bridging therapy). A dash is a value in a column with a plus. Codes are
    -99, -999, ...; in a column with negative numbers, and in `day`, from -999 on.
    """
    known = values.dropna()
    known = known[~known.isin(list(keep))]
    plain = known.str.lower().str.replace(r"[\s_]+", " ", regex=True)
    found = plain.isin(WORDS) | (known == "None")
    if (values == "+").any():
        found &= ~plain.isin(DASHES)
    is_code = known.map(lambda value: CODE.fullmatch(value) is not None).astype(bool)
    others = known[~found & ~is_code & (plain != "none")]
    numbers = pd.to_numeric(others.str.replace(",", "."), errors="coerce")
    is_numeric = part.get("type") == "number" or (len(numbers) > 0 and bool(numbers.notna().all()))
    if is_numeric:
        found |= plain == "none"
        codes = pd.to_numeric(known.where(is_code).str.replace(",", "."))
        signed = part.get("type") == "number" and "minimum" not in part
        if signed or bool((numbers < 0).any()):
            lowest = float(numbers.min()) if len(numbers) else 0.0
            is_code &= (codes <= LARGE) & (codes < 2 * min(lowest, 0.0))
    found |= is_code
    return found.reindex(values.index, fill_value=False).astype(bool)
