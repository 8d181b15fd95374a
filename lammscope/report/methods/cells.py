"""Paragraphs on cells: quality control, doublets, embedding, types, LAMM and CAR-T cells.

What is said of constants is compared with the code by `tests/unit/report/test_methods.py`.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from lammscope.cohort.config import read_schema
from lammscope.cohort.contrasts import PHASE_WORDS
from lammscope.cohort.sorts import kept_lineages
from lammscope.core.names import AUTO, DROP, NONE
from lammscope.core.words import counted, readable
from lammscope.joint.integration import METHODS
from lammscope.report.methods.facts import OWN_LIMITS, OWN_RATES, Facts, file_name, listing, number

Section = tuple[str, str]  # a heading and its paragraph


def cell_sections(facts: Facts) -> Iterator[Section]:
    """Yield the sections on cells, as heading and text."""
    yield "Patients and samples", " ".join(_patients(facts))
    yield "Quality control", " ".join(_quality(facts))
    yield "Ambient RNA", " ".join(_ambient(facts))
    yield "Doublets", " ".join(_doublets(facts))
    yield "Variable genes and integrated embedding", " ".join(_embedding(facts))
    yield "Neighbors, clusters and UMAP", " ".join(_clusters(facts))
    yield "Cell types and gene programs", " ".join(_types(facts))
    yield "LAMM cells", " ".join(_lamm(facts))
    yield "CAR-T cells", " ".join(_car(facts))


@cache
def default_of(section: str, key: str) -> Any:
    """Return the default of a key of the config."""
    return read_schema("config")["properties"][section]["properties"][key]["default"]


def _patients(facts: Facts) -> Iterator[str]:
    response = facts.config["response"]
    yield (
        f"{counted(facts.n_samples, 'samples')} of {counted(facts.n_patients, 'patients')} were "
        f"analyzed. By the column “{response['column']}”, patients with "
        f"{listing(response['responder'], 'or')} were responders and those with "
        f"{listing(response['non_responder'], 'or')} non-responders."
    )
    for phase, names in facts.timepoints.items():
        if names:
            yield f"Samples {PHASE_WORDS[phase]} were those at {listing(names, 'or')}."
    labels = dict.fromkeys([*facts.sorts, *facts.config["sorts"]])
    lineages = {label: kept_lineages(label, facts.config["sorts"]) for label in labels}
    kept = [
        f"{label} ({listing(sorted(map(readable, names)))})"
        for label, names in lineages.items()
        if names is not None
    ]
    if kept:
        yield (
            f"Sorted libraries, with the lineages that sorting keeps: {', '.join(kept)}. Fractions "
            "of cells that sorting removes were not tested."
        )
    if facts.config["categories"]:
        yield f"Numbers were treated as categories in {listing(facts.config['categories'])}."
    yield "No step up to the counts per population used the response."


def _quality(facts: Facts) -> Iterator[str]:
    qc = facts.config["qc"]
    yield (
        f"Barcodes needed at least {number(qc['min_counts'])} UMIs and {number(qc['min_genes'])} "
        "genes (0.4 times as many for barcodes with markers of neutrophils or platelets), and at "
        f"most {number(qc['max_pct_mt'])} % mitochondrial and {number(qc['max_pct_hb'])} % "
        "hemoglobin UMIs. Within these limits, barcodes were removed whose log UMIs or log genes "
        f"were more than {number(qc['counts_mads'])} median absolute deviations from the median of "
        "the sample, or whose mitochondrial percentage was more than "
        f"{number(qc['mt_mads'])} above it [@scater]; no mitochondrial limit was below 5 %. A "
        "limit that would have removed over a third of a lineage (for the upper limit of UMIs, a "
        "twentieth) was taken within that lineage. For barcodes with less than half the median "
        "UMIs of their lineage, the mitochondrial limit was "
        f"{number(0.4 * qc['mt_mads'])} median absolute deviations (not of neutrophils and "
        "platelets)."
    )
    yield (
        "Barcodes above the inflection of the curve of total UMIs were kept if more than 40 % of "
        "them differed from the profile (p < 0.05), as were small ones with more markers of "
        "platelets or neutrophils than ambient RNA explains (Poisson, p up to 0.0001)."
    )
    limits = {name: n for name, n in facts.own.items() if name in OWN_LIMITS}
    if limits:
        given = listing(f"{name} ({counted(n, 'samples')})" for name, n in limits.items())
        yield f"Thresholds of the sample sheet took their place where given: {given}."
    yield (
        f"Barcodes with fewer than {number(qc['ambient_max_counts'])} UMIs gave the profile of "
        "ambient RNA; the others were tested against it by Monte Carlo as in EmptyDrops "
        "[@emptydrops], with the deviance as the statistic and a false discovery rate of 0.01 "
        "among barcodes of similar size. Filtered matrices were tested only if their smallest "
        "fifth of barcodes were draws from one profile, which then took its place. A sample failed "
        f"if fewer than {number(qc['min_cells'])} barcodes passed, if more than half of those with "
        "enough UMIs and genes held ambient RNA, if more than half of the others had too high a "
        "mitochondrial percentage, if more than 30 % of its UMIs were ambient RNA, or if the "
        "expression of sex-linked genes, HLA-DRB5, HLA-DQA2 and GSTM1 contradicted the sheet or "
        "the patient's other samples."
    )
    dropped = qc["on_failed"] == DROP
    yield f"Failed samples were {'left out' if dropped else 'named and kept in the analysis'}."


def _ambient(facts: Facts) -> Iterator[str]:
    yield (
        "The share of ambient RNA in the UMIs of each sample was estimated after SoupX [@soupx] "
        "from genes that some groups of cells lack, as the median over three clusterings; its "
        "95 % interval is from a Bayesian bootstrap of the genes. The expected ambient UMIs of "
        "each gene in each population followed from the profile. No ambient RNA was subtracted "
        "from counts before a test of abundance or of genes."
    )
    if facts.config["ambient"]["correct"]:
        yield "The file of all cells had a layer of counts less the expected ambient RNA."


def _doublets(facts: Facts) -> Iterator[str]:
    settings = facts.config["doublets"]
    pool = (
        f"{number(settings['simulated_per_cell'])} simulated doublets per cell and "
        f"{number(settings['n_pcs'])} principal components"
    )
    if settings["method"] == "scrublet":
        yield (
            f"Doublets were scored within each channel by Scrublet [@scrublet] in scanpy, with "
            f"{pool}. Cells above a threshold on the score were called."
        )
    else:
        yield (
            "Doublets were scored within each channel as in Scrublet [@scrublet], by the share of "
            f"simulated doublets among a cell's neighbors, with {pool} of "
            f"{number(settings['n_genes'])} variable genes. A cell was called if a mixture of two "
            "clusters of different lineages explained its counts better than any cluster did (log "
            "likelihood 10) and each lineage showed in genes of its own (log likelihood 3)."
        )
    yield (
        "The threshold was the lowest at which at most "
        f"{number(settings['max_false_pct'])} % of the cells were estimated to be single and "
        f"called. The rate was estimated from each channel where its cells allowed it, and "
        f"expected to be {number(100 * settings['expected_per_1000'])} % per 1,000 cells; channels "
        f"with fewer than {number(settings['min_cells'])} cells were not scored."
    )
    rates = {name: n for name, n in facts.own.items() if name in OWN_RATES}
    if rates:
        given = listing(f"{name} ({counted(n, 'samples')})" for name, n in rates.items())
        yield f"The sample sheet gave {given}."
    yield f"Called doublets were {'removed' if settings['remove'] else 'kept'}."


def _embedding(facts: Facts) -> Iterator[str]:
    genes, integration = facts.config["genes"], facts.config["integration"]
    excluded = [f"genes that match “{each}”" for each in genes["exclude"]]
    if genes["exclude"] == default_of("genes", "exclude"):
        excluded = [
            "segments of T- and B-cell receptors",
            "sex-linked, mitochondrial, ribosomal and hemoglobin genes",
            *("MALAT1", "NEAT1"),
        ]
    left_out = listing([*excluded, "CAR features"])
    yield (
        "Genes were matched across samples by Ensembl id without version, and by symbol where a "
        "sample had no ids. A sample had to share "
        f"{number(genes['min_overlap'])} % of its genes with the others (median over samples), "
        "and genes missing from any sample were not used. The "
        f"{number(genes['n_top'])} most variable genes expressed in at least "
        f"{number(genes['min_cells'])} cells were selected by dispersion standardized within bins "
        "of the mean [@seurat], with variances pooled within samples. Left out were "
        f"{left_out}. Of log(1 + UMIs per 10,000), {number(integration['n_pcs'])} principal "
        "components were computed without scaling of genes."
    )
    yield from _integration(facts)
    yield "The embedding served neighbors, clusters, neighborhoods and UMAP only."


def _integration(facts: Facts) -> Iterator[str]:
    integration = facts.config["integration"]
    batch, used = integration["batch"], facts.embedding
    if facts.n_batches < 2:
        yield "All cells were of one batch, so no correction was made."
        return
    if used == NONE:
        yield f"Components were not corrected for batch ({batch}, {facts.n_batches} batches)."
    else:
        yield (
            f"Cells of {facts.n_batches} batches (“{batch}”; without such a column, each sample) "
            f"were integrated by {METHODS[used].words} [@{used}], {_of_method(facts, used)}."
        )
    if integration["method"] == AUTO:
        names = listing(_method_words(name) for name in facts.compared)
        yield (
            f"The embedding was chosen among {names}: that which mixes batches best (iLISI) of "
            "those that keep 80 % of the LAMM cells and 90 % of the structure within samples "
            "(cLISI) of the uncorrected components, and in which no more samples lose their LAMM "
            "cells."
        )
    others = [name for name in facts.compared if name != used]
    if others and integration["method"] != AUTO:
        names = listing(_method_words(name) for name in others)
        yield f"For comparison, these were scored as well: {names}."


def _method_words(name: str) -> str:
    return "uncorrected components" if name == NONE else METHODS[name].words


def _of_method(facts: Facts, method: str) -> str:
    """Return the settings of an integration method in words."""
    own = dict(facts.config["integration"].get(method, {}))
    if method == "harmony":
        return (
            f"with theta = {number(own['theta'])}, one cluster per 30 cells but at most 200, and "
            f"no correction of a batch in clusters with less than {number(own['min_batch_pct'])} % "
            "of its cells"
        )
    if method == "scvi":
        epochs = f"at most {own['max_epochs']}" if own["max_epochs"] else "the default number of"
        covariates = f"; covariates {listing(own['covariates'])}" if own["covariates"] else ""
        trained = {"cpu": "the CPU", "gpu": "a GPU", "auto": "a GPU if there was one, else the CPU"}
        return (
            f"on the counts of these genes (negative binomial likelihood, {own['n_latent']} latent "
            f"dimensions, {own['n_layers']} hidden layers, batches of {own['batch_size']} cells, "
            f"{epochs} epochs, early stopping after 20{covariates}; trained on "
            f"{trained[own['accelerator']]})"
        )
    return "with " + ", ".join(f"{readable(key)} {value}" for key, value in own.items())


def _clusters(facts: Facts) -> Iterator[str]:
    settings = facts.config["clustering"]
    others = [number(each) for each in settings["resolutions"]]
    yield (
        f"The {number(settings['n_neighbors'])} nearest neighbors of each cell were found with "
        "faiss (exactly up to 20,000 cells). Clusters were Leiden communities [@leiden] of the "
        "graph weighted by the Jaccard overlap of neighbors (modularity, resolution "
        f"{number(settings['resolution'])}{'; also ' + listing(others) if others else ''}). Their "
        "stability was the mean adjusted Rand index of clusters of five random draws of 80 % of "
        "the cells (of at most 20,000). UMAP [@umap] had a minimum distance of "
        f"{number(settings['min_dist'])} and {number(settings['umap_epochs'])} epochs on at most "
        f"{number(settings['umap_cells'])} cells; other cells were placed among their nearest of "
        "these. Up to "
        f"{number(settings['n_markers'])} markers per cluster, expressed by at least "
        f"{number(settings['min_pct'])} % of its cells, were ranked by effect sizes over samples, "
        "without p-values."
    )


def _types(facts: Facts) -> Iterator[str]:
    settings = facts.config["annotation"]
    yield (
        "Cell types were assigned with a panel of positive and negative markers "
        f"({file_name(settings['panel'])}), by rates relative to typical levels. A cell was scored "
        "on its own counts together with those of its nearest neighbors and of other cells of its "
        "cluster, all of its own sample and weighted by their agreement with the cell; the cluster "
        f"counted for at most {number(settings['cluster_weight'])} UMIs. The best type was "
        f"assigned if its score was at least {number(settings['min_score'])} and led the best type "
        f"of another lineage by at least {number(settings['min_margin'])}; for some types the "
        "panel asks for a larger lead. A cell whose own counts contradicted its type (probability "
        "below 0.001) was left unassigned."
    )
    if settings["celltypist_model"]:
        model = file_name(settings["celltypist_model"])
        yield (
            f"The types were those of the CellTypist model {model} [@celltypist] with majority "
            "voting in clusters; lineages were the panel's."
        )
    if settings["states"]:
        yield (
            f"Gene programs ({listing(map(file_name, settings['states']))}) were scored in myeloid "
            "cells as the mean of standardized log levels of a cell with its neighbors."
        )


def _lamm(facts: Facts) -> Iterator[str]:
    lamm = facts.config["lamm"]
    definers = listing(lamm["definers"])
    yield (
        f"LAMM cells [@lamm] were called among monocytic cells. For each of {definers}, the counts "
        "of a cell and its monocytic neighbors gave the posterior probability (Gamma prior worth "
        f"{number(lamm['prior_counts'])} UMIs around the rate of the cell's type; Poisson counts, "
        f"weighed down as if overdispersed by {number(lamm['dispersion'])}) that the rate exceeded "
        f"{number(lamm['fold'])} times the background. The background was the rate in non-myeloid "
        f"cells of the sample, and at least the reference level ({file_name(lamm['references'])}). "
        "The product over the markers was the probability of a positive cell."
    )
    yield (
        "A macrophage-like cell was, in addition, in the state of tissue macrophages: genes of "
        f"macrophages against genes of blood monocytes ({file_name(lamm['state_genes'])}), scored "
        "with the 20 nearest monocytic cells of the same sample, weighted by their agreement, and "
        "compared with the other monocytic cells of the same batch by a mixture model."
        if not _is_signature(lamm["state_genes"])
        else "A macrophage-like cell was, in addition, high in the score of the signature "
        f"{file_name(lamm['state_genes'])}, by a mixture model over the cohort."
    )
    yield (
        f"LAMM cells were the {readable(lamm['level'])} cells with a probability of at least "
        f"{number(lamm['probability'])}; cells below {number(round(1 - lamm['probability'], 9))} "
        "were not, and those between stayed uncertain and in all denominators."
    )
    if lamm["vetoes"]:
        criteria = "; ".join(_criterion(name, veto) for name, veto in lamm["vetoes"].items())
        yield f"A cell was not called if a summed rate was too high: {criteria}."
    yield (
        "CSF1R is a marker of mononuclear phagocytes of blood in general [@csf1r], so in blood the "
        "label means LAMM-like."
    )


def _is_signature(path: str) -> bool:
    return path.lower().endswith((".gmt", ".gmt.gz"))


def _criterion(name: str, veto: dict[str, Any]) -> str:
    where = "in the cell itself" if veto["scope"] == "cell" else "in its neighborhood"
    limit = f"above {number(veto['per_10k'])} UMIs per 10,000 {where}"
    return f"{readable(name)} ({listing(veto['genes'])} {limit})"


def _car(facts: Facts) -> Iterator[str]:
    car = facts.config["car"]
    is_usual = car["features"] == default_of("car", "features")
    features = (
        "usual names of CAR constructs" if is_usual else f"names that match “{car['features']}”"
    )
    yield (
        f"The transgene was recognized by {features}. Each T cell, but for samples before "
        "infusion, got a probability of being a CAR-T cell from its own CAR transcripts (negative "
        "binomial, shape 2.2), the level of stray transcripts in cells of other lineages, and its "
        "nearest T cells of the "
        f"same sample. From {number(car['probability'])} on it was called a CAR-T cell, below "
        f"{number(round(1 - car['probability'], 9))} not; between, it was in denominators but not "
        "tested. Before infusion, no cell was called. In libraries sorted by the CAR, T cells with "
        "a transcript were called. Without a CAR feature in the matrix, T cells kept their types."
    )
