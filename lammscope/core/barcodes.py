"""The nucleotides in names of barcodes."""

import numpy as np
import pandas as pd

# The nucleotides of a barcode: 14 or 16 for 10x, parts of 8 or more for others (inDrops). Eight in
# a row are rare in other names; the limit is our choice.
NUCLEOTIDES = r"[ACGTN]{8,}(?:[-_+.][ACGTN]{8,})*"


def nucleotides_of(names: np.ndarray | pd.Series) -> pd.Series:
    """Return the nucleotides of each name, without prefixes and suffixes; missing if it has none.

    Examples
    --------
    >>> nucleotides_of(np.array(["P1_AAACCTGAGAAACCAT-1", "cell_1"])).tolist()
    ['AAACCTGAGAAACCAT', nan]
    """
    text = pd.Series(np.asarray(names), dtype=str)
    return text.str.extract(rf"(?:^|[^A-Za-z])({NUCLEOTIDES})(?![A-Za-z])", expand=False)
