"""What expression tells of the person that cells come from: their sex, and genes that people lack.

Few genes show it in counts without reads. XIST is expressed where there are two X chromosomes, and
the genes below by the male-specific part of chromosome Y [1]_. GSTM1 is deleted in half of all
people. HLA-DRB5 lies on some HLA haplotypes only; reads of HLA-DQA1 alleles that resemble
HLA-DQA2 are counted for the latter. So the two are judged relative to a neighbor that all have.

References
----------
.. [1] Skaletsky et al., Nature 423, 825-837 (2003), doi 10.1038/nature01722 (X-degenerate genes).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

XIST = "XIST"
Y_GENES = ("RPS4Y1", "DDX3Y", "EIF1AY", "KDM5D", "UTY", "USP9Y", "ZFY")
RELATIVE = {"HLA-DRB5": "HLA-DRB1", "HLA-DQA2": "HLA-DQA1"}
DELETED = ("GSTM1",)
MOMENTS = ["symbol", "n_cells", "n_expressed", "total"]  # the columns of moments that are read
GENES = [XIST, *Y_GENES, *DELETED, *RELATIVE, *RELATIVE.values()]

# Our choices. In 24 libraries of six patients of `carpall`, ratios of one patient differ up to
# 3-fold, and each library has at least 19 times as many cells with its own sex genes as with those
# of the other sex.
MIN_CELLS = 10  # with a gene of one sex
MIN_RATIO = 10  # of cells with genes of one sex and of the other
MIN_REFERENCE = 20  # cells with the neighbor of a gene
FOLD, SURE_FOLD = 8, 4  # between the ratios of two samples, estimated and beyond chance
SDS = 3  # of counting, for what is beyond chance
MIN_EXPECTED, FEW = 20, 0.02  # cells with a deleted gene, and the share of them that may be seen
USUAL_SPREAD = 4  # by which the level of such a gene differs between samples of other cell types
MIN_GENES = 2  # that tell two samples of one sex apart: one may be due to the chemistry


@dataclass(frozen=True)
class Genotype:
    """Expression of the genes above in the cells of one sample.

    Attributes
    ----------
    n_cells
        Cells that pass quality control.
    cells
        Number of cells with each gene, by symbol; only genes that the matrix has.
    levels
        UMIs per 10,000, summed over cells, by symbol.
    """

    n_cells: int
    cells: dict[str, int]
    levels: dict[str, float]

    @property
    def sex(self) -> str:
        """`female`, `male`, `both` (cells of two people?), or empty if too few cells tell it."""
        if XIST not in self.cells or not any(gene in self.cells for gene in Y_GENES):
            return ""
        with_x = self.cells[XIST]
        with_y = sum(self.cells.get(gene, 0) for gene in Y_GENES)
        if max(with_x, with_y) < MIN_CELLS:
            return ""
        if with_x >= MIN_RATIO * with_y:
            return "female"
        if with_y >= MIN_RATIO * with_x:
            return "male"
        return "both" if min(with_x, with_y) >= MIN_CELLS else ""


def read_genotype(moments: pd.DataFrame) -> Genotype:
    """Read the genes that differ between people from a sample's moments (`gene_moments`)."""
    symbols = moments["symbol"].str.upper()
    own = moments[symbols.isin(GENES)]
    sums = own.groupby(symbols[own.index])[["n_expressed", "total"]].sum()
    names = sums.index.astype(str)
    return Genotype(
        n_cells=int(moments["n_cells"].iloc[0]) if len(moments) else 0,
        cells=dict(zip(names, sums["n_expressed"].tolist(), strict=True)),
        levels=dict(zip(names, sums["total"].tolist(), strict=True)),
    )


def differing_genes(one: Genotype, other: Genotype) -> list[str]:
    """Return the genes by which two samples cannot be of one person; empty if none are sure.

    XIST or chromosome Y suffices. Of other genes it takes two, because the chemistry of a library
    shifts which of two similar genes reads are counted for.
    """
    sexes = {one.sex, other.sex}
    if sexes == {"female", "male"}:
        return ["XIST and chromosome Y"]
    differing = [
        *(gene for gene, near in RELATIVE.items() if _ratios_differ(one, other, gene, near)),
        *(gene for gene in DELETED if _lacks(one, other, gene) or _lacks(other, one, gene)),
    ]
    return differing if len(differing) >= MIN_GENES else []


def _ratios_differ(one: Genotype, other: Genotype, gene: str, near: str) -> bool:
    """Tell whether the level of a gene relative to its neighbor differs beyond chance."""
    logs, variance = [], 0.0
    for sample in (one, other):
        if gene not in sample.cells or sample.cells.get(near, 0) < MIN_REFERENCE:
            return False
        per_cell = sample.levels[near] / sample.cells[near]  # as if half a cell more had the gene
        logs.append(np.log(sample.levels[gene] + per_cell / 2) - np.log(sample.levels[near]))
        variance += 1 / (sample.cells[gene] + 0.5) + 1 / (sample.cells[near] + 0.5)
    difference = abs(logs[0] - logs[1])
    beyond_chance = difference - SDS * np.sqrt(variance)
    return bool(difference >= np.log(FOLD) and beyond_chance >= np.log(SURE_FOLD))


def _lacks(one: Genotype, other: Genotype, gene: str) -> bool:
    """Tell whether the first sample lacks a gene that the second one surely has."""
    if gene not in one.cells or gene not in other.cells:
        return False
    share = other.cells[gene] / max(other.n_cells, 1)
    expected = share * one.n_cells / USUAL_SPREAD
    surely_there = other.cells[gene] >= MIN_EXPECTED / 2
    return surely_there and expected >= MIN_EXPECTED and one.cells[gene] <= FEW * expected
