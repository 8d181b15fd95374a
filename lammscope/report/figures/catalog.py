"""All figures: the rule and the function that draw each, its place in the report, and its caption.

To add a figure, write a function that takes the data of its group (`cohort.CohortData` and so on)
and returns a matplotlib `Figure`, and add an entry here. Rules, report and tests need nothing else.

This module does not import the figures, so rules and the report read it without loading matplotlib.
"""

from dataclasses import dataclass

FOLDER = "lammscope.report.figures"


@dataclass(frozen=True)
class FigureEntry:
    """A figure in the catalog.

    Attributes
    ----------
    group
        `quality`, `cohort`, `evidence`, `contrast`, `neighborhoods` or `axis`; drawn by the rule
        `draw_{group}`; so is `multiverse`, if the config lists other choices; and `associations`,
        drawn by `draw_axis`. The first three and the last two are figures of the cohort, the others
        of each contrast.
    name
        Name of its files, without suffix.
    draw
        Dotted name of the function that draws it.
    section
        Place in the report's template. Figures of a section are shown in the order of the catalog.
    title, caption
        Text below the figure in the report.
    alternative
        Alternative text for readers who cannot see the figure.
    """

    group: str
    name: str
    draw: str
    section: str
    title: str
    caption: str
    alternative: str


CATALOG = (
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
        draw=f"{FOLDER}.contrast.lamm_patients",
        section="patients",
        title="LAMM fractions of patients",
        caption="Each point is a sample, each line a patient. Pre and post: before and after "
        "infusion. Hollow points have too few cells in the denominator to be tested.",
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
        group="contrast",
        name="lamm",
        draw=f"{FOLDER}.contrast.lamm_contrast",
        section="fractions",
        title="LAMM fractions",
        caption="Each point is a sample, each line a patient (or a pair); black bars are medians. "
        "For a trend over numbers, the black line is fitted to the log odds of the tested samples. "
        "Pre and post: before and after infusion. Hollow points are not part of this test.",
        alternative="LAMM cells as a percentage of immune cells and of monocytic cells, one point "
        "per sample.",
    ),
    FigureEntry(
        group="contrast",
        name="abundance",
        draw=f"{FOLDER}.forest.abundance_forest",
        section="abundance",
        title="Abundance of populations",
        caption="Odds ratios with 95 % confidence intervals, from the patient-level model on the "
        "logit scale. Means are over patients. Intervals are not adjusted for multiple testing. "
        "Markers are filled where a difference is supported, half filled where it is suggestive, "
        "and open where it is inconclusive.",
        alternative="Forest plot of odds ratios per population and denominator.",
    ),
    FigureEntry(
        group="contrast",
        name="robustness",
        draw=f"{FOLDER}.robustness_forest.robustness_forest",
        section="robustness",
        title="Robustness of the LAMM result",
        caption="The LAMM result of this contrast with one choice changed at a time. The dotted "
        "line is the main analysis. All rows use the same patients, so they are not further "
        "evidence; they show whether the result depends on a choice.",
        alternative="Forest plot of the LAMM result under other scales, denominators, thresholds, "
        "covariates, and without each patient.",
    ),
    FigureEntry(
        group="neighborhoods",
        name="neighborhoods",
        draw=f"{FOLDER}.neighborhoods.neighborhood_figure",
        section="neighborhoods",
        title="Neighborhoods",
        caption="Differences in abundance without clusters. Each dot is a group of neighboring "
        "cells, tested with the patient as the unit. Colored dots pass the spatial false discovery "
        "rate.",
        alternative="UMAP of neighborhoods colored by their difference, and differences by "
        "population.",
    ),
    FigureEntry(
        group="axis",
        name="pair_patients",
        draw=f"{FOLDER}.axis_patients.pair_patients",
        section="axis_primary",
        title="The pre-specified pair in patients",
        caption="Expression of the sender's term and of the receiver's, and their product, in each "
        "patient (point; lines join the samples of a patient). Of genes that are all needed, the "
        "rarest counts. Black bars are geometric means; ratios have 95 % intervals. The pair is "
        "supported only if both terms differ. PGE2 itself is not measured.",
        alternative="Points of patients by arm: the sender's term, the receiver's, and both.",
    ),
    FigureEntry(
        group="axis",
        name="pairs",
        draw=f"{FOLDER}.axis.wiring",
        section="axis_pairs",
        title="Ligand-receptor pairs that differ",
        caption="Supported (solid) and suggestive (dashed) pairs, from sender to receiver. The "
        "width is the fold change of their co-expression, which is given with its 95 % interval; "
        "the color is its direction. The half of a line is gray if that term does not differ by "
        "itself. Groups of myeloid cells overlap, so one of them is drawn for each pair and "
        "partner. Co-expression is compatible with signaling and does not show it.",
        alternative="Lines from sending to receiving cells, one per ligand-receptor pair that "
        "differs.",
    ),
    FigureEntry(
        group="axis",
        name="pair_levels",
        draw=f"{FOLDER}.axis_levels.pair_levels",
        section="axis_levels",
        title="Ligands and receptors by arm",
        caption="Tested pairs, and PGE2, by group of cells and arm: ligands in the cells that "
        "send, receptors in those that receive. The color is the mean level of the patients, the "
        "size of a dot the share of patients with at least one UMI in these cells. Of genes that "
        "are all needed, the rarest counts. Patients with too few cells are left out.",
        alternative="Dot plot of ligands and receptors, one row per pair, one column per group of "
        "cells and arm.",
    ),
    FigureEntry(
        group="axis",
        name="t_states",
        draw=f"{FOLDER}.t_states.state_forest",
        section="t_states",
        title="Gene programs and states of T cells",
        caption="Differences between the arms in mean scores of gene programs, and odds ratios of "
        "the fractions of states, with 95 % intervals that are not adjusted for multiple testing. "
        "Markers are filled where a difference is supported, half filled where it is suggestive, "
        "and open where it is inconclusive. PGE2 response genes are also raised by T-cell "
        "activation, so that score is never read alone.",
        alternative="Forest plot of differences in programs and states of T cells.",
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
        group="contrast",
        name="volcano",
        draw=f"{FOLDER}.volcano.volcano",
        section="expression",
        title="Differential expression",
        caption="Each point is a gene, tested on pseudobulks of one population. Colored genes pass "
        "the false discovery rate. Hollow points are genes that ambient RNA may explain; they are "
        "left out of it.",
        alternative="Volcano plots of gene expression for LAMM cells and the main populations.",
    ),
)


def figure_names(*groups: str) -> list[str]:
    """Return the names of the figures of some groups, in the order of the catalog."""
    return [entry.name for entry in CATALOG if entry.group in groups]


def drawing_functions(group: str) -> dict[str, str]:
    """Return the dotted names of the functions that draw a group's figures, by figure."""
    return {entry.name: entry.draw for entry in CATALOG if entry.group == group}


def placed_figures(section: str) -> list[str]:
    """Return the names of the figures in a section of the report, in their order."""
    return [entry.name for entry in CATALOG if entry.section == section]


def find_figure(name: str) -> FigureEntry:
    """Return the entry of the figure with this name.

    Raises
    ------
    KeyError
        If there is no figure with this name.
    """
    return {entry.name: entry for entry in CATALOG}[name]
