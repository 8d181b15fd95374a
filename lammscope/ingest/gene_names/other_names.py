"""Names of features that are neither symbols nor Ensembl ids of genes."""

import pandas as pd

from lammscope.core.runtime import logger
from lammscope.ingest.gene_names.columns import MAJORITY

MIN_NAMES = 20  # fewer do not show what they are; our choice
ADVICE = "name the genes by HGNC symbol or Ensembl id (ENSG...)"
OTHERS = {  # what the names are: their pattern, and the remedy
    "regions of the genome": (
        r"(?i:chr)?(?:\d{1,2}|[XYM]|MT)[:_-]\d+[-_:]\d+",
        "give the gene expression matrix, not that of ATAC peaks",
    ),
    "transcripts": (
        r"(?:ENS[A-Z]*T\d{6,}|[NX][MR]_\d+)(?:\.\d+)?(?:[|_:;].*)?",
        f"sum the transcripts of each gene, and {ADVICE}",
    ),
    "ids of probes": (r"\w+_(?:[asx]_)?at|ILMN_\d+", ADVICE),
}


def refuse_other_names(features: pd.DataFrame) -> None:
    """Refuse names with which neither markers nor mitochondrial genes could be found.

    Numbers may be Entrez ids, which a warning says.

    Parameters
    ----------
    features
        `gene` and `symbol`.

    Raises
    ------
    ValueError
        If most features have such names, in both columns.
    """
    if len(features) < MIN_NAMES:
        return
    if features["symbol"].str.fullmatch(r"\d+").mean() > MAJORITY:
        logger.warning("genes are named by numbers (e.g. %s): %s", features["gene"].iloc[0], ADVICE)
    for what, (pattern, remedy) in OTHERS.items():
        found = features["gene"].str.fullmatch(pattern) & features["symbol"].str.fullmatch(pattern)
        if found.mean() > MAJORITY:
            example = features.loc[found, "gene"].iloc[0]
            raise ValueError(f"features are {what} (e.g. {example}): {remedy}")
