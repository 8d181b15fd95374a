"""Papers that the methods text cites, and the numbers by which it cites them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lammscope.joint.integration import METHODS

CITATION = re.compile(r"\[@([^\]]+)\]")  # in a text: `[@leiden]`, or `[@limma, voom]`


@dataclass(frozen=True)
class Reference:
    """A paper: authors, title, journal and year as `text`, and its DOI."""

    text: str
    doi: str


# By the name that the text cites: for integration methods, their name in the config.
REFERENCES: dict[str, Reference] = {
    "lamm": Reference(
        "Stahl D, Gödel P, Balke-Want H, et al. CSF1R+ myeloid-monocytic cells drive CAR-T cell"
        " resistance in aggressive B cell lymphoma. Cancer Cell (2025).",
        "10.1016/j.ccell.2025.05.013",
    ),
    "csf1r": Reference(
        "Combes TW, Orsenigo F, Stewart A, et al. CSF1R defines the mononuclear phagocyte "
        "system lineage in human blood in health and COVID-19. Immunotherapy Advances 1:ltab003"
        " (2021).",
        "10.1093/immadv/ltab003",
    ),
    "replicates": Reference(
        "Squair JW, Gautier M, Kathe C, et al. Confronting false discoveries in single-cell "
        "differential expression. Nature Communications 12:5692 (2021).",
        "10.1038/s41467-021-25960-2",
    ),
    "scater": Reference(
        "McCarthy DJ, Campbell KR, Lun ATL, Wills QF. Scater: pre-processing, quality control, "
        "normalization and visualization of single-cell RNA-seq data in R. Bioinformatics "
        "33:1179-1186 (2017).",
        "10.1093/bioinformatics/btw777",
    ),
    "emptydrops": Reference(
        "Lun ATL, Riesenfeld S, Andrews T, et al. EmptyDrops: distinguishing cells from empty "
        "droplets in droplet-based single-cell RNA sequencing data. Genome Biology 20:63 "
        "(2019).",
        "10.1186/s13059-019-1662-y",
    ),
    "soupx": Reference(
        "Young MD, Behjati S. SoupX removes ambient RNA contamination from droplet-based "
        "single-cell RNA sequencing data. GigaScience 9:giaa151 (2020).",
        "10.1093/gigascience/giaa151",
    ),
    "scrublet": Reference(
        "Wolock SL, Lopez R, Klein AM. Scrublet: computational identification of cell doublets "
        "in single-cell transcriptomic data. Cell Systems 8:281-291 (2019).",
        "10.1016/j.cels.2018.11.005",
    ),
    "seurat": Reference(
        "Satija R, Farrell JA, Gennert D, Schier AF, Regev A. Spatial reconstruction of single-"
        "cell gene expression data. Nature Biotechnology 33:495-502 (2015).",
        "10.1038/nbt.3192",
    ),
    "harmony": Reference(
        "Korsunsky I, Millard N, Fan J, et al. Fast, sensitive and accurate integration of "
        "single-cell data with Harmony. Nature Methods 16:1289-1296 (2019).",
        "10.1038/s41592-019-0619-0",
    ),
    "scvi": Reference(
        "Lopez R, Regier J, Cole MB, Jordan MI, Yosef N. Deep generative modeling for single-"
        "cell transcriptomics. Nature Methods 15:1053-1058 (2018).",
        "10.1038/s41592-018-0229-2",
    ),
    "leiden": Reference(
        "Traag VA, Waltman L, van Eck NJ. From Louvain to Leiden: guaranteeing well-connected "
        "communities. Scientific Reports 9:5233 (2019).",
        "10.1038/s41598-019-41695-z",
    ),
    "umap": Reference(
        "McInnes L, Healy J, Melville J. UMAP: Uniform Manifold Approximation and Projection "
        "for dimension reduction. arXiv:1802.03426 (2018).",
        "10.48550/arXiv.1802.03426",
    ),
    "celltypist": Reference(
        "Domínguez Conde C, Xu C, Jarvis LB, et al. Cross-tissue immune cell analysis reveals "
        "tissue-specific features in humans. Science 376:eabl5197 (2022).",
        "10.1126/science.abl5197",
    ),
    "propeller": Reference(
        "Phipson B, Sim CB, Porrello ER, et al. propeller: testing for differences in cell type"
        " proportions in single cell data. Bioinformatics 38:4720-4726 (2022).",
        "10.1093/bioinformatics/btac582",
    ),
    "milo": Reference(
        "Dann E, Henderson NC, Teichmann SA, Morgan MD, Marioni JC. Differential abundance "
        "testing on single-cell data using k-nearest neighbor graphs. Nature Biotechnology "
        "40:245-253 (2022).",
        "10.1038/s41587-021-01033-z",
    ),
    "kenward_roger": Reference(
        "Kenward MG, Roger JH. Small sample inference for fixed effects from restricted maximum"
        " likelihood. Biometrics 53:983-997 (1997).",
        "10.2307/2533558",
    ),
    "knapp_hartung": Reference(
        "Knapp G, Hartung J. Improved tests for a random effects meta-regression with a single "
        "covariate. Statistics in Medicine 22:2693-2710 (2003).",
        "10.1002/sim.1482",
    ),
    "limma": Reference(
        "Ritchie ME, Phipson B, Wu D, et al. limma powers differential expression analyses for "
        "RNA-sequencing and microarray studies. Nucleic Acids Research 43:e47 (2015).",
        "10.1093/nar/gkv007",
    ),
    "voom": Reference(
        "Law CW, Chen Y, Shi W, Smyth GK. voom: precision weights unlock linear model analysis "
        "tools for RNA-seq read counts. Genome Biology 15:R29 (2014).",
        "10.1186/gb-2014-15-2-r29",
    ),
    "moderated": Reference(
        "Smyth GK. Linear models and empirical Bayes methods for assessing differential "
        "expression in microarray experiments. Statistical Applications in Genetics and "
        "Molecular Biology 3:3 (2004).",
        "10.2202/1544-6115.1027",
    ),
    "tmm": Reference(
        "Robinson MD, Oshlack A. A scaling normalization method for differential expression "
        "analysis of RNA-seq data. Genome Biology 11:R25 (2010).",
        "10.1186/gb-2010-11-3-r25",
    ),
    "by_arm": Reference(
        "You Y, Dong X, Wee YK, et al. Modeling group heteroscedasticity in single-cell RNA-seq"
        " pseudo-bulk data. Genome Biology 24:107 (2023).",
        "10.1186/s13059-023-02949-2",
    ),
    "pydeseq2": Reference(
        "Muzellec B, Teleńczuk M, Cabeli V, Andreux M. PyDESeq2: a python package for bulk RNA-"
        "seq differential expression analysis. Bioinformatics 39:btad547 (2023).",
        "10.1093/bioinformatics/btad547",
    ),
    "deseq2": Reference(
        "Love MI, Huber W, Anders S. Moderated estimation of fold change and dispersion for "
        "RNA-seq data with DESeq2. Genome Biology 15:550 (2014).",
        "10.1186/s13059-014-0550-8",
    ),
    "edger": Reference(
        "Chen Y, Chen L, Lun ATL, Baldoni PL, Smyth GK. edgeR v4: powerful differential "
        "analysis of sequencing data with expanded functionality and improved support for small"
        " counts and larger datasets. Nucleic Acids Research 53:gkaf018 (2025).",
        "10.1093/nar/gkaf018",
    ),
    "score_genes": Reference(
        "Tirosh I, Izar B, Prakadan SM, et al. Dissecting the multicellular ecosystem of "
        "metastatic melanoma by single-cell RNA-seq. Science 352:189-196 (2016).",
        "10.1126/science.aad0501",
    ),
    "hierarchy": Reference(
        "Benjamini Y, Bogomolov M. Selective inference on multiple families of hypotheses. "
        "Journal of the Royal Statistical Society B 76:297-318 (2014).",
        "10.1111/rssb.12028",
    ),
    "firth": Reference(
        "Heinze G, Schemper M. A solution to the problem of monotone likelihood in Cox "
        "regression. Biometrics 57:114-119 (2001).",
        "10.1111/j.0006-341X.2001.00114.x",
    ),
    "landmark": Reference(
        "Dafni U. Landmark analysis at the 25-year landmark point. Circulation: Cardiovascular "
        "Quality and Outcomes 4:363-371 (2011).",
        "10.1161/CIRCOUTCOMES.110.957951",
    ),
    "specification_curve": Reference(
        "Simonsohn U, Simmons JP, Nelson LD. Specification curve analysis. Nature Human "
        "Behaviour 4:1208-1214 (2020).",
        "10.1038/s41562-020-0912-z",
    ),
}
# What the module of a method names is cited if the method is not listed above.
REFERENCES = {
    name: Reference(*method.reference[1:]) for name, method in METHODS.items() if method.reference
} | REFERENCES


def number_citations(texts: Iterable[str]) -> tuple[list[str], list[Reference]]:
    """Replace the names of papers by numbers, in the order in which they are cited.

    Returns
    -------
    texts
        The texts, with `[1]` or `[1,2]` in place of `[@limma]` or `[@limma, voom]`.
    references
        The papers, of which the first is number 1.

    Notes
    -----
    Names that are not in `REFERENCES` are left as they are: labels of users may look like this.
    """
    numbers: dict[str, int] = {}

    def numbered(match: re.Match[str]) -> str:
        names = match[1].split(", ")
        if not REFERENCES.keys() >= set(names):
            return match[0]
        return f"[{','.join(str(numbers.setdefault(name, len(numbers) + 1)) for name in names)}]"

    texts = [CITATION.sub(numbered, text) for text in texts]
    return texts, [REFERENCES[name] for name in numbers]
