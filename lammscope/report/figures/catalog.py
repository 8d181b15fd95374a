"""Every figure: which rule draws it, by which function, its place on the page, and its words.

To add a figure, write a function that takes the data of its group (`cohort.CohortData` and so on)
and returns a matplotlib `Figure`, and add an entry here. Rules, report and tests read the rest.

This module imports no figure: rules and the report read it without loading matplotlib.
"""

from dataclasses import dataclass

FOLDER = "lammscope.report.figures"


@dataclass(frozen=True)
class FigureEntry:
    """A figure in the catalog.

    Attributes
    ----------
    group
        `cohort`, `evidence`, `contrast` or `neighborhoods`: the rule `draw_{group}` draws it. The
        first two are figures of the cohort, the others of each contrast.
    name
        Of its files, without suffix.
    draw
        Dotted name of the function that draws it.
    section
        Where the report's template shows it, after those of the same section above it here.
    title, caption
        Below the figure in the report.
    alternative
        What it shows, for readers who cannot see it.
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
        caption="Barcodes per sample: cells kept (number above the bar), and barcodes removed by "
        "the first limit they failed, or as doublets.",
        alternative="Stacked bars, one per sample, of barcodes kept and removed by reason.",
    ),
    FigureEntry(
        group="cohort",
        name="qc_metrics",
        draw=f"{FOLDER}.cohort.qc_metrics",
        section="quality",
        title="Quality per sample",
        caption="Pale shapes hold all barcodes above the ambient floor; boxes hold those that pass "
        "(quartiles; lines from 5 to 95 %). Dashed lines are the limits of the config.",
        alternative="Distributions of UMI counts, detected genes and mitochondrial percentage, one "
        "per sample.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_cell_type",
        draw=f"{FOLDER}.umap.umap_cell_type",
        section="types",
        title="Cell types",
        caption="UMAP of the integrated space, coloured by cell type; LAMM cells as called at the "
        "configured level. Distances between distant groups on a UMAP mean nothing.",
        alternative="UMAP of all cells coloured and labelled by cell type, LAMM cells in red.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_phase",
        draw=f"{FOLDER}.umap.umap_phase",
        section="types",
        title="Phases and arms",
        caption="The same UMAP, one phase or arm at a time over all other cells in grey. Nothing "
        "upstream of this picture has seen the response.",
        alternative="Small UMAPs that highlight cells before and after infusion, and of each arm.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_sample",
        draw=f"{FOLDER}.umap.umap_sample",
        section="types",
        title="Samples",
        caption="The same UMAP by sample, drawn in random order. A population that one sample "
        "alone makes is either that patient's or a sign of incomplete integration.",
        alternative="UMAP of all cells coloured by sample.",
    ),
    FigureEntry(
        group="cohort",
        name="composition",
        draw=f"{FOLDER}.cohort.composition",
        section="types",
        title="Composition of samples",
        caption="Populations of each sample, as shares of all cells and of monocytic cells.",
        alternative="Stacked bars of population shares, one bar per sample, grouped by arm and "
        "phase.",
    ),
    FigureEntry(
        group="evidence",
        name="marker_dots",
        draw=f"{FOLDER}.evidence.marker_dots",
        section="types",
        title="Markers by cluster",
        caption="Clusters by the LAMM definers and by the strongest markers of the types found: "
        "size is the share of cells with the gene, colour the level.",
        alternative="Dot plot of marker genes, one row per cluster, grouped by cell type.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_lamm",
        draw=f"{FOLDER}.umap.umap_lamm",
        section="calls",
        title="LAMM probabilities and calls",
        caption="Probability that a monocytic cell is LAMM at each level, and the calls at the "
        "configured level. Cells of other lineages are grey.",
        alternative="Three UMAPs: probability of the positive level, of the elevated level, and "
        "LAMM calls.",
    ),
    FigureEntry(
        group="evidence",
        name="lamm_calls",
        draw=f"{FOLDER}.evidence.lamm_calls",
        section="calls",
        title="Certainty of the calls",
        caption="How the monocytic cells of each sample spread over the probabilities of both "
        "levels, and which were vetoed. Calls that are sure lie in the outer bands.",
        alternative="Stacked bars per sample: probabilities of both LAMM levels in four bands, and "
        "vetoes.",
    ),
    FigureEntry(
        group="cohort",
        name="umap_definers",
        draw=f"{FOLDER}.umap.umap_definers",
        section="definers",
        title="Expression of the definers",
        caption="Level of each LAMM definer in single cells (above), highest cells on top, and of "
        "cells together with their neighbours (below). Sparse detection is expected: calls rest on "
        "both.",
        alternative="UMAPs of the expression of each LAMM definer, single cells and pooled over "
        "neighbours.",
    ),
    FigureEntry(
        group="cohort",
        name="lamm_patients",
        draw=f"{FOLDER}.contrast.lamm_patients",
        section="patients",
        title="LAMM fractions of patients",
        caption="Each point is a sample, each line a patient. Hollow points have too few cells in "
        "the denominator to be tested.",
        alternative="LAMM fractions by arm and phase at both levels, with a line for each patient.",
    ),
    FigureEntry(
        group="evidence",
        name="states",
        draw=f"{FOLDER}.evidence.state_map",
        section="programs",
        title="Programmes of myeloid cells",
        caption="Mean score of each gene set in each population, the mean over samples (number of "
        "cells in brackets). 0 is the average myeloid cell of this cohort, 1 a standard deviation "
        "in every gene. Descriptive: contrasts test gene sets. A proxy is no published signature.",
        alternative="Heatmap of programme scores by myeloid population.",
    ),
    FigureEntry(
        group="contrast",
        name="lamm",
        draw=f"{FOLDER}.contrast.lamm_contrast",
        section="fractions",
        title="LAMM fractions",
        caption="Each point is a sample, each line a patient (or a pair); black bars are medians. "
        "Hollow points are not in this test.",
        alternative="LAMM cells as percentage of monocytic and of all cells, one point per sample.",
    ),
    FigureEntry(
        group="contrast",
        name="abundance",
        draw=f"{FOLDER}.forest.abundance_forest",
        section="abundance",
        title="Abundance of populations",
        caption="Odds ratios with 95 % confidence intervals from the patient-level model on logit "
        "proportions. Means are of the patients' shares. Intervals are not adjusted for multiple "
        "testing.",
        alternative="Forest plot of odds ratios per population and denominator.",
    ),
    FigureEntry(
        group="contrast",
        name="robustness",
        draw=f"{FOLDER}.robustness_forest.robustness_forest",
        section="robustness",
        title="Robustness of the LAMM result",
        caption="The LAMM result of this contrast with one choice changed at a time. The dotted "
        "line is the main analysis. These are the same patients again, no further evidence: they "
        "show whether the result hangs on a choice.",
        alternative="Forest plot of the LAMM result under other scales, denominators, thresholds, "
        "covariates, and without each patient.",
    ),
    FigureEntry(
        group="neighborhoods",
        name="neighborhoods",
        draw=f"{FOLDER}.neighborhoods.neighborhood_figure",
        section="neighborhoods",
        title="Neighbourhoods",
        caption="Abundance without clusters: each dot is a group of neighbouring cells, tested "
        "with the patient as the unit. Coloured dots pass the spatial false discovery rate.",
        alternative="UMAP of neighbourhoods coloured by their difference, and differences by "
        "population.",
    ),
    FigureEntry(
        group="contrast",
        name="volcano",
        draw=f"{FOLDER}.volcano.volcano",
        section="expression",
        title="Differential expression",
        caption="Each point is a gene in pseudobulks of one population; coloured genes pass the "
        "false discovery rate.",
        alternative="Volcano plots of gene expression for LAMM cells and the main populations.",
    ),
)


def figure_names(*groups: str) -> list[str]:
    """Names of the figures of some groups, in the order of the catalog."""
    return [entry.name for entry in CATALOG if entry.group in groups]


def drawing_functions(group: str) -> dict[str, str]:
    """Dotted names of the functions that draw a group's figures, by the figures' names."""
    return {entry.name: entry.draw for entry in CATALOG if entry.group == group}


def placed_figures(section: str) -> list[str]:
    """Names of the figures that stand in a section of the report, in their order there."""
    return [entry.name for entry in CATALOG if entry.section == section]


def find_figure(name: str) -> FigureEntry:
    """The entry of a figure by its name, which no other figure has.

    Raises
    ------
    KeyError
        If no figure has this name.
    """
    return {entry.name: entry for entry in CATALOG}[name]
