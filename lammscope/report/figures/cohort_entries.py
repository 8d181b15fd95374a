"""The figures of the cohort, in their order in the report."""

from lammscope.report.figures.entry import FOLDER, FigureEntry

OF_COHORT = (
    FigureEntry(
        group="cohort",
        name="qc_barcodes",
        draw=f"{FOLDER}.cohort.qc_barcodes",
        section="quality",
        title="Barcodes kept and removed",
        caption="Barcodes of each sample: cells kept (number above the bar), and barcodes removed "
        "by the first threshold that they failed, or as doublets.",
        alternative="Stacked bars of the barcodes kept and removed, by reason, one bar per sample.",
    ),
    FigureEntry(
        group="cohort",
        name="qc_metrics",
        draw=f"{FOLDER}.cohort.qc_metrics",
        section="quality",
        title="Quality per sample",
        caption="Gray shapes show all barcodes above the ambient level; boxes show those that pass "
        "(quartiles; lines from the 5th to the 95th percentile). Dashed lines are thresholds.",
        alternative="Distributions of UMI counts, detected genes and mitochondrial percentage, by "
        "sample.",
    ),
    FigureEntry(
        group="quality",
        name="qc_knee",
        draw=f"{FOLDER}.droplets.knee",
        section="quality",
        title="Barcodes by their UMIs",
        caption="Barcodes of each sample, ranked by their UMIs. Below the curve, colors "
        "show which share of the barcodes at each rank pass quality control, hold ambient "
        "RNA (free RNA from broken cells) and no cell, or are removed for another reason. "
        "Doublets are called later and count as passing. A good sample has many cells on "
        "a high shoulder at the left and a steep fall; in a poor one, the curve falls "
        "slowly. Samples that fail are shown first, then those with the fewest cells.",
        alternative="Curves of UMIs against the rank of the barcode, one panel per sample, "
        "colored below by what the barcodes are.",
    ),
    FigureEntry(
        group="quality",
        name="qc_genes",
        draw=f"{FOLDER}.droplets.genes_by_umis",
        section="quality",
        title="Genes, UMIs and mitochondrial UMIs",
        caption="Barcodes of each sample by their UMIs and detected genes. The color is "
        "the median percentage of mitochondrial UMIs, which is high in dying cells. "
        "Dashed lines are the lowest UMIs and genes allowed; within these, limits follow "
        "the sample and its lineages.",
        alternative="Detected genes against UMIs, one panel per sample, colored by "
        "mitochondrial percentage.",
    ),
    FigureEntry(
        group="quality",
        name="qc_ambient",
        draw=f"{FOLDER}.droplets.ambient_deviance",
        section="quality",
        title="Difference from ambient RNA",
        caption="How far the counts of each barcode deviate from ambient RNA, relative to "
        "a droplet with ambient RNA only and as many UMIs (1, dashed line: just like it). "
        "Most cells are far above the line. “Not tested”: the matrix has no barcodes that "
        "are known to hold ambient RNA only, so none is removed as such; the deviance is "
        "then from the fifth of the barcodes with the fewest UMIs, and only descriptive.",
        alternative="Deviance from ambient RNA against UMIs, one panel per sample, colored by "
        "what the barcodes are.",
    ),
    FigureEntry(
        group="quality",
        name="qc_lineages",
        draw=f"{FOLDER}.losses.lineage_losses",
        section="quality",
        title="Losses by lineage",
        caption="What quality control removes of each likely lineage, which is guessed from a few "
        "markers of each barcode. In brackets: its barcodes that are not ambient RNA. Right: the "
        "percentage that each sample (dot) loses of those with enough UMIs and genes; black bars "
        "are medians. A lineage that is lost more than others is too rare in all results.",
        alternative="Stacked bars of cells kept and removed by lineage, and the percentage lost in "
        "each sample.",
    ),
    FigureEntry(
        group="quality",
        name="qc_doublets",
        draw=f"{FOLDER}.losses.doublet_scores",
        section="quality",
        title="Doublet scores",
        caption="Scores of the cells of each channel: those called doublets (two cells in "
        "one droplet), and the others. Numbers of cells are on a logarithmic scale, "
        "scores on a square-root scale. By default, a call also needs the genes of two "
        "lineages, so single cells can have high scores. Channels with the most calls are "
        "shown first.",
        alternative="Histograms of doublet scores, one panel per channel, of called doublets and "
        "single cells.",
    ),
    FigureEntry(
        group="quality",
        name="qc_contamination",
        draw=f"{FOLDER}.losses.contamination_by_sample",
        section="quality",
        title="Contamination with ambient RNA",
        caption="Estimated percentage of the UMIs in the cells of each sample that are "
        "ambient RNA, with 95 % intervals. If it differs between arms or phases, genes of "
        "other cells can seem to differ, too.",
        alternative="Contamination of each sample with its interval, grouped by arm and phase.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_cell_type",
        draw=f"{FOLDER}.umap.umap_cell_type",
        section="types",
        title="Cell types",
        caption="UMAP of the integrated embedding, colored by cell type. "
        "Distances between separate groups on a UMAP have no meaning.",
        alternative="UMAP of all cells colored and labeled by cell type.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_phase",
        draw=f"{FOLDER}.umap.umap_phase",
        section="types",
        title="Phases and arms",
        caption="The same UMAP, with cells of one phase or arm in color and all others in gray. "
        "Embedding, cell types and LAMM calls were computed without the response.",
        alternative="Small UMAPs that highlight cells before and after infusion, and of each arm.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_sample",
        draw=f"{FOLDER}.umap.umap_sample",
        section="types",
        title="Samples",
        caption="The same UMAP, colored by sample, with cells drawn in random order. A group of "
        "cells from one sample only is either specific to that patient or a sign of incomplete "
        "integration.",
        alternative="UMAP of all cells colored by sample.",
    ),
    FigureEntry(
        group="cohort",
        name="composition",
        draw=f"{FOLDER}.cohort.composition",
        section="types",
        title="Composition of samples",
        caption="Populations of each sample, as fractions of all cells and of monocytic cells.",
        alternative="Stacked bars of population fractions, one bar per sample, grouped by arm and "
        "phase.",
    ),
    FigureEntry(
        group="evidence",
        name="marker_dots",
        draw=f"{FOLDER}.evidence.marker_dots",
        section="types",
        title="Markers by cluster",
        caption="Expression of the defining markers of LAMM cells and of the strongest markers of "
        "each cell type, by cluster. The size of a dot is the fraction of cells that express the "
        "gene; its color is the level.",
        alternative="Dot plot of marker genes, one row per cluster, grouped by cell type.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_lamm",
        draw=f"{FOLDER}.umap.umap_lamm",
        section="calls",
        title="LAMM probabilities and calls",
        caption="Probability that a monocytic cell is a LAMM cell at each level, and the calls at "
        "the configured level. Cells of other lineages are gray.",
        alternative="Three UMAPs: probability of the positive level, of the macrophage-like level, "
        "and LAMM calls.",
    ),
    FigureEntry(
        group="evidence",
        name="lamm_calls",
        draw=f"{FOLDER}.evidence.lamm_calls",
        section="calls",
        title="Certainty of the calls",
        caption="Monocytic cells of each sample by their probability at both levels, and those "
        "removed by exclusion criteria. Certain calls have probabilities near 0 or 1.",
        alternative="Stacked bars per sample: probabilities of both LAMM levels in four ranges, "
        "and cells removed by exclusion criteria.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_definers",
        draw=f"{FOLDER}.umap.umap_definers",
        section="definers",
        title="Expression of the defining markers",
        caption="Level of each defining marker of LAMM cells, in single cells (above) and pooled "
        "over each cell and its neighbors (below). Cells with the highest levels are drawn on top. "
        "Many cells have no transcript of a gene that they express, so calls use both levels.",
        alternative="UMAPs of the expression of each defining marker, in single cells and pooled "
        "over neighbors.",
    ),
    FigureEntry(
        group="cohort",
        name="lamm_patients",
        draw=f"{FOLDER}.fractions.lamm_patients",
        section="patients",
        title="LAMM fractions of patients",
        caption="Each point is a sample, and lines join those of a patient; black bars are means. "
        "Pre and post: "
        "before and after infusion. Hollow points have too few cells in the denominator to be "
        "tested.",
        alternative="LAMM fractions by arm and phase at both levels, with a line for each patient.",
    ),
    FigureEntry(
        group="evidence",
        name="states",
        draw=f"{FOLDER}.evidence.state_map",
        section="programs",
        title="Gene programs of myeloid cells",
        caption="Score of each gene set in each population, averaged over samples (cells in "
        "brackets). 0 is the average myeloid cell of this cohort; 1 is one standard deviation more "
        "in every gene. Scores are descriptive; gene sets are tested in each contrast. A proxy is "
        "not a published signature.",
        alternative="Heatmap of gene-set scores by myeloid population.",
    ),
    FigureEntry(
        group="associations",
        name="associations",
        draw=f"{FOLDER}.associations.association_scatter",
        section="associations",
        title="LAMM cells and T cells across patients",
        caption="The correlations with the smallest p, a named point per patient. Points are "
        "ranks less what arm and sequencing depth explain of them; rho is their correlation, with "
        "its 95 % interval. These correlations were selected out of many, so their rho is too far "
        "from 0. An association does not show a cause.",
        alternative="Scatter plots of LAMM measures against measures of T cells, with patients "
        "named.",
    ),
    FigureEntry(
        group="survival",
        name="survival_forest",
        draw=f"{FOLDER}.survival.survival_forest",
        section="survival",
        title="Hazard ratios",
        caption="Hazard ratios per standard deviation of a LAMM measure between patients, with "
        "95 % intervals: above 1, patients with more of it have their event sooner. The "
        "pre-specified row is in color. No cut-point is chosen.",
        alternative="Forest plot of hazard ratios by endpoint, time and LAMM measure.",
    ),
    FigureEntry(
        group="survival",
        name="survival_curves",
        draw=f"{FOLDER}.survival.survival_curves",
        section="survival",
        title="Follow-up by LAMM cells, and by response",
        caption="Kaplan-Meier curves of patients up to the median of LAMM cells and above it, with "
        "the patients still at risk; small bars are patients censored. Where events compete, the "
        "curves are cumulative incidences. The median only serves the picture; the tests use the "
        "measure itself. After infusion the clock starts on the day of the sample, and by response "
        "on the day on which it was assessed, so that no group is credited with days that its "
        "patients had to live through to belong to it.",
        alternative="Curves of the share of patients without an event, by LAMM cells and response.",
    ),
    FigureEntry(
        group="multiverse",
        name="specification_curve",
        draw=f"{FOLDER}.multiverse.specification_curve",
        section="multiverse",
        title="The primary result under other choices",
        caption="Each column is a specification, a combination of choices: its estimate with a "
        "95 % interval above, the values of its choices below. Columns are in the order of their "
        "estimates; dark intervals have p < 0.05. The diamond and the dotted line are the run's "
        "own choices. All columns use the same patients. Specifications that could not be computed "
        "stand on the right.",
        alternative="Estimates of all specifications from the smallest to the largest, above a "
        "matrix of the choices that each makes.",
    ),
    FigureEntry(
        group="replication",
        name="replication",
        draw=f"{FOLDER}.cohorts.replication",
        section="replication",
        title="The first cohort and this one",
        caption="Estimates of the primary comparison with their 95 % intervals (n: reference / "
        "test patients), as numbers at the right. The dotted line is half of the first effect: "
        "first effects that were noticed are too large on average.",
        alternative="Two estimates with intervals, one below the other, and a line at half of the "
        "first.",
    ),
)
