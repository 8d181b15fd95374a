"""Checks for every format: which values are counts, and which features are genes."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.files import AGAIN
from lammscope.core.runtime import logger
from lammscope.core.shards import Shard
from lammscope.core.words import shortened
from lammscope.ingest.gene_names.genomes import (
    genome_of_each,
    refuse_other_species,
    warn_of_other_ids,
    without_genomes,
)
from lammscope.ingest.gene_names.memory import remember_genes
from lammscope.ingest.gene_names.other_names import refuse_other_names
from lammscope.ingest.gene_names.symbols import normalize_symbols
from lammscope.ingest.matrices.small_genomes import genome_sizes, keep_small_genomes, large_genomes

GENES_INSPECTED = 500  # names that show genomes and species, evenly spaced; our choice
MAX_COUNT = 2**31 - 1  # the largest int32, in which counts are stored
MOST_NAMES = 50_000_000  # cells or genes; kits have up to 12 million barcodes
MIN_VALUES = 1000  # nonzero values; so many counts of a library have ones and other values

# feature types of Cell Ranger and Cell Ranger ARC; other texts, such as biotypes in the third
# column of a list of genes, are ignored
EXPRESSION, CUSTOM = "Gene Expression", "Custom"
FEATURE_TYPES = (
    *(EXPRESSION, "Antibody Capture", "CRISPR Guide Capture", "Multiplexing Capture"),
    *("Antigen Capture", CUSTOM, "Peaks"),
)
# Names of custom features that are transcripts of a CAR, amplified as a library of their own
CAR_NAME = r"(?i)(?:^|[^a-z])CAR(?:[^a-z]|t?$)|scFv|FMC63|CD19.?(?:28|BB)Z"


def first_non_count(values: np.ndarray) -> int | None:
    """Return the position of the first value that is not a whole number from 0 to 2**31 - 1."""
    bad = ~((values >= 0) & (values <= MAX_COUNT))
    if values.dtype.kind == "f":
        bad |= values != np.rint(values, where=~bad, out=np.zeros_like(values))
    return int(bad.argmax()) if bad.any() else None


def not_counts(value: float) -> str:
    """Return the message on a value that is not a count."""
    if value > MAX_COUNT and np.isfinite(value):
        return f"value {value:.0f} is too large for a count; give the raw UMI counts"
    return f"values are not counts, e.g. {value:g} (normalized?); give the raw UMI counts"


def whole_but_no_counts(values: np.ndarray) -> str:
    """Say why whole numbers are not counts, or return empty text.

    Rounded normalized values, such as counts per million, have no ones; binary ones nothing else.
    """
    values = values[values > 0]
    if len(values) < MIN_VALUES:
        return ""
    if values.min() > 1:
        return (
            f"the lowest value above zero is {values.min():.0f}, as in normalized values that were "
            "rounded, such as counts per million; give the raw UMI counts"
        )
    if values.max() == 1:
        return "all values above zero are 1 (a binary matrix); give the raw UMI counts"
    return ""


def csr_of(
    data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, *, shape: tuple[int, int]
) -> sparse.csr_array:
    """Build a sparse matrix from the parts in a file, after checking all indices.

    Raises
    ------
    ValueError
        If the parts do not fit each other: scipy would read outside its arrays.
    """
    check_sizes(shape)
    if data.dtype.kind not in "iufb" or {indices.dtype.kind, indptr.dtype.kind} - set("iu"):
        raise ValueError(f"the matrix has values that are not numbers: {AGAIN}")
    try:
        # scipy does not check the order if the last pointer is 0 or if differences overflow
        if (indptr[1:] < indptr[:-1]).any():
            raise ValueError("index pointers decrease")
        counts = sparse.csr_array((data, indices, indptr), shape=shape)
        counts.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(
            f"the parts of the matrix do not fit together ({error}): {AGAIN}"
        ) from error
    return counts


def check_sizes(shape: Sequence[int]) -> None:
    """Refuse a matrix with more cells or genes than there can be, before memory is set aside."""
    if max(shape) > MOST_NAMES or min(shape) < 0:
        raise ValueError(
            f"states a size of {' x '.join(f'{n:,}' for n in shape)}, which no library has: {AGAIN}"
        )


def gene_shard(
    counts: sparse.csr_array, barcodes: np.ndarray, features: pd.DataFrame, *, genome: str | None
) -> Shard:
    """Select the genes of one genome from all features.

    Parameters
    ----------
    counts
        Cells x features.
    barcodes
        One per row.
    features
        One row per column: `gene`, `symbol`, optionally `feature_type` and `genome`.
    genome
        As in `choose_genes`.

    Raises
    ------
    ValueError
        If sizes do not fit or are zero, and as in `choose_genes`.
    """
    if counts.shape != (len(barcodes), len(features)):
        raise ValueError(
            f"{counts.shape[0]} x {counts.shape[1]} counts, but {len(barcodes)} barcodes and "
            f"{len(features)} features: {AGAIN}"
        )
    if 0 in counts.shape:
        raise ValueError(f"the matrix has {counts.shape[0]} cells and {counts.shape[1]} genes")
    genes = _chosen_genes(features, genome=genome)
    _log_other_types(features)
    places = genes.index.to_numpy()
    if (
        len(places) == places[-1] - places[0] + 1
    ):  # the usual case: a slice takes a tenth of the time
        whole = len(places) == counts.shape[1]
        counts = counts if whole else counts[:, places[0] : places[-1] + 1]
    else:
        counts = counts[:, places]
    return Shard(counts, np.asarray(barcodes, dtype=str), genes[["gene", "symbol"]])


@remember_genes
def _chosen_genes(features: pd.DataFrame, *, genome: str | None) -> pd.DataFrame:
    genes = choose_genes(features, genome=genome)
    warn_of_other_ids(genes)
    return genes


def _log_other_types(features: pd.DataFrame) -> None:
    """Log which features are not gene expression; custom ones may be those of a CAR."""
    if "feature_type" not in features or not features["feature_type"].isin(FEATURE_TYPES).any():
        return
    others = features.drop(_expressed(features).index)
    for kind, part in others.groupby("feature_type"):
        level = logging.WARNING if kind == CUSTOM else logging.INFO
        logger.log(
            level,
            "left out: %d features of type %s (%s)",
            *(len(part), kind, shortened(part["symbol"])),
        )


def _expressed(features: pd.DataFrame) -> pd.DataFrame:
    """Select gene expression, and custom features with the name of a CAR: transcripts of its own.

    Cell Ranger gives features without a genome an empty one; here they get that of the genes.
    """
    is_gene = features["feature_type"] == EXPRESSION
    names = features["symbol"] + " " + features["gene"]
    is_car = (features["feature_type"] == CUSTOM) & names.str.contains(CAR_NAME)
    kept = features[is_gene | is_car]
    if "genome" not in kept or not is_gene.any():
        return kept
    usual = features.loc[is_gene, "genome"].mode()[0]
    return kept.assign(genome=kept["genome"].where(is_gene[kept.index], usual))


def inspected_genes(n_genes: int) -> list[int]:
    """Return the positions of the genes whose names are inspected: evenly spaced, and the last.

    Smaller groups of genes show only when the matrix is read.
    """
    every = max(1, n_genes // GENES_INSPECTED)
    return sorted({*range(0, n_genes, every), *range(n_genes)[-1:]})


@remember_genes
def choose_genes(features: pd.DataFrame, *, genome: str | None) -> pd.DataFrame:
    """Select the genes of one genome, and name them without it and as HGNC does.

    Small genomes, such as a CAR or a virus that was added to a reference, are kept with it.

    Parameters
    ----------
    features
        Numbered from 0; `gene`, `symbol`, optionally `feature_type` (`Gene Expression` is kept,
        and `Custom` with the name of a CAR) and `genome`. Without `genome`, it is the prefix of
        names such as `GRCh38_ENSG...`.
    genome
        The genome to keep if there are several; else ignored.

    Raises
    ------
    ValueError
        If there is no gene expression, if there are several genomes and `genome` is not one of
        them, or if the genes are not human.
    """
    if "feature_type" in features and features["feature_type"].isin(FEATURE_TYPES).any():
        types = ", ".join(features["feature_type"].unique())
        features = _expressed(features)
        if not (features["feature_type"] == EXPRESSION).any():
            raise ValueError(f"holds {types} only; give the gene expression library")
    origin = features["genome"] if "genome" in features else genome_of_each(features)
    genomes = sorted(name for name in origin.unique() if name)
    if len(genomes) > 1 or (genomes and (origin == "").any()):
        genomes = [checked_genome(large_genomes(genome_sizes(origin)), genome=genome)]
        features = keep_small_genomes(features, origin, genome=genomes[0])
    features = normalize_symbols(without_genomes(features, genomes))
    refuse_other_species(features)
    refuse_other_names(features)
    return features


def checked_genome(genomes: list[str], *, genome: str | None) -> str:
    """Return the genome to read: the only one, or the requested one if the file has it."""
    if len(genomes) == 1:
        return genomes[0]
    if genome in genomes:
        return str(genome)
    asked = f", not {genome}" if genome else ""
    raise ValueError(
        f"holds several genomes ({', '.join(genomes)}){asked}; "
        "write one of them into the column `genome` of the sample sheet"
    )
