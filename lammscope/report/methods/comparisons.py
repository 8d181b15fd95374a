"""Paragraphs on comparisons of patients: abundance, genes, the LAMM-T axis, and what follows them.

What is said of constants is compared with the code by `tests/unit/report/test_methods.py`.
"""

from collections.abc import Iterator
from typing import Any

from lammscope.cohort.multiverse import CHOICES
from lammscope.core.words import choice_words, counted, denominator_words, readable
from lammscope.report.methods.facts import Facts, file_name, listing, number
from lammscope.report.survival_rows import endpoint_words

Section = tuple[str, str]  # a heading and its paragraph

UNIT = (
    "The patient was the unit of every test; cells were counted, or their counts summed, and "
    "not treated as replicates [@replicates]."
)


def comparison_sections(facts: Facts) -> Iterator[Section]:
    """Yield the sections on comparisons of patients, as heading and text."""
    config = facts.config
    yield "Contrasts", " ".join(_contrasts(facts))
    if facts.contrasts:
        yield "Abundance", " ".join(_abundance(facts))
        yield "Verdicts", " ".join(_verdicts())
        yield "Robustness and calibration", " ".join(_robustness(facts))
        yield "Neighborhoods", _neighborhoods(facts)
        yield "Expression", " ".join(_expression(facts))
        if config["expression"]["gene_sets"]:
            yield "Gene sets", _gene_sets(facts)
        yield "LAMM cells and T cells", " ".join(_axis(facts))
    if facts.endpoints:
        yield "Follow-up", " ".join(_survival(facts))
    if facts.n_specifications:
        yield "Other choices", " ".join(_multiverse(facts))
    if facts.is_replication:
        yield "Replication", _replication(config["definition"])


def _contrasts(facts: Facts) -> Iterator[str]:
    yield UNIT
    if not facts.contrasts:
        yield "No contrasts were tested."
        return
    for name, contrast in facts.contrasts.items():
        scheme = facts.schemes.get(name)
        permuted = f" Permutation test: {scheme}." if scheme else ""
        tested = permuted if name in facts.schemes else " It was not tested."
        yield f"Contrast {name}: {contrast.describe()}{tested}"
    primary = facts.config["primary"]
    yield (
        "The primary result, specified in advance, was that of LAMM cells as a fraction "
        f"{denominator_words(primary['denominator'])} in the contrast {primary['contrast']}."
    )
    yield "A test needed 3 patients in each arm (or 3 pairs), and a trend 5 patients."


def _abundance(facts: Facts) -> Iterator[str]:
    settings = facts.config["abundance"]
    yield (
        "The fraction of a population in its denominator (all cells; immune cells; monocytic "
        "cells; its lineage) was transformed to the logit scale with half a cell added to each "
        "population [@propeller], in addition to the arcsine scale, and LAMM cells and monocytic "
        "cells also to their log ratio to T cells. Samples with fewer than "
        f"{number(settings['min_cells'])} cells in the denominator were left out."
    )
    if settings["exclude_pre_post"] and facts.crosses_phases:
        left_out = listing(map(readable, settings["exclude_pre_post"]))
        yield f"Contrasts of phases left {left_out} out of the denominators."
    yield (
        "Values (or differences, for pairs and changes) of patients were compared by a linear "
        "model on arm and covariates, in which each arm has its own variance (without covariates "
        "Welch's test; with covariates, Satterthwaite's degrees of freedom; pairs and trends have "
        "one variance). p-values are two-sided and not moderated. Rows with fewer than 2 expected "
        "cells per sample were not tested, nor were LAMM cells as a fraction of monocytic cells "
        "where they are over 90 % of these. In permutation tests, the labels of patients (signs of "
        "pairs, values of trends) were permuted within strata of the categorical covariates, with "
        "|t| as the statistic; numeric covariates were handled by Freedman and Lane's method. All "
        f"assignments were enumerated up to {number(settings['max_exact'])}, otherwise "
        f"{number(settings['n_draws'])} were drawn. Each patient was left out in turn. False "
        "discovery rates (Benjamini and Hochberg) were computed over the populations of a "
        "denominator and scale; secondary LAMM rows of all contrasts were corrected by Holm's "
        "method together. If a population had p < 0.05, the others of its denominator were tested "
        "again without the one that moved most; LAMM cells only if that one is not monocytic. "
        "Beside the main test, a meta-regression weighted patients by their cells "
        "[@knapp_hartung]."
    )
    if facts.has_incomplete:
        yield (
            "Patients with only one of two samples entered a random-effects model beside the main "
            "test [@kenward_roger]."
        )


