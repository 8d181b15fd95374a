"""AnnData files (`.h5ad`), read with h5py: importing anndata would take longer than reading."""

import logging
from pathlib import Path

import pandas as pd
from scipy import sparse

from lammscope.core.files import open_hdf5
from lammscope.core.runtime import logger
from lammscope.core.shards import Shard
from lammscope.ingest.gene_names.columns import name_genes
from lammscope.ingest.matrices.content import Content, named_hdf5_holds
from lammscope.ingest.matrices.counts import (
    EXPRESSION,
    choose_genes,
    first_non_count,
    gene_shard,
    inspected_genes,
    not_counts,
)
from lammscope.ingest.matrices.layers import Choice, choose_matrix
from lammscope.ingest.matrices.reader import Reader
from lammscope.ingest.matrices.stored import (
    Group,
    Item,
    column_of,
    columns_of,
    index_name,
    index_of,
    is_annotated,
    is_text,
    matrix_of,
)

# Usual names of columns, most frequent first: those of scanpy, scvi-tools and CELLxGENE
# (`feature_name`). The content of a column decides, not its name alone.
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensemblid", "ensembl")
SYMBOL_COLUMNS = (
    *("feature_name", "symbol", "gene_symbols", "gene_symbol", "gene_name", "name", "features"),
)
FEATURE_COLUMNS = ("feature_types", "feature_type", "genome")


def _recognizes(content: Content) -> bool:
    """Test whether it is an AnnData object; MuData has the same parts, and `mod`."""
    return content.hdf5 is not None and is_annotated(content.hdf5) and "mod" not in content.hdf5


def _finds(path: Path) -> bool:
    return named_hdf5_holds(path, is_annotated)


def read_annotated(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read the counts of an `.h5ad` file.

    Parameters
    ----------
    path
        The `.h5ad` file; its matrices may be dense, or sparse by row or by column.
    genome
        As in `choose_genes`.
    layer
        As in `choose_matrix`.

    Raises
    ------
    ValueError
        If no matrix contains counts, or if a part is missing.
    """
    with open_hdf5(path) as file:
        return read_store(file, path=path, genome=genome, layer=layer)


def inspect_annotated(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return the format of a file in which a matrix starts with counts."""
    with open_hdf5(path) as file:
        inspect_store(file, genome=genome, layer=layer)
        return "h5ad"


def describe_annotated(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Say which matrix is read, and which are left out."""
    with open_hdf5(path) as file:
        return choose_matrix(file, layer=layer).words


def genes_of_annotated(path: Path, *, genome: str | None, layer: str | None) -> pd.DataFrame:
    """Return the inspected genes of the matrix that is read."""
    with open_hdf5(path) as file:
        return inspect_store(file, genome=genome, layer=layer)


def read_store(store: Group, *, path: Path, genome: str | None, layer: str | None) -> Shard:
    """Read the counts of an open AnnData file, and log which matrix was chosen."""
    choice, counts = _chosen_counts(store, layer=layer)
    level = logging.WARNING if choice.doubtful else logging.INFO
    logger.log(level, "%s: read %s", path, choice.words)
    return gene_shard(counts, index_of(store["obs"]), _features(store[choice.var]), genome=genome)


def inspect_store(store: Group, *, genome: str | None, layer: str | None) -> pd.DataFrame:
    """Check that a matrix of an open AnnData file starts with counts; return inspected genes."""
    var = store[choose_matrix(store, layer=layer).var]
    return choose_genes(_features(var, whole=False), genome=genome)


def _chosen_counts(store: Group, *, layer: str | None) -> tuple[Choice, sparse.csr_array]:
    """Choose matrices and sum them; those with other values further down are left out."""
    refused: set[str] = set()
    while True:
        choice = choose_matrix(store, layer=layer, without=refused)
        parts = [matrix_of(store[place]) for place in choice.places]
        bad = [first_non_count(part.data) for part in parts]
        wrong = [i for i, at in enumerate(bad) if at is not None]
        if not wrong:
            return choice, sparse.csr_array(sum(parts[1:], start=parts[0]))
        if layer:
            at = bad[wrong[0]]
            raise ValueError(f"{choice.places[wrong[0]]}: {not_counts(parts[wrong[0]].data[at])}")
        refused |= {choice.places[i] for i in wrong}


def _features(var: Item, *, whole: bool = True) -> pd.DataFrame:
    """Read names of the genes, and type and genome if the file has them.

    Without `whole`, only the `inspected_genes` are returned.
    """
    columns = columns_of(var)
    known = {*ID_COLUMNS, *SYMBOL_COLUMNS, *FEATURE_COLUMNS, index_name(var)}
    others = [name for name in sorted(columns - known) if is_text(var, name)]

    def column(name: str) -> pd.Series:
        values = column_of(var, name)
        return pd.Series(values if whole else values[inspected_genes(len(values))])

    def named(*names: str) -> list[pd.Series]:
        return [column(name) for name in names if name in columns]

    index = column(index_name(var))
    features = name_genes(
        [*named(*ID_COLUMNS), index], [*named(*SYMBOL_COLUMNS), index], named(*others)
    )
    typed = [text for text in named(*others) if (text == EXPRESSION).any()]
    for name, found in {
        "feature_type": [*named("feature_types", "feature_type"), *typed],
        "genome": named("genome"),
    }.items():
        if found:
            features[name] = found[0].astype(str)
    return features


READER = Reader(
    words="an .h5ad",
    suffixes=("h5ad",),
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_annotated,
    read=read_annotated,
    describe=describe_annotated,
    genes=genes_of_annotated,
)
