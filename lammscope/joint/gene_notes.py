"""What is odd about the genes of a sample: mitochondrial genes, markers, or definers missing."""

from collections.abc import Iterable, Mapping

import pandas as pd

from lammscope.core.mitochondria import are_mitochondrial
from lammscope.core.runtime import logger
from lammscope.core.words import shortened
from lammscope.joint.gene_names import with_reference

MANY_MISSING = 5  # % of its genes and the missing ones; builds of one reference differ by less
FEW_MARKERS = 50  # % of the genes of the marker panel; a whole reference has all; our choice


def note_genes(
    overlap: pd.DataFrame,
    genes: Mapping[str, pd.DataFrame],
    *,
    reference: pd.DataFrame,
    panel: Iterable[str],
    definers: Iterable[str],
) -> pd.DataFrame:
    """Count mitochondrial genes and markers in each sample, and note what is missing.

    Parameters
    ----------
    overlap
        Of `match_genes`.
    genes
        Per sample, in the same order, `gene` and `symbol` of its matrix.
    reference
        The cohort's genes, of `match_genes`.
    panel
        Gene symbols of the marker panel.
    definers
        Gene symbols of `lamm.definers`.

    Returns
    -------
    DataFrame
        `overlap` with `n_mt` and `n_panel` (mitochondrial genes and genes of the panel in the
        matrix), and `note`: what is missing, or empty text. Missing markers and definers are
        logged as warnings, and so are samples that lack many genes of the others; missing
        mitochondrial genes were, when the sample was read.
    """
    markers, defining = set(panel), list(definers)
    named: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    n_mt, n_panel, notes = [], [], []
    for table in genes.values():
        known = next((found for other, found in named if other.equals(table)), None)
        if known is None:  # most samples have the same genes
            known = with_reference(table, reference)
            named.append((table, known))
        symbols = set(known["symbol"])
        n_mt.append(int(are_mitochondrial(known).sum()))
        n_panel.append(len(markers & symbols))
        missing = [gene for gene in defining if gene not in symbols]
        notes.append(_marker_note(n_panel[-1], n_markers=len(markers), missing=missing))
    _warn(dict(zip(genes, notes, strict=True)))
    _warn_of_missing(overlap)
    without_mt = ["" if n else "no mitochondrial gene" for n in n_mt]
    joined = ["; ".join(filter(None, parts)) for parts in zip(without_mt, notes, strict=True)]
    return overlap.assign(n_mt=n_mt, n_panel=n_panel, note=joined)


def _marker_note(n_panel: int, *, n_markers: int, missing: list[str]) -> str:
    parts = []
    if 100 * n_panel < FEW_MARKERS * n_markers:
        parts.append(f"only {n_panel} of {n_markers} genes of the marker panel")
    if missing:
        parts.append(f"no {', '.join(missing)} (`lamm.definers`)")
    return "; ".join(parts)


def _warn(notes: Mapping[str, str]) -> None:
    """Log each distinct note once, with its samples."""
    for note in dict.fromkeys(filter(None, notes.values())):
        samples = ", ".join(f"`{sample}`" for sample, other in notes.items() if other == note)
        logger.warning(
            "%s: %s: their cells may get wrong types; give matrices with all genes, named by "
            "Ensembl id or HGNC symbol",
            *(samples, note),
        )


def _warn_of_missing(overlap: pd.DataFrame) -> None:
    """Log the samples that lack many genes of the others: such genes differ without biology."""
    n_missing = overlap["n_missing"]
    lacking = overlap[100 * n_missing > MANY_MISSING * (overlap["n_genes"] + n_missing)]
    lacking = lacking.sort_values("n_missing", ascending=False, kind="stable")
    named = zip(lacking["sample"], lacking["n_missing"], strict=True)
    if len(lacking):
        logger.warning(
            "genes of other samples that a matrix lacks (another reference, or a filtered matrix?) "
            "count as zero (number: %s); a difference in these genes may come from the matrices: "
            "give unfiltered matrices of one reference",
            shortened(f"`{sample}` {number:,}" for sample, number in named),
        )