def _verdicts() -> Iterator[str]:
    yield (
        "A difference was called supported if p, the corrected p and the permutation p were below "
        "0.05, p was below 0.1 without any one patient, and the difference did not follow from "
        "that of another population; suggestive if p was below 0.05 but one of the others was "
        "missing; inconclusive if p was 0.05 or more; and not testable without a p. For the "
        "primary result, p itself counted as corrected. Genes, gene sets and ligand-receptor pairs "
        "(but the one specified in advance) were inconclusive unless their false discovery rate "
        "was below 0.05."
    )


CHANGED = {
    "scale": "scale",
    "denominator": "denominator",
    "level": "level",
    "score": "mean score",
    "expected": "sum of probabilities",
    "corrected": "numbers corrected for recall",
    "adjust": "covariates",
    "leave_one_out": "each patient left out",
}


def _robustness(facts: Facts) -> Iterator[str]:
    thresholds, settings = facts.config["robustness"]["thresholds"], facts.config["calibration"]
    changed = [words for name, words in CHANGED.items() if name in facts.analyses]
    if "threshold" in facts.analyses:
        changed.append("uncertain cells counted as LAMM cells")
        others = [
            number(each) for each in thresholds if each != facts.config["lamm"]["probability"]
        ]
        changed += [f"probability thresholds of {listing(others)}"] * bool(others)
    if changed:
        yield (
            "The LAMM result was computed again with one choice changed at a time: "
            f"{listing(changed)}."
        )
    tests = {
        "abundance": "the primary row was tested in 2,000 simulated cohorts without a difference, "
        "with the depth and the spread of this one",
        "genes": "the genes of LAMM cells under "
        f"{number(settings['n_expression'])} permutations of the labels",
    }
    made = [words for name, words in tests.items() if name in facts.calibrated]
    if made:
        yield (
            f"To check calibration, {', and '.join(made)}; a warning was given above a share of "
            f"{number(100 * settings['max_share'])} % of p < 0.05."
        )


def _neighborhoods(facts: Facts) -> str:
    settings = facts.config["neighborhoods"]
    return (
        "Abundance was also compared without clusters, after Milo [@milo], with one value per "
        f"patient. Index cells ({number(100 * settings['share'])} % of the cells, at most "
        f"{number(settings['max_number'])}) were sampled blind to response and moved to the middle "
        "of their neighbors; a neighborhood was an index cell with its nearest "
        f"{number(settings['cells_per_sample'])} cells per sample of the cohort, at least "
        f"{number(settings['min_size'])}. Log2 fractions (half a cell added) were tested with "
        "variances moderated over neighborhoods; those with fewer than "
        f"{number(settings['min_expected'])} expected cells per sample were not. Neighborhoods up "
        f"to a spatial false discovery rate of {number(settings['max_spatial_fdr'])} were counted, "
        "and called mixed if less than "
        f"{number(100 * settings['min_fraction'])} % of their cells were of one population."
    )


ENGINES = {
    "limma_voom": (
        "Counts were normalized by TMM [@tmm], weighted by voom [@voom] and tested by limma's "
        "moderated t-test [@limma, moderated]"
    ),
    "limma_voom_by_arm": (
        "Counts were normalized by TMM [@tmm], weighted by voom [@voom] with a mean-variance trend "
        "for each arm [@by_arm], and tested by limma's moderated t-test [@limma, moderated]"
    ),
    "pydeseq2": (
        "Counts were tested by PyDESeq2 [@pydeseq2, deseq2] (negative binomial model, "
        "median-of-ratios size factors, Wald test)"
    ),
    "edger_ql": (
        "Counts were normalized by TMM [@tmm] and tested by edgeR's negative binomial model and "
        "quasi-likelihood F-test [@edger]"
    ),
}

