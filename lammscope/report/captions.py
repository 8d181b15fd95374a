"""Words of the report that do not depend on the data: captions and references."""

# (title, caption, alternative text)
FIGURE_WORDS = {
    ("cohort", "qc_barcodes"): (
        "Barcodes kept and removed",
        "Barcodes per sample: cells kept (number above the bar), and barcodes removed by the "
        "first limit they failed, or as doublets.",
        "Stacked bars, one per sample, of barcodes kept and removed by reason.",
    ),
    ("cohort", "qc_metrics"): (
        "Quality per sample",
        "Pale shapes hold all barcodes above the ambient floor; boxes hold those that pass "
        "(quartiles; lines from 5 to 95 %). Dashed lines are the limits of the config.",
        "Distributions of UMI counts, detected genes and mitochondrial percentage, one per sample.",
    ),
    ("cohort", "umap_cell_type"): (
        "Cell types",
        "UMAP of the integrated space, coloured by cell type; LAMM cells as called at the "
        "configured level. Distances between distant groups on a UMAP mean nothing.",
        "UMAP of all cells coloured and labelled by cell type, LAMM cells in red.",
    ),
    ("cohort", "umap_sample"): (
        "Samples",
        "The same UMAP by sample, drawn in random order. A population that one sample alone "
        "makes is either that patient's or a sign of incomplete integration.",
        "UMAP of all cells coloured by sample.",
    ),
    ("cohort", "umap_phase"): (
        "Phases and arms",
        "The same UMAP, one phase or arm at a time over all other cells in grey. Nothing "
        "upstream of this picture has seen the response.",
        "Small UMAPs that highlight cells before and after infusion, and of each arm.",
    ),
    ("cohort", "umap_lamm"): (
        "LAMM probabilities and calls",
        "Probability that a monocytic cell is LAMM at each level, and the calls at the "
        "configured level. Cells of other lineages are grey.",
        "Three UMAPs: probability of the positive level, of the elevated level, and LAMM calls.",
    ),
    ("cohort", "umap_definers"): (
        "Expression of the definers",
        "Level of each LAMM definer in single cells (above), highest cells on top, and of cells "
        "together with their neighbours (below). Sparse detection is expected: calls rest on both.",
        "UMAPs of the expression of each LAMM definer, single cells and pooled over neighbours.",
    ),
    ("cohort", "marker_dots"): (
        "Markers by cluster",
        "Clusters by the LAMM definers and by the strongest markers of the types found: size is "
        "the share of cells with the gene, colour the level.",
        "Dot plot of marker genes, one row per cluster, grouped by cell type.",
    ),
    ("cohort", "lamm_calls"): (
        "Certainty of the calls",
        "How the monocytic cells of each sample spread over the probabilities of both levels, and "
        "which were vetoed. Calls that are sure lie in the outer bands.",
        "Stacked bars per sample: probabilities of both LAMM levels in four bands, and vetoes.",
    ),
    ("cohort", "states"): (
        "Programmes of myeloid cells",
        "Mean score of each gene set in each population, the mean over samples (number of cells "
        "in brackets). 0 is the average myeloid cell of this cohort, 1 a standard deviation in "
        "every gene. Descriptive: contrasts test gene sets. A proxy is no published signature.",
        "Heatmap of programme scores by myeloid population.",
    ),
    ("cohort", "composition"): (
        "Composition of samples",
        "Populations of each sample, as shares of all cells and of monocytic cells.",
        "Stacked bars of population shares, one bar per sample, grouped by arm and phase.",
    ),
    ("cohort", "lamm_patients"): (
        "LAMM fractions of patients",
        "Each point is a sample, each line a patient. Hollow points have too few cells in the "
        "denominator to be tested.",
        "LAMM fractions by arm and phase at both levels, with a line for each patient.",
    ),
    ("contrast", "lamm"): (
        "LAMM fractions",
        "Each point is a sample, each line a patient (or a pair); black bars are medians. "
        "Hollow points are not in this test.",
        "LAMM cells as percentage of monocytic and of all cells, one point per sample.",
    ),
    ("contrast", "abundance"): (
        "Abundance of populations",
        "Odds ratios with 95 % confidence intervals from the patient-level model on logit "
        "proportions. Means are of the patients' shares. Intervals are not adjusted for "
        "multiple testing.",
        "Forest plot of odds ratios per population and denominator.",
    ),
    ("contrast", "robustness"): (
        "Robustness of the LAMM result",
        "The LAMM result of this contrast with one choice changed at a time. The dotted line is "
        "the main analysis. These are the same patients again, no further evidence: they show "
        "whether the result hangs on a choice.",
        "Forest plot of the LAMM result under other scales, denominators, thresholds, covariates, "
        "and without each patient.",
    ),
    ("contrast", "neighborhoods"): (
        "Neighbourhoods",
        "Abundance without clusters: each dot is a group of neighbouring cells, tested with the "
        "patient as the unit. Coloured dots pass the spatial false discovery rate.",
        "UMAP of neighbourhoods coloured by their difference, and differences by population.",
    ),
    ("contrast", "volcano"): (
        "Differential expression",
        "Each point is a gene in pseudobulks of one population; coloured genes pass the false "
        "discovery rate.",
        "Volcano plots of gene expression for LAMM cells and the main populations.",
    ),
}

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
        "TMM normalisation",
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
        "Scrublet (idea of the doublet score)",
        "Wolock SL, et al. Cell Systems 2019;8:281.",
        "10.1016/j.cels.2018.11.005",
    ),
    ("UMAP", "McInnes L, et al. arXiv 2018:1802.03426.", "10.48550/arXiv.1802.03426"),
)
