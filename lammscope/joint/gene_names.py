"""Matching of genes across samples, so that each gene has one name in the cohort.

Genes are matched by Ensembl id. A matrix with symbols only is matched by symbol to the ids of the
other samples, except for symbols that belong to several ids. If no sample has ids, genes are named
by symbol.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.core.names import ENSEMBL, NO_SYMBOLS
from lammscope.core.runtime import logger
from lammscope.core.shards import Shard, read_shard

# Genes that this share of the samples has are missing in the others, where they count as zero. Half
# would not do: the arms of a cohort may have matrices of two references. Our choice.
USUAL_SAMPLES = 0.25
USUAL_OVERLAP = 95  # % of genes; different builds of one species may share less

OVERLAP_COLUMNS = [
    *("sample", "matched_by", "n_genes", "n_matched", "n_missing", "pct_overlap", "closest"),
]


def match_genes(
    genes: Mapping[str, pd.DataFrame], *, min_overlap: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the cohort's list of genes, and refuse samples counted against another reference.

    Parameters
    ----------
    genes
        Per sample, `gene` and `symbol` of its matrix.
    min_overlap
        Minimum overlap in %. The overlap of two samples is the share of the smaller gene list that
        the other contains, so that filtered matrices are accepted; that of a sample is the median
        over the other samples.

    Returns
    -------
    reference
        `gene` (Ensembl id, or symbol if no sample has ids), `symbol` (the most frequent one),
        `n_samples`, and `matchable`: whether matrices without ids are matched to the gene by
        symbol, because a matrix with ids has it (any matrix if none has ids); sorted by gene.
    overlap
        Per sample `matched_by` (`ensembl`, `symbol`), `n_genes`, `n_matched` (found in the
        reference of the ids), `n_missing` (genes that a quarter of the samples have, and this one
        lacks), `pct_overlap`, and `closest`, the overlap with the most similar sample.

    Raises
    ------
    ValueError
        If samples are under `min_overlap` (one line names them, with their overlap), or if all
        samples have ids and none has symbols.
    """
    tables, kind = _distinct(genes)
    weights = np.bincount(kind).tolist()
    reference = _reference(tables, weights)
    if has_ids(reference) and (reference["symbol"] == reference["gene"]).mean() > 0.5:
        raise ValueError(NO_SYMBOLS)
    named = [with_reference(table, reference) for table in tables]
    known = pd.Index(sorted(set().union(*(table["gene"] for table in named))))
    present = np.zeros((len(named), len(known)), dtype=np.float32)
    for row, table in enumerate(named):
        present[row, known.get_indexer(pd.Index(table["gene"]))] = 1
    sizes = present.sum(axis=1)
    shared = 100 * (present @ present.T) / np.minimum.outer(sizes, sizes)
    others = np.where(np.eye(len(kind), dtype=bool), np.nan, shared[np.ix_(kind, kind)])
    alone = len(kind) == 1
    counts = weights @ present
    usual = counts >= USUAL_SAMPLES * len(kind)
    matchable = set(reference["gene"])
    of_table = pd.DataFrame(
        {
            "matched_by": ["ensembl" if has_ids(table) else "symbol" for table in tables],
            "n_genes": sizes.astype(int),
            "n_matched": [int(table["gene"].isin(matchable).sum()) for table in named],
            "n_missing": [int((usual & (row == 0)).sum()) for row in present],
        }
    )
    overlap = of_table.iloc[kind].assign(
        sample=list(genes),
        pct_overlap=100.0 if alone else np.nanmedian(others, axis=1).round(1),
        closest=100.0 if alone else np.nanmax(others, axis=1).round(1),
    )
    overlap = overlap[OVERLAP_COLUMNS].reset_index(drop=True)
    refused = _listed(overlap[overlap["pct_overlap"] < min_overlap])
    if refused:
        raise ValueError(
            f"genes shared with the other samples: {refused}, under {min_overlap:g} %: counted "
            "against another reference (another species or build, or symbols instead of ids)? "
            "Count these samples again with the others' reference, leave them out, or set "
            "`genes.min_overlap`"
        )
    odd = _listed(overlap[overlap["pct_overlap"] < USUAL_OVERLAP])
    if odd:
        logger.warning("genes shared with the other samples: %s; another build?", odd)
    symbols = _symbols(named, weights)
    table = pd.DataFrame({"gene": known, "symbol": symbols.reindex(known).to_numpy()})
    return table.assign(
        n_samples=counts.astype(int), matchable=table["gene"].isin(matchable)
    ), overlap


def check_definers(definers: Sequence[str], *, symbols: Iterable[str]) -> None:
    """Refuse defining markers that no sample has; the ValueError names similar symbols."""
    known = dict.fromkeys(symbols)
    for gene in definers:
        if gene not in known:
            swapped = [symbol for symbol in known if sorted(symbol) == sorted(gene)]
            close = dict.fromkeys([*swapped, *get_close_matches(gene, list(known), n=3)])
            similar = ", ".join(list(close)[:3]) or "none"
            raise ValueError(
                f"lamm.definers: {gene} is not a gene of any sample (similar names: {similar}); "
                "correct the symbol or remove it"
            )