CHANGES = {  # by whether the engine is limma
    True: "Pairs had the patient in the model; for changes, patients were correlated blocks.",
    False: "Pairs and changes had the patient in the model, and used patients with both sides.",
}


def _expression(facts: Facts) -> Iterator[str]:
    settings = facts.config["expression"]
    yield (
        "Counts of each population were summed per patient and side (pseudobulks of at least "
        f"{number(settings['min_cells'])} cells), and genes with too few counts for the design "
        f"left out as in edgeR. {ENGINES[settings['engine']]}. "
        f"{CHANGES[settings['engine'].startswith('limma')]}"
    )
    excluded = ["CAR features"]
    if settings["exclude_sex_genes"]:
        excluded.append(
            "sex-linked genes (chromosome Y outside the pseudoautosomal regions, XIST, TSIX)"
        )
    excluded += [f"genes that match “{each}”" for each in settings["exclude"]]
    yield (
        f"Not tested were {listing(excluded)}. False discovery rates (Benjamini and Hochberg) were "
        "within contrast and population. Over the run, populations were selected by their Simes p "
        f"at a false discovery rate of {number(facts.config['report']['max_fdr'])}, and genes "
        "within them at that rate times the share selected [@hierarchy]. Genes had no false "
        "discovery rate if ambient RNA made up more of their counts, on the side where they are "
        "higher, than of all counts, by more than "
        f"{number(settings['max_ambient_share'])}. For genes with a false discovery rate below "
        "0.05, labels were permuted and each patient left out."
    )


def _gene_sets(facts: Facts) -> str:
    settings = facts.config["expression"]
    return (
        f"Sets of {listing(map(file_name, settings['gene_sets']))} with at least "
        f"{number(settings['min_set_genes'])} tested genes were scored in patients as the mean of "
        "standardized log2 counts per million, less that of other genes of the same level "
        "[@score_genes], and compared by the model of abundance and by permutation. False "
        "discovery rates were over the sets of a population."
    )


def _axis(facts: Facts) -> Iterator[str]:
    axis, lamm = facts.config["axis"], facts.config["lamm"]
    if axis["pairs"]:
        primary = axis["primary"]
        sender = f"LAMM_{lamm['level']}" if primary["sender"] == "LAMM" else primary["sender"]
        fixed = (
            f"One pair was specified in advance ({readable(primary['pair'])} from "
            f"{readable(sender)} to {readable(primary['receiver'])} cells, contrast "
            f"{primary['contrast'] or facts.config['primary']['contrast']}) and not corrected; all "
            "others of a contrast had one false discovery rate."
            if primary["pair"]
            else "All pairs of a contrast had one false discovery rate."
        )
        yield (
            f"Ligand-receptor pairs ({listing(map(file_name, axis['pairs']))}) were compared "
            f"between senders and receivers among {_groups(axis['myeloid'])} (myeloid), "
            f"{_groups(axis['T'])} (T and NK cells) and {_groups(axis['other'])} (others). The "
            "level of a gene was log2 counts per million of the patient's summed counts less "
            "expected ambient RNA (TMM, prior count 0.5); patients needed "
            f"{number(facts.config['expression']['min_cells'])} cells on each "
            "side of a pair; alternatives were summed, and a complex had the level of its lower "
            "part. The sum of sender and receiver, and both terms, were compared as abundance is. "
            "Parts with fewer than 2 expected UMIs per patient, or that "
            f"ambient RNA might explain, were not tested. {fixed} A pair was called supported only "
            "if both terms differed."
        )
    if axis["states"]:
        leading = listing(
            f"{readable(state)} ({program})" for state, program in axis["leading"].items()
        )
        yield (
            f"Gene programs of T cells ({listing(map(file_name, axis['states']))}) were scored as "
            "the mean over their genes of a cell's own standardized rates. The state of a T cell "
            f"was that of the leading program ({leading}) with its {number(axis['n_neighbors'])} "
            "nearest T cells of the sample, if it was above the average T cell and led by "
            f"{number(axis['min_lead'])} standard deviations; otherwise it was "
            "unresolved. Means of scores, fractions of states and the expected "
            "share of CAR-T cells were compared as abundance is, and correlated with LAMM cells "
            "across patients by Spearman's rho, adjusted for arm and depth."
        )


