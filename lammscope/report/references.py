"""Papers that the report cites."""

# (key, text, doi)
REFERENCES = (
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
        "Harmony",
        "Korsunsky I, et al. Nature Methods 2019;16:1289.",
        "10.1038/s41592-019-0619-0",
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
