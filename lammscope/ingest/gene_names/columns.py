"""Find ids and symbols of genes among the columns of a file, by their content."""

from collections.abc import Sequence

import pandas as pd

from lammscope.core.names import ENSEMBL
from lammscope.ingest.gene_names.memory import remember_genes

# The majority of its entries decides what a column contains: some genes are transgenes, spike-ins
# or CAR features with other names.
MAJORITY = 0.5
MARKS = r"-_.:;|/~, "
SEPARATORS = rf"[{MARKS}]+"  # between genome, id and symbol

# An Ensembl id anywhere in a name, with its version, `.7`, or `.5_2` of GENCODE on GRCh37
ID = rf"(?<![A-Za-z0-9]){ENSEMBL}(?![0-9])(?:\.\d+(?:_\d+)?(?![A-Za-z0-9]))?(?:_PAR_Y)?"
TWICE = rf"^(.+)[{MARKS}]+\1$"
AROUND_ID = rf"^(?P<before>.*?)(?P<id>{ID})(?P<after>.*)$"
# A symbol with an id of another database, such as `TP53|7157` or `ADA|NM_000022|Reference_end`
WITH_BARS = r"[^|]+(?:\|[^|]*)+$"
THREE_FIELDS = r"[^|]+\|[^|]+\|"  # an id, a symbol and more, such as a probe or a biotype
WITH_NUMBER = r"(?:(?P<first>.+?)[_:;]\d+|\d+[_:;](?P<last>.+))$"

# Genes expressed in nearly every library: housekeeping, mitochondrial, ribosomal, HLA and
# pan-leukocyte genes, with any mark as hyphen. The list is our choice.
UBIQUITOUS = (
    r"(?i:ACTB|B2M|MALAT1|GAPDH|CD74|TMSB4X|EEF1A1|FTL|FTH1|VIM|PTPRC|NEAT1"
    r"|MT[-_.](?:CO|ND|ATP|CYB|RNR)\w*|RP[LS]\d+\w*|HLA[-_.][A-Z]\w*)$"
)
MISSING = ("nan", "NA", "None", "<NA>")
QUOTED = r"^b?'(.*)'$"  # also as Python writes bytes


def name_genes(
    ids: Sequence[pd.Series], symbols: Sequence[pd.Series], others: Sequence[pd.Series] = ()
) -> pd.DataFrame:
    """Choose ids and symbols of genes from the columns that may contain them.

    Parameters
    ----------
    ids, symbols
        Columns of equal length that are named like ids and like symbols, most likely first. Their
        content counts more: Ensembl ids are found in any of them, and symbols by the genes that
        nearly every library expresses. Names with both (`ENSG00000141510_TP53`) are split.
    others
        Columns with other names, which may contain either.

    Returns
    -------
    DataFrame
        `gene` and `symbol`, text, numbered from 0; a missing symbol is replaced by the id. Row
        numbers are not ids: `gene` is then the symbol.
    """
    columns = enumerate((*ids, *symbols, *others))
    table = pd.DataFrame({str(number): column.tolist() for number, column in columns})
    return _name_genes(table, n_ids=len(ids), n_symbols=len(symbols))


@remember_genes
def _name_genes(table: pd.DataFrame, *, n_ids: int, n_symbols: int) -> pd.DataFrame:
    columns = [_as_text(column) for _, column in table.items()]
    split = [_split(column) for column in columns]
    gene = next((found for found, _ in split if mostly_ensembl(found)), columns[0])
    n_named = n_ids + n_symbols
    ranked = [*split[n_ids:n_named], *split[:n_ids], *split[n_named:]]
    symbol = _best_symbols([found for _, found in ranked if found is not None])
    if symbol is None:
        return pd.DataFrame({"gene": gene, "symbol": gene})
    if _are_row_numbers(gene):
        gene = symbol.where(symbol != "", gene)
    return pd.DataFrame({"gene": gene, "symbol": symbol.where(symbol != "", gene)})


def mostly_ensembl(names: pd.Series) -> bool:
    """Test whether most names are or contain Ensembl gene ids."""
    return bool(names.str.contains(ID).mean() > MAJORITY)


