"""Papers that the report cites: those of the methods that were run."""

from collections.abc import Iterable, Mapping
from typing import Any

from lammscope.joint.integration import METHODS

Reference = tuple[str, str, str]  # what for, the paper, its DOI

ALWAYS: tuple[Reference, ...] = (
    (
        "LAMM cells",
        "Stahl, Gödel, Balke-Want, ... Ullrich. Cancer Cell 2025.",
        "10.1016/j.ccell.2025.05.013",
    ),
    (
        "CSF1R in blood",
        "Combes et al. Immunotherapy Advances 2021.",
        "10.1093/immadv/ltab003",
    ),
    (
        "Cells are not replicates",
        "Squair JW, et al. Nature Communications 2021;12:5692.",
        "10.1038/s41467-021-25960-2",
    ),
    (
        "limma",
        "Ritchie ME, et al. Nucleic Acids Research 2015;43:e47.",
        "10.1093/nar/gkv007",
    ),
    ("voom", "Law CW, et al. Genome Biology 2014;15:R29.", "10.1186/gb-2014-15-2-r29"),
    (
        "Moderated statistics",
        "Smyth GK. Statistical Applications in Genetics and Molecular Biology 2004;3:3.",
        "10.2202/1544-6115.1027",
    ),
    (
        "TMM normalization",
        "Robinson MD, Oshlack A. Genome Biology 2010;11:R25.",
        "10.1186/gb-2010-11-3-r25",
    ),
    (
        "Proportions of cell types",
        "Phipson B, et al. Bioinformatics 2022;38:4720.",
        "10.1093/bioinformatics/btac582",
    ),
    (
        "Neighborhoods of cells",
        "Dann E, et al. Nature Biotechnology 2022;40:245.",
        "10.1038/s41587-021-01033-z",
    ),
    (
        "Leiden clustering",
        "Traag VA, et al. Scientific Reports 2019;9:5233.",
        "10.1038/s41598-019-41695-z",
    ),
    (
        "Scrublet (doublet score)",
        "Wolock SL, et al. Cell Systems 2019;8:281.",
        "10.1016/j.cels.2018.11.005",
    ),
    ("UMAP", "McInnes L, et al. arXiv 2018:1802.03426.", "10.48550/arXiv.1802.03426"),
)
CELLTYPIST: Reference = (
    "CellTypist",
    "Domínguez Conde C, et al. Science 2022;376:eabl5197.",
    "10.1126/science.abl5197",
)
SURVIVAL: tuple[Reference, ...] = (
    (
        "Cox regression with few events (Firth's penalty)",
        "Heinze G, Schemper M. Biometrics 2001;57:114.",
        "10.1111/j.0006-341X.2001.00114.x",
    ),
    (
        "Landmarks and immortal time",
        "Dafni U. Circulation: Cardiovascular Quality and Outcomes 2011;4:363.",
        "10.1161/CIRCOUTCOMES.110.957951",
    ),
)
ENGINES: dict[str, tuple[Reference, ...]] = {  # of `expression.engine`; limma is always used
    "limma_voom_by_arm": (
        (
            "voom with a trend for each arm (voomByGroup)",
            "You Y, et al. Genome Biology 2023;24:107.",
            "10.1186/s13059-023-02949-2",
        ),
    ),
    "pydeseq2": (
        (
            "PyDESeq2",
            "Muzellec B, et al. Bioinformatics 2023;39:btad547.",
            "10.1093/bioinformatics/btad547",
        ),
        ("DESeq2", "Love MI, et al. Genome Biology 2014;15:550.", "10.1186/s13059-014-0550-8"),
    ),
    "edger_ql": (
        (
            "edgeR 4 (quasi-likelihood)",
            "Chen Y, et al. Nucleic Acids Research 2025;53:gkaf018.",
            "10.1093/nar/gkaf018",
        ),
    ),
}


def cited_references(
    config: Mapping[str, Any], *, methods: Iterable[str], follow_up: bool
) -> list[Reference]:
    """Return the papers of the methods that were run, as (what for, paper, DOI).

    Parameters
    ----------
    config
        The resolved config.
    methods
        The integration methods whose embeddings were computed.
    follow_up
        Whether the cohort has follow-up.
    """
    run = set(methods)
    cited = (method.reference for name, method in METHODS.items() if name in run)
    engine = ENGINES.get(config["expression"]["engine"], ())
    types = [CELLTYPIST] if config["annotation"]["celltypist_model"] else []
    survival = SURVIVAL if follow_up else ()
    return [*ALWAYS, *filter(None, cited), *engine, *types, *survival]
