"""Gene symbols as HGNC writes them, whatever R, Python or a database made of them."""

import pandas as pd

from lammscope.core.names import ENSEMBL
from lammscope.core.runtime import logger
from lammscope.ingest.gene_names.columns import MAJORITY, UBIQUITOUS
from lammscope.ingest.gene_names.genomes import named_in_lower_case, shows_human

# families of genes whose symbols have a hyphen
HYPHENATED = (
    r"(?i:MT{0}(?:ND|CO|CYB|ATP|RNR|T)\w*|HLA{0}[A-Z]+\d*|NKX\d{0}\d+|KRTAP\d+{0}\d+"
    r"|RP\d+{0}\d+[A-Z]+\d+.*|CT[A-D]{0}\d+[A-Z]+\d+.*|[A-Z0-9]+{0}(?:AS|IT|DT|OT)\d*)$"
)
ACCESSION = r"[A-Z]{1,4}\d{5,8}\.\d+$"  # AC004556.1 has a dot in HGNC, too,
CLONE = r"^([^.]+)\.([^.]*[A-Z][^.]*)\.(\d+)$"  # and RP11-34P13.7 its second one
# RefSeq's names of the mitochondrial genes (NC_012920): 13 proteins and 2 rRNAs
REFSEQ = {
    **{name: f"MT-{name}" for name in ("ND1", "ND2", "ND3", "ND4", "ND4L", "ND5", "ND6")},
    **{name: f"MT-{name}" for name in ("ATP6", "ATP8", "RNR1", "RNR2")},
    **{"COX1": "MT-CO1", "COX2": "MT-CO2", "COX3": "MT-CO3", "CYTB": "MT-CYB"},
}
# RaceID and others write the chromosome behind or in front of a symbol
CHROMOSOMES = (r"[_:|-]+chr(?:\d+|[XYM]|MT)$", r"^chr(?:\d+|[XYM]|MT)[:_|-]+(?=[A-Za-z])")
MIN_REFSEQ = 6  # of the 15; one alone may be another gene (COX1 is an alias of PTGS1); our choice


def normalize_symbols(features: pd.DataFrame) -> pd.DataFrame:
    """Restore the symbols of HGNC, also in `gene` where genes are named by symbol.

    - chromosomes are removed from `ACTB__chr7` and `chr7:ACTB`, if most symbols have one
    - a word in front of most symbols, such as `ref_ACTB`, is removed
    - `MT.CO1`, `HLA_DRA` and other names that lost their hyphens get them back
    - mitochondrial genes get the `MT-` that RefSeq (`COX1`) and some annotations (`MTCO1`) omit
    - `actb` and `Actb` become `ACTB` if ids or HLA genes show that they are human

    Parameters
    ----------
    features
        `gene` and `symbol` of one genome, without its name in front. Changes are logged.
    """
    for words, restore in (
        ("left out chromosomes in gene symbols", _without_chromosomes),
        ("left out a word in front of gene symbols", _without_common_word),
        ("restored hyphens in gene symbols", _with_hyphens),
        ("restored MT- in mitochondrial genes", _with_mt),
        ("restored capitals in gene symbols", _in_capitals),
    ):
        before = features["symbol"]
        symbols = restore(features)
        changed = symbols != before
        if not changed.any():
            continue
        example = f"{before[changed].iloc[0]} is read as {symbols[changed].iloc[0]}"
        logger.info("%s: %d, e.g. %s", words, changed.sum(), example)
        by_symbol = features["gene"] == before
        features = features.assign(gene=features["gene"].where(~by_symbol, symbols), symbol=symbols)
    return features


def _without_chromosomes(features: pd.DataFrame) -> pd.Series:
    symbols = features["symbol"]
    for pattern in CHROMOSOMES:
        if symbols.str.contains(pattern).mean() > MAJORITY:
            return symbols.str.replace(pattern, "", regex=True)
    return symbols


def _without_common_word(features: pd.DataFrame) -> pd.Series:
    """Remove what precedes the best known genes if it precedes most symbols."""
    symbols = features["symbol"]
    words = symbols.str.extract(rf"^(.*[^A-Za-z0-9]){UBIQUITOUS}", expand=False).dropna()
    if words.empty:
        return symbols
    word = words.value_counts().index[0]
    is_common = symbols.str.startswith(word).mean() > MAJORITY
    return symbols.str.removeprefix(word) if is_common else symbols


def _with_hyphens(features: pd.DataFrame) -> pd.Series:
    """Restore hyphens if more symbols of the known families lack them than have them."""
    symbols = features["symbol"]
    usual, dotted, underscored, with_colon = (
        symbols.str.match(HYPHENATED.replace("{0}", mark)) for mark in ("-", r"\.", "_", ":")
    )
    if dotted.sum() > usual.sum():  # R puts a dot for any other mark, and an X before digits
        restored = symbols.str.replace(CLONE, r"\1-\2|\3", regex=True)
        restored = restored.str.replace(".", "-", regex=False).str.replace("|", ".", regex=False)
        restored = restored.str.replace(r"^X(?=\d)", "", regex=True)
        return restored.where(~symbols.str.match(rf"{ACCESSION}|{ENSEMBL}"), symbols)
    for mark, found in (("_", underscored), (":", with_colon)):
        if found.sum() > usual.sum():
            return symbols.where(~found, symbols.str.replace(mark, "-", n=1, regex=False))
    return symbols


def _with_mt(features: pd.DataFrame) -> pd.Series:
    symbols = features["symbol"]
    if symbols.str.match("(?i:MT-)").any():
        return symbols
    if symbols.isin(REFSEQ).sum() >= MIN_REFSEQ:
        return symbols.replace(REFSEQ)
    pattern = r"^MT(?=(?:ND[1-6]|ND4L|CO[1-3]|ATP[68]|CYB|RNR[12])$)"
    return symbols.str.replace(pattern, "MT-", regex=True)


def _in_capitals(features: pd.DataFrame) -> pd.Series:
    symbols = features["symbol"]
    if not (named_in_lower_case(features) and shows_human(features)):
        return symbols
    upper = symbols.str.upper().str.replace(r"^(C(?:\d+|X|Y))ORF(?=\d)", r"\1orf", regex=True)
    in_one_form = symbols.str.fullmatch(r"(?:(?<![A-Za-z])[A-Z]|[^A-Z])+")
    return upper.where(in_one_form, symbols)  # other names, such as `CAR_scFv`, are kept