def with_reference(genes: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Replace `gene` and `symbol` of matched genes by those of the reference."""
    symbols = reference.set_index("gene")["symbol"]
    matchable = reference[reference["matchable"]]
    if has_ids(genes) or not has_ids(matchable):
        names = genes["gene"] if has_ids(genes) else _unique_symbols(genes)
    else:
        single = matchable[~matchable["symbol"].duplicated(keep=False)]
        by_symbol = single.set_index("symbol")["gene"]
        own = genes["symbol"].where(~genes["symbol"].duplicated(keep=False))
        names = own.map(by_symbol).fillna(genes["gene"])
    found = symbols.reindex(names).to_numpy()
    renamed = genes["symbol"].where(pd.isna(found), pd.Series(found, index=genes.index))
    return genes.assign(gene=names.to_numpy(dtype=str), symbol=renamed.to_numpy(dtype=str))


def locate_genes(
    tables: Iterable[pd.DataFrame], reference: pd.DataFrame
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield each table with the row of every gene in the reference.

    Equal lists of genes are looked up once. ValueError if a gene is not in the reference, as with
    the reference of other samples.
    """
    known = pd.Index(reference["gene"])
    seen: list[tuple[pd.DataFrame, np.ndarray]] = []
    for table in tables:
        genes = table[["gene", "symbol"]]
        rows = next((rows for other, rows in seen if other.equals(genes)), None)
        if rows is None:
            rows = rows_of(with_reference(genes, reference)["gene"], known)
            seen.append((genes, rows))
        yield table, rows


def rows_of(genes: pd.Series, known: pd.Index) -> np.ndarray:
    """Return the position of each gene among the cohort's; ValueError if it is not there."""
    rows = known.get_indexer(pd.Index(genes))
    if (rows < 0).any():
        raise ValueError(f"gene {genes[rows < 0].iloc[0]} is not among the genes of the cohort")
    return rows


def kept_cells(
    shards: Mapping[str, str | Path], *, cells: pd.DataFrame, reference: pd.DataFrame
) -> Iterator[tuple[str, Shard, np.ndarray]]:
    """Yield samples one at a time, with the cohort's gene names and the rows of kept cells.

    Parameters
    ----------
    shards
        The per-sample count files.
    cells
        The cell index, or its part with these samples.
    reference
        The cohort's genes, from `match_genes`.

    Yields
    ------
    sample
        Name of the sample.
    shard
        Counts of all its barcodes, with genes named as in the reference; other columns of `genes`
        are kept.
    positions
        Rows that are kept cells, in the order of the index; may be empty.
    """
    positions = {name: rows["position"].to_numpy() for name, rows in cells.groupby("sample")}
    own, named = pd.DataFrame(), pd.DataFrame()
    for sample, path in shards.items():
        shard = read_shard(path)
        genes = shard.genes[["gene", "symbol"]]
        if not genes.equals(own):  # most samples have the same genes
            own, named = genes, with_reference(genes, reference)
        renamed = Shard(shard.counts, shard.barcodes, shard.genes.assign(**named))
        yield sample, renamed, positions.get(sample, np.array([], dtype=np.int64))


def has_ids(genes: pd.DataFrame) -> bool:
    """Test whether most genes are named by Ensembl ids."""
    return bool(genes["gene"].str.match(ENSEMBL).mean() > 0.5)


def _listed(overlap: pd.DataFrame) -> str:
    pairs = zip(overlap["sample"], overlap["pct_overlap"], strict=True)
    return ", ".join(f"`{sample}` {percent:g} %" for sample, percent in pairs)


def _distinct(genes: Mapping[str, pd.DataFrame]) -> tuple[list[pd.DataFrame], list[int]]:
    """Return the distinct lists of genes, and the number of each sample's list."""
    tables: list[pd.DataFrame] = []
    kind = []
    for table in genes.values():
        alike = (number for number, known in enumerate(tables) if known.equals(table))
        kind.append(next(alike, len(tables)))
        if kind[-1] == len(tables):
            tables.append(table)
    return tables, kind


def _reference(tables: list[pd.DataFrame], weights: list[int]) -> pd.DataFrame:
    """Collect ids and symbols of the lists with ids, or of all lists if none has ids."""
    with_ids = [has_ids(table) for table in tables]
    if any(with_ids):
        tables = [table for table, given in zip(tables, with_ids, strict=True) if given]
        weights = [n for n, given in zip(weights, with_ids, strict=True) if given]
    else:
        tables = [table.assign(gene=_unique_symbols(table)) for table in tables]
    symbols = _symbols(tables, weights)
    return pd.DataFrame({"gene": symbols.index, "symbol": symbols.to_numpy(), "matchable": True})


def _symbols(tables: list[pd.DataFrame], weights: list[int]) -> pd.Series:
    """Return the most frequent symbol of each gene over samples, or its id if none has one."""
    counted = pd.concat(
        [table[["gene", "symbol"]].assign(n=n) for table, n in zip(tables, weights, strict=True)],
        ignore_index=True,
    )
    votes = counted.groupby(["gene", "symbol"])["n"].sum().reset_index()
    votes["nameless"] = (votes["symbol"] == "") | (votes["symbol"] == votes["gene"])
    votes["rank"] = -votes["n"]
    votes = votes.sort_values(["gene", "nameless", "rank", "symbol"])
    return votes.drop_duplicates("gene").set_index("gene")["symbol"]


def _unique_symbols(genes: pd.DataFrame) -> pd.Series:
    """Return symbols as names; genes that share a symbol keep the names in their matrix."""
    return genes["symbol"].where(~genes["symbol"].duplicated(keep=False), genes["gene"])
