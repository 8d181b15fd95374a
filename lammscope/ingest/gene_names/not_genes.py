"""Rows and columns of count matrices that are neither genes nor cells."""

import re
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.names import ENSEMBL
from lammscope.core.rates import cell_totals, gene_totals
from lammscope.ingest.gene_names.columns import MAJORITY, UBIQUITOUS

# What counting programs add to the genes: HTSeq (`__no_feature`; without underscores before 0.6),
# STAR (`N_unmapped`), featureCounts (`Unassigned_Ambiguity`), CITE-seq-Count, samtools; and the
# spike-in RNAs of the ERCC
COUNTING = re.compile(
    r"(?i:__\w+|N_(?:unmapped|multimapping|noFeature|ambiguous)|Unassigned_\w+|unmapped|unassigned"
    r"|no_feature|ambiguous|too_low_aqual|not_aligned|alignment_not_unique|ERCC[-_.]\d{5}|\*)"
)
# Totals, quality, and coordinates of cells by families of names, and clusters by resolution
FAMILIES = re.compile(
    r"(?i:n(?:Count|Feature)_\w+|(?:pct|percent|perc|fraction|frac)[_.]\w+(?:\.\w+)*|log1p_\w+"
    r"|total_counts_\w+|n_genes_by_counts|\w+_snn_res\.[\d.]+|(?:leiden|louvain)[_.].+"
    r"|(?:umap|t-?sne|pca?)[_. ]\d+|(?:umap|tsne)\d+)"
)
# Other names, written in lower case and without marks between their words
OF_CELLS = frozenset(
    (
        *(
            "numi",
            "numis",
            "ngene",
            "ngenes",
            "ncount",
            "ncounts",
            "nfeature",
            "nfeatures",
            "nread",
        ),
        *("nreads", "umi", "umis", "umicount", "umicounts", "genecount", "genecounts", "total"),
        *("totals", "totalcount", "totalcounts", "totalumi", "totalumis", "totalreads"),
        *("totalgenes", "sum", "librarysize", "libsize", "sizefactor", "sizefactors", "mitoratio"),
        *("doublet", "isdoublet", "doubletscore", "doubletscores", "predicteddoublet"),
        *("predicteddoublets", "sscore", "g2mscore", "cluster", "clusters", "clusterid"),
        *("clustername", "seuratclusters", "leiden", "louvain", "ident", "origident", "cell"),
        *("cells", "cellid", "cellname", "cellindex", "cellbarcode", "barcode", "barcodes"),
        *("celltype", "celltypes", "cellstate", "celllabel", "predictedcelltype", "majorcelltype"),
        *("broadcelltype", "finecelltype", "annotation", "sample", "samples", "sampleid"),
        *("samplename", "sampletag", "patient", "patientid", "donor", "donorid", "subject"),
        *("subjectid", "individual", "library", "libraryid", "batch", "batchid", "tissue"),
        *("condition", "treatment", "timepoint", "response", "sex", "gender", "age", "phase"),
        *("plate", "well", "lane", "group", "detected", "grandtotal", "rowtotal", "rowtotals"),
        *("rowsum", "rowsums", "colsum", "colsums", "mean", "meanexpr", "meanexpression", "avg"),
        *("average", "averageexpression", "avgexp", "median", "rowmean", "rowmeans", "variance"),
    )
)
OF_GENES = frozenset(
    (
        *("chr", "chrom", "chromosome", "chromosomename", "seqname", "seqnames", "contig", "start"),
        *("end", "stop", "strand", "genestart", "geneend", "startposition", "endposition"),
        *("startbp", "endbp", "startpositionbp", "endpositionbp", "length", "genelength"),
        *(
            "lengthbp",
            "transcriptlength",
            "exonlength",
            "effectivelength",
            "efflength",
            "meanlength",
            "width",
        ),
        *("biotype", "genebiotype", "transcriptbiotype", "genetype", "featuretype", "featuretypes"),
        *("description", "genedescription", "locus", "location", "cytoband", "maplocation"),
        *("gccontent", "percentagegccontent", "exoncount", "nexons", "source"),
    )
)
NAMES = frozenset(
    (
        *("gene", "genes", "geneid", "geneids", "genename", "genenames", "genesymbol"),
        *("genesymbols", "geneshortname", "symbol", "symbols", "entrez", "entrezid", "entrezgene"),
        *("entrezgeneid", "ncbigene", "ncbigeneid", "hgnc", "hgncid", "hgncsymbol", "ensembl"),
        *("ensemblid", "ensemblgene", "ensemblgeneid", "refseq", "refseqid", "accession"),
    )
)

