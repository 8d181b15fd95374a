"""Read count matrices of all formats in `formats` into one form."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.files import named_errors, text_lines
from lammscope.core.plain_text import check_regular, first_problem
from lammscope.core.runtime import logger
from lammscope.core.shards import Shard
from lammscope.core.words import shortened
from lammscope.ingest.gene_names.columns import ID, MAJORITY, mostly_ensembl
from lammscope.ingest.gene_names.memory import remember_genes
from lammscope.ingest.gene_names.not_genes import (
    OUT_OF_SCALE,
    cells_out_of_scale,
    genes_out_of_scale,
    no_gene_or_cell,
)
from lammscope.ingest.matrices.counts import (
    checked_genome,
    first_non_count,
    not_counts,
    whole_but_no_counts,
)
from lammscope.ingest.matrices.find import candidates, of_one_genome, other_forms
from lammscope.ingest.matrices.formats import choose_reader, list_formats, matrices_in
from lammscope.ingest.matrices.small_genomes import join_genomes, large_genomes

# gene symbols that spreadsheets turned into dates, e.g. MARCH1 and SEPT2 into 1-Mar and 2-Sep:
# Ziemann, Eren, El-Osta 2016, doi 10.1186/s13059-016-1044-7
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|mrz|m\u00e4r|mai|okt|dez"
DAY = r"\d{1,2}"
YEAR = r"(?:19|20)?\d\d"
DATE = (
    rf"(?i:{DAY}[-. /]{{1,2}}(?:{MONTHS})(?:[-. /]{YEAR})?"
    rf"|(?:{MONTHS})[-. /]{{1,2}}(?:{DAY}|{YEAR})"
    rf"|(?:19|20)\d\d-\d\d-\d\d(?:[ T][\d:.]+)?|{DAY}[/.]{DAY}[/.]{YEAR})"
)

# version of an Ensembl id, `.7`, or `.5_2` of GENCODE on GRCh37, before GENCODE's mark of the Y
# copy of a pseudoautosomal gene
VERSION = r"^(ENS[A-Z]*G\d+)\.\d+(?:_\d+)?(_PAR_Y)?$"


def read_matrix(path: str | Path, *, genome: str | None = None, layer: str | None = None) -> Shard:
    """Read the count matrix of one sample, in any known format.

    Parameters
    ----------
    path
        A 10x `.h5`; an `.mtx` with its lists of barcodes and genes (10x, STARsolo, kallisto,
        alevin-fry), their folder or one above it; an `.h5ad`, a `.loom`, or a zarr store; an `.rds`
        of Seurat or SingleCellExperiment; or a dense table as text. From multimodal files only
        `Gene Expression` is read.
    genome
        The genome to read if the file has several; else ignored.
    layer
        Which matrix of an AnnData or loom file or R object to read: `X`, `raw.X` or a layer, or
        several with `+` between to sum them. Without it, see `layers.choose_matrix`.

    Returns
    -------
    Shard
        Cells x genes (int32) with unique gene ids: versions of Ensembl ids are dropped, and
        repeated ids get a suffix -1, -2, ...

    Raises
    ------
    ValueError
        If the format is unknown, the file is damaged, or its values are not counts. The message is
        one line that starts with the path.
    """
    path = Path(path)
    with named_errors(path):
        other = _left_out(path)
        if other:
            logger.warning("%s: %s", path, other)
        shards = [
            choose_reader(source).read(source, genome=genome, layer=layer)
            for source in matrices_of(path, genome=genome)
        ]
        return _checked(join_genomes(*shards), path)


def inspect_matrix(path: str | Path, *, genome: str | None = None, layer: str | None = None) -> str:
    """Check the start of a matrix, in milliseconds.

    Parameters
    ----------
    path, genome, layer
        As for `read_matrix`.

    Returns
    -------
    str
        A short name of the format, such as `10x h5 v3`.

    Raises
    ------
    ValueError
        As in `read_matrix`, as far as names, sizes and the first values show it.
    """
    path = Path(path)
    with named_errors(path):
        source, *_ = matrices_of(path, genome=genome)
        return choose_reader(source).inspect(source, genome=genome, layer=layer)


def describe_matrix(
    path: str | Path, *, genome: str | None = None, layer: str | None = None
) -> str:
    """Say which matrix of a file with several is read, in milliseconds.

    Parameters
    ----------
    path, genome, layer
        As for `read_matrix`.

    Returns
    -------
    str
        What is read and what is left out, such as ``layer `counts` (36,601 genes); left out: X (no
        counts)``; empty if there is one matrix.

    Raises
    ------
    ValueError
        As in `inspect_matrix`.
    """
    path = Path(path)
    with named_errors(path):
        source, *_ = matrices_of(path, genome=genome)
        words = choose_reader(source).describe(source, genome=genome, layer=layer)
        return "; ".join(text for text in (words, _left_out(path)) if text)


def _left_out(path: Path) -> str:
    """Say which form of a library is read of a folder with several, such as Gene and GeneFull."""
    if not path.is_dir() or matrices_in(path):
        return ""
    others = other_forms(path)
    taken = candidates(path)
    if not others or len(taken) != 1:
        return ""
    listed = shortened(other.relative_to(path) for other in others)
    return (
        f"{taken[0].relative_to(path)}; left out, as other forms of the library: {listed}; to read "
        "one of them, write its path into the column `counts`"
    )


def lacks_symbols(
    path: str | Path, *, genome: str | None = None, layer: str | None = None
) -> bool | None:
    """Test whether a matrix names its genes by Ensembl id only, in milliseconds.

    Parameters
    ----------
    path, genome, layer
        As for `read_matrix`.

    Returns
    -------
    bool or None
        None if its format does not tell before it is read.

    Raises
    ------
    ValueError
        As in `inspect_matrix`.
    """
    path = Path(path)
    with named_errors(path):
        source, *_ = matrices_of(path, genome=genome)
        genes = choose_reader(source).genes(source, genome=genome, layer=layer)
    if genes is None:
        return None
    is_nameless = genes["symbol"].str.contains(ID) | (genes["symbol"] == "")
    return bool(mostly_ensembl(genes["gene"]) and is_nameless.mean() > MAJORITY)


def matrices_of(path: Path, *, genome: str | None) -> list[Path]:
    """Return the file to read: `path`, or if it is a folder, the matrix in it or below it.

    Folders of Cell Ranger 2 have a matrix per genome; those of small genomes follow the other one.
    A ValueError says why there is no matrix or more than one.
    """
    if not path.exists():
        broken = f" (a broken link{_annexed(path)})" if path.is_symlink() else ""
        raise ValueError(f"no such file{broken}; correct the column `counts` of the sample sheet")
    if not path.is_dir():
        check_regular(path)
        return [path]
    found = matrices_in(path) or candidates(path)
    if len(found) > 1 and all(of_one_genome(candidate) for candidate in found):
        large = large_genomes({folder.name: _n_genes(folder) for folder in found})
        chosen = checked_genome(large, genome=genome)
        found = [folder for folder in found if folder.name == chosen or folder.name not in large]
        found.sort(key=lambda folder: folder.name != chosen)
        return [file for folder in found for file in matrices_of(folder, genome=genome)]
    found = [candidate for candidate in found if candidate.name == genome] or found
    if not found:
        formats = list_formats()
        raise ValueError(f"the folder has no matrix.mtx or other count matrix; give {formats}")
    if len(found) == 1:
        return matrices_of(found[0], genome=genome)
    names = shortened(candidate.relative_to(path) for candidate in found)
    raise ValueError(f"the folder has several matrices ({names}); name one of them")


def _annexed(link: Path) -> str:
    """Return advice on a link to a file that git-annex or DataLad has not fetched."""
    fetch = ": fetch it with `git annex get`"
    return fetch if "/annex/objects/" in link.readlink().as_posix() else ""


def _n_genes(folder: Path) -> float:
    """Count the genes of a folder of Cell Ranger 2; without a list of them, reading it fails."""
    listed = sorted(folder.glob("genes.tsv*"))
    return len(text_lines(listed[0])) if listed else np.inf


def _checked(shard: Shard, path: Path) -> Shard:
    """Return integer counts with unique names; ValueError says what is wrong."""
    counts = _summed(shard.counts)
    wrong = whole_but_no_counts(counts.data)
    if wrong:
        raise ValueError(wrong)
    barcodes = pd.Index(shard.barcodes).str.strip()
    if problem := first_problem(barcodes):
        raise ValueError(f"a barcode: {problem}")
    if barcodes.has_duplicates:
        raise ValueError(
            f"barcode {barcodes[barcodes.duplicated()][0]} occurs twice; give one matrix per sample"
        )
    genes = shard.genes.reset_index(drop=True)
    counts, genes = _only_genes(counts, genes, path)
    _warn_of_scale(counts, genes, barcodes, path)
    dates = genes["symbol"][genes["symbol"].str.fullmatch(DATE)]
    if len(dates):
        logger.warning(
            "%s: %d gene symbols are dates (e.g. %s), which Excel makes of genes like MARCHF1",
            *(path, len(dates), dates.iloc[0]),
        )
    return Shard(counts, barcodes.to_numpy(dtype=str), _final_names(genes))


@remember_genes
def _final_names(genes: pd.DataFrame) -> pd.DataFrame:
    """Remove versions of Ensembl ids, and make ids unique; refuse what cannot be a name."""
    for column in ("gene", "symbol"):
        if problem := first_problem(genes[column]):
            raise ValueError(f"a name of a gene: {problem}")
    for column in ("gene", "symbol"):  # a gene without a symbol has its id as symbol
        genes[column] = genes[column].str.replace(VERSION, r"\1\2", regex=True)
    return genes.assign(gene=_make_unique(genes["gene"]))


def _only_genes(
    counts: sparse.csr_array, genes: pd.DataFrame, path: Path
) -> tuple[sparse.csr_array, pd.DataFrame]:
    """Leave out features that are no genes, such as HTSeq's `__no_feature`, and log their names."""
    others = no_gene_or_cell(genes["gene"])
    if others.any():
        others &= no_gene_or_cell(genes["symbol"])
    others |= (genes["gene"] == "") & (genes["symbol"] == "")
    if not others.any() or others.all():
        return counts, genes
    names = genes.loc[others, "gene"].replace("", "a row without a name")
    logger.warning("%s: left out, not genes: %s", path, ", ".join(names))
    kept = np.flatnonzero(~others)
    return counts[:, kept], genes.iloc[kept].reset_index(drop=True)