def _groups(groups: dict[str, list[str]]) -> str:
    """Name groups of cells, with their populations where these have other names."""
    return listing(
        readable(name)
        if members == [name]
        else f"{readable(name)} ({' + '.join(map(readable, members))})"
        for name, members in groups.items()
    )


def _survival(facts: Facts) -> Iterator[str]:
    survival = facts.config["survival"]
    first, *others = facts.endpoints
    columns = survival["endpoints"].get(first, {})
    given = f" ({columns['time']}, {columns['event']})" if columns else ""
    rest = f"; secondary endpoints: {listing(map(endpoint_words, others))}" if others else ""
    adjust = listing(map(readable, survival["adjust"])) if survival["adjust"] else "no covariates"
    yield (
        f"The pre-specified endpoint was {endpoint_words(first)}{given}{rest}. Hazard ratios per "
        "standard deviation of the log odds of LAMM cells before infusion in the primary "
        "denominator were from Cox regression with Firth's penalty [@firth] and intervals of the "
        f"profile likelihood, with {adjust} in the pre-specified model. p was that of the score "
        "test with patients permuted (within strata of text covariates); other rows were corrected "
        "by Holm's method. Fewer than 5 events were not tested. The clock started at infusion, or "
        "on the day of the sample for samples after it [@landmark]."
    )
    if any("competing" in columns for columns in survival["endpoints"].values()):
        yield (
            "Competing events were censored in hazard ratios; cumulative incidences were compared "
            "by Gray's test."
        )
    if survival["where"]:
        where = "; ".join(
            f"{readable(key)} {listing(value if isinstance(value, list) else [value], 'or')}"
            for key, value in survival["where"].items()
        )
        yield f"Only these samples were used: {where}."
    if survival["response_day"]:
        day = number(survival["response_day"])
        yield f"Curves of responders and non-responders started on day {day} [@landmark]."
    horizon = number(survival["horizon"])
    until = f"up to {horizon} days" if survival["horizon"] else "as long as both curves were known"
    yield f"Mean times without an event were compared between halves of patients {until}."


def _multiverse(facts: Facts) -> Iterator[str]:
    settings = facts.config["multiverse"]
    choices = (
        f"{choice_words(name)} ({'; '.join(_values(settings[name]))})"
        for name in CHOICES
        if settings[name]
    )
    how = "all combinations" if settings["crossing"] == "full" else "one choice changed at a time"
    yield (
        f"The primary result was computed under {counted(facts.n_specifications, 'specifications')}"
        f" ({how}) of the run's own and these choices: {', '.join(choices)}. They were tested "
        "together: labels of patients were permuted over all specifications at once, and the "
        "median t and the share of p < 0.05 compared with the data's [@specification_curve]."
    )


def _values(values: list[Any] | dict[str, Any]) -> list[str]:
    """Write the values of a choice: sets of quality limits, lists of covariates, or others."""
    if isinstance(values, dict):
        return [
            f"{name}: {listing(f'{k} {number(v)}' for k, v in own.items())}"
            for name, own in values.items()
        ]
    empty = "no covariates"
    return [
        (listing(map(readable, v)) if v else empty) if isinstance(v, list) else readable(v)
        for v in values
    ]


def _replication(path: str) -> str:
    return (
        f"Settings and primary comparison were those of a first cohort ({file_name(path)}), fixed "
        "before this cohort was analyzed. Its result was tested once, one-sided in the direction "
        "of the first: replicated if p < 0.05; contradicted if the interval excluded half of the "
        "first estimate and all of its interval; otherwise inconclusive."
    )