def count_ubiquitous(names: pd.Series) -> int:
    """Count genes that nearly every library expresses, with or without a word in front."""
    return int(names.str.match(rf"(?:.*[^A-Za-z0-9])?{UBIQUITOUS}").sum())


def are_distinct(names: pd.Series) -> bool:
    """Test whether most names are different words, as symbols are; genomes and types are not.

    Two different words may be two genomes.
    """
    words = names[names.str.contains("[A-Za-z]")]
    return bool(words.nunique() > max(2, MAJORITY * len(names)))


def _as_text(column: pd.Series) -> pd.Series:
    text = column.fillna("").astype(str).reset_index(drop=True).str.strip()
    if text.str.match(QUOTED).mean() > MAJORITY:
        text = text.str.replace(QUOTED, r"\1", regex=True)
    return text.where(~text.isin(MISSING), "")


def _split(column: pd.Series) -> tuple[pd.Series, pd.Series | None]:
    """Return the ids and the symbols of a column; None if it has no symbols."""
    if mostly_ensembl(column):
        return _split_at_id(column)
    if column.str.match(WITH_BARS).mean() > MAJORITY:
        parts = column.str.split("|", expand=True).fillna("")
        fields = [parts[place] for place in parts]
    elif column.str.match(WITH_NUMBER).mean() > MAJORITY:
        found = column.str.extract(WITH_NUMBER)
        fields = [found["first"].fillna(found["last"]).fillna(column)]
    else:
        return column, column
    symbols = _best_symbols([field for field in fields if are_distinct(field)])
    return column, column if symbols is None else symbols.where(symbols != "", column)


def _split_at_id(column: pd.Series) -> tuple[pd.Series, pd.Series | None]:
    """Split names that contain Ensembl ids. What precedes an id may be its genome or symbol."""
    if column.str.fullmatch(ID).mean() > MAJORITY:
        return column, None
    if column.str.match(THREE_FIELDS).mean() > MAJORITY:
        return _split_at_bars(column)
    parts = column.str.extract(AROUND_ID)
    has_id = parts["id"].notna()
    parts = parts.fillna("")
    after = parts["after"].str.replace(rf"^[{MARKS})\](\[]+|[)\]]+$", "", regex=True)
    before = parts["before"].str.replace(rf"[{MARKS}(\[]+$", "", regex=True)
    if are_distinct(after[has_id]):
        ids, symbols = parts["before"] + parts["id"], after
    elif are_distinct(before[has_id]):
        ids, symbols = parts["id"] + parts["after"].str.rstrip(")]"), before
    else:
        return column, None
    once = column.str.replace(TWICE, r"\1", regex=True)  # a CAR may have its name as id, too
    return ids.where(has_id, once), symbols.where(has_id, once)


def _split_at_bars(column: pd.Series) -> tuple[pd.Series, pd.Series | None]:
    """Split names of an id, a symbol and more, such as the probe, in any order."""
    parts = column.str.split("|", expand=True).fillna("")
    fields = [parts[place].str.strip() for place in parts]
    ids = next((field for field in fields if field.str.fullmatch(ID).mean() > MAJORITY), column)
    has_id = ids.str.fullmatch(ID)
    others = [f for f in fields if f is not ids and not mostly_ensembl(f) and are_distinct(f)]
    symbols = _best_symbols(others)
    symbols = None if symbols is None else symbols.where(has_id, column)
    return ids.where(has_id, column), symbols


def _best_symbols(columns: Sequence[pd.Series]) -> pd.Series | None:
    """Return the column with most ubiquitous genes, or else the first of different words."""
    counted = [count_ubiquitous(column) for column in columns]
    if max(counted, default=0) > 0:
        return columns[counted.index(max(counted))]
    return next((column for column in columns if _are_words(column)), None)


def _are_words(column: pd.Series) -> bool:
    """Test whether the entries that are words are different ones."""
    words = column[column.str.contains("[A-Za-z]")]
    return bool(words.nunique() > MAJORITY * len(words))


def _are_row_numbers(names: pd.Series) -> bool:
    """Test whether names count the rows from 0 or 1, as pandas and R name rows without names."""
    if names.empty or names.iloc[0] not in ("0", "1"):
        return False
    first = int(names.iloc[0])
    return names.tolist() == [str(first + place) for place in range(len(names))]