def _warn_of_scale(
    counts: sparse.csr_array, genes: pd.DataFrame, barcodes: pd.Index, path: Path
) -> None:
    """Warn of genes and cells with orders of magnitude more counts than all others."""
    for what, names in (
        ("gene", genes_out_of_scale(counts, genes)),
        ("cell", cells_out_of_scale(counts, barcodes.to_numpy())),
    ):
        if names:
            logger.warning(
                "%s: %s %s: over %d times the counts of any other %s; remove it if it is not one",
                *(path, what, ", ".join(map(str, names)), OUT_OF_SCALE, what),
            )


def _summed(counts: sparse.csr_array) -> sparse.csr_array:
    """Return the counts as int32; entries that a file lists twice are summed."""
    _refuse_non_counts(counts.data)
    if not counts.has_canonical_format:
        counts = counts.astype(np.int64)  # sums may exceed the range of the file's type
        counts.sum_duplicates()
        _refuse_non_counts(counts.data)
    counts = sparse.csr_array(counts, dtype=np.int32)
    counts.eliminate_zeros()
    if counts.nnz <= np.iinfo(np.int32).max:  # half the memory, and 7 % less time for ingest
        positions = counts.indices.astype(np.int32), counts.indptr.astype(np.int32)
        counts = sparse.csr_array((counts.data, *positions), shape=counts.shape)
    return counts


def _refuse_non_counts(values: np.ndarray) -> None:
    bad = first_non_count(values)
    if bad is not None:
        raise ValueError(not_counts(values[bad]))


def _make_unique(names: pd.Series) -> pd.Series:
    """Append numbers to repeated names, so that all names are unique."""
    repeated = np.flatnonzero(names.duplicated()).tolist()
    if not repeated:
        return names
    taken = set(names)
    unique = names.tolist()
    numbers: dict[str, int] = {}
    for place in repeated:
        name = candidate = unique[place]
        while candidate in taken:
            numbers[name] = numbers.get(name, 0) + 1
            candidate = f"{name}-{numbers[name]}"
        taken.add(candidate)
        unique[place] = candidate
    return pd.Series(unique, dtype=str)