# The largest totals are out of scale if they have this many times the next. In libraries of other
# groups, the ratio of consecutive totals of genes was at most 5; our choice.
OUT_OF_SCALE = 10
N_LARGEST = 8
MIN_OTHERS = 20  # fewer show no scale
MIN_TOTAL = 100
# Genes that may dominate a library: of all cells, erythrocytes and plasma cells; and any with an id
DOMINANT = rf"{ENSEMBL}|{UBIQUITOUS}|(?:HB[ABDEGMQZ]|IG[HKL])\w*$"


def no_gene_or_cell(names: pd.Series) -> pd.Series:
    """Test which names are known to be neither genes nor cells, whatever their capitals."""
    known = names.map(is_no_gene_or_cell).astype(bool)
    return known if not known.any() else known & (not are_numbered(names))


@lru_cache(maxsize=2**17)  # the samples of a job mostly have the same genes
def is_no_gene_or_cell(name: str) -> bool:
    """Test whether a name is known to be neither a gene nor a cell."""
    if COUNTING.fullmatch(name) or FAMILIES.fullmatch(name):
        return True
    word = _word(name)
    return word in OF_CELLS or word in OF_GENES or word in NAMES


def are_numbered(names: pd.Series) -> bool:
    """Test whether most names seem to be others, but differ by number: cells `PC_1` to `PC_99`."""
    known = names[names.map(is_no_gene_or_cell).astype(bool)]
    stems = known.str.replace(r"\d+", "", regex=True)
    return len(known) > MAJORITY * len(names) and stems.nunique() < MAJORITY * len(known)


def describes_a_gene(name: str) -> bool:
    """Test whether a column of this name holds neither names nor counts of genes."""
    return _word(name) in OF_GENES


def may_be_corner(name: str) -> bool:
    """Test whether the first field of a header names the column of row names."""
    return _word(name) in {"", *NAMES, *OF_CELLS}


def genes_out_of_scale(counts: sparse.csr_array, genes: pd.DataFrame) -> list[str]:
    """Return names of features with so many counts that they may not be genes, such as totals.

    Parameters
    ----------
    counts
        Cells x genes.
    genes
        `gene` and `symbol`.
    """
    found = genes.iloc[_largest(gene_totals(counts))]
    known = found["gene"].str.match(DOMINANT) | found["symbol"].str.match(DOMINANT)
    return found.loc[~known, "gene"].tolist()


def cells_out_of_scale(counts: sparse.csr_array, barcodes: np.ndarray) -> list[str]:
    """Return names of cells with so many counts, in most genes, that they may not be cells.

    Examples are lengths of genes and sums over cells. A few intact cells among empty droplets also
    stand out, but have counts in fewer genes.
    """
    found = _largest(cell_totals(counts))
    if not len(found):
        return []
    n_genes = np.diff(counts.indptr)[found]
    n_detected = len(np.unique(counts.indices))
    return list(map(str, barcodes[found[n_genes > MAJORITY * n_detected]]))


def _largest(totals: np.ndarray) -> np.ndarray:
    """Return the positions of a few totals far above all others, or none."""
    order = np.argsort(-totals, kind="stable")
    if len(totals) < N_LARGEST + MIN_OTHERS:
        return order[:0]
    largest = totals[order[: N_LARGEST + 1]].astype(float)
    ratios = largest[:-1] / np.maximum(largest[1:], 1)
    wide = np.flatnonzero((ratios >= OUT_OF_SCALE) & (largest[:-1] >= MIN_TOTAL))
    return order[: wide[-1] + 1] if len(wide) else order[:0]


def _word(name: str) -> str:
    return re.sub(r"[-_. ()]", "", name).lower()
