"""Transgenes and viruses that a reference holds as genomes of their own.

Cell Ranger's `mkref` makes each sequence that is added with its own FASTA file a genome, such as a
CAR beside GRCh38. Such a genome is no choice: its genes are read with those of the other one.
"""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.shards import Shard

# Genes of a small genome, as a share of those of the largest. Viruses and transgenes have up to a
# few hundred genes, that is 1 %; a second organism has thousands. Our choice.
SMALL = 0.05
HALF = 0.5  # most genes of a file have the genome in front of their names, or few do


def large_genomes(sizes: Mapping[str, float]) -> list[str]:
    """Return the genomes that are not small beside the largest one, sorted.

    Parameters
    ----------
    sizes
        The number of genes of each genome.
    """
    most = max(sizes.values(), default=0)
    return sorted(genome for genome, n_genes in sizes.items() if n_genes > SMALL * most)


def genome_sizes(origin: pd.Series) -> dict[str, float]:
    """Count the features of each genome; those without one are not counted."""
    counted = origin[origin != ""].value_counts()
    return {str(genome): int(n_features) for genome, n_features in counted.items()}


def keep_small_genomes(features: pd.DataFrame, origin: pd.Series, *, genome: str) -> pd.DataFrame:
    """Select the genes of a genome, of the small ones, and those without a genome.

    Parameters
    ----------
    features
        `gene` and `symbol`.
    origin
        The genome of each feature, or empty text.
    genome
        One of the large genomes.

    Returns
    -------
    DataFrame
        The selected features. If names in this file have the genome in front, those of small
        genomes are returned without it. `CAR_scFv` of a genome `CAR` keeps its name in other files.
    """
    others = set(large_genomes(genome_sizes(origin))) - {genome}
    features, origin = features[~origin.isin(others)], origin[~origin.isin(others)]
    main = features.loc[origin == genome, "gene"]
    if not main.str.match(rf"{re.escape(genome)}_").mean() > HALF:
        return features
    small = np.flatnonzero((origin != genome).to_numpy())
    names = features[["gene", "symbol"]].to_numpy(dtype=object, copy=True)
    for row in small:
        names[row] = [_without(name, origin.iloc[row]) for name in names[row]]
    return features.assign(gene=names[:, 0], symbol=names[:, 1])


def _without(name: str, genome: str) -> str:
    """Remove the genome in front of a name; one that is not known shows in `CAR___x`, `CAR_CAR`."""
    if genome:
        return re.sub(rf"^{re.escape(genome)}_+(?=.)", "", name)
    return re.sub(r"^(?:\w+?__+(?=[^_])|(\w+?)_(?=\1))", "", name)


def join_genomes(main: Shard, *small: Shard) -> Shard:
    """Add the genes of small genomes to the cells of a library.

    Cell Ranger 2 wrote a matrix per genome, each with cells of its own. Cells that only a small
    genome has are left out.
    """
    counts, genes = [main.counts], [main.genes]
    for other in small:
        rows = pd.Index(other.barcodes).get_indexer(main.barcodes)
        there = np.flatnonzero(rows >= 0)
        place = sparse.csr_array(
            (np.ones(len(there), dtype=other.counts.dtype), (there, rows[there])),
            shape=(len(main.barcodes), len(other.barcodes)),
        )
        counts.append(place @ other.counts)
        genes.append(other.genes)
    return Shard(
        sparse.csr_array(sparse.hstack(counts)), main.barcodes, pd.concat(genes, ignore_index=True)
    )
