"""The figures of each contrast, in their order in the report."""

from lammscope.report.figures.entry import FOLDER, FigureEntry

OF_CONTRASTS = (
    FigureEntry(
        group="contrast",
        name="lamm_primary",
        draw=f"{FOLDER}.fractions.lamm_primary",
        section="card",
        title="LAMM fractions of patients",
        caption="Each point is a sample, and lines join those of a patient; bars and bold "
        "numbers are means of "
        "patients. Hollow points are not part of the test.",
        alternative="LAMM cells as a percentage of the primary denominator, one point per sample, "
        "with the means of the groups that are compared.",
    ),
    FigureEntry(
        group="contrast",
        name="lamm",
        draw=f"{FOLDER}.fractions.lamm_contrast",
        section="fractions",
        title="LAMM fractions",
        caption="Each point is a sample, and lines join those of a patient (or a pair); black "
        "bars are means. "
        "For a trend over numbers, the black line is fitted to the log odds of the tested samples, "
        "and dotted lines are means of the lowest and the highest third. "
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
        caption="Odds ratios (of changes: ratios of odds ratios) with 95 % intervals, "
        "from the patient-level model on the logit scale. Means are over patients. Intervals are "
        "not adjusted for multiple testing. "
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
    FigureEntry(
        group="expression",
        name="top_genes",
        draw=f"{FOLDER}.gene_levels.gene_heat_map",
        section="expression",
        title="Top genes by patient",
        caption="Genes of the main populations in each patient (column): the supported ones, then "
        "the suggestive ones, with the smallest p; if there are none, those with the smallest p, "
        "which may differ by chance. Colors are log2 counts per million of the patient's cells of "
        "this population, in standard deviations of the gene between patients or, for pairs and "
        "changes, as the ratio within the patient; not adjusted for covariates. Genes that "
        "ambient RNA may explain are left out. The genes were chosen because the sides differ, "
        "so the picture shows how consistent that is, and is no further evidence.",
        alternative="Heat map of gene expression, one row per gene and one column per patient, "
        "grouped by side.",
    ),
)
