"""Samples that fail quality control as a whole, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lammscope.core.words import shortened
from lammscope.joint.genotype import Genotype, differing_genes

PASSED, FAILED = "passed", "failed"
MOSTLY = 50.0  # % of barcodes; our choice
MAX_CONTAMINATION = 30.0  # % of UMIs; above it, SoupX warns of a very high fraction
TOO_SMALL = {"low_counts", "few_genes"}
# Words for a sex in sheets, lower case; another value is not compared.
SEXES = {
    **dict.fromkeys(("f", "female", "woman", "girl", "w", "weiblich"), "female"),
    **dict.fromkeys(("m", "male", "man", "boy", "männlich"), "male"),
}
OTHER_PERSON = (
    "were samples swapped, or are these the cells of a donor (after allogeneic transplantation)?"
)


@dataclass(frozen=True)
class SampleQuality:
    """What the verdict on one sample is based on.

    Attributes
    ----------
    barcodes
        Flagged metrics of its barcodes (`flag_cells`): `passes` and `reasons`.
    contamination
        Share of UMIs that is ambient RNA; NaN if it could not be estimated.
    genotype
        Genes that differ between people, in its cells.
    patient
        The patient.
    sex
        The patient's sex as the sheet has it; empty if it has none.
    """

    barcodes: pd.DataFrame
    contamination: float
    genotype: Genotype
    patient: str
    sex: str


def judge_samples(samples: Mapping[str, SampleQuality], *, min_cells: int) -> pd.DataFrame:
    """Judge each sample as a whole.

    Parameters
    ----------
    samples
        What is known of each sample, by name.
    min_cells
        A sample with fewer cells fails.

    Returns
    -------
    DataFrame
        `sample`, `verdict` (`passed`, `failed`), `reasons` (comma-separated; empty if it passed),
        `message` (the reasons in words), `n_cells` (that pass), `pct_ambient` (of the barcodes
        that are large enough), `pct_dying` (of those that are not ambient), `pct_contamination`,
        `sex` (by expression: `female`, `male`, `both`, or empty) and `unlike` (other samples of
        the patient that cannot be of the same person).
    """
    genotypes = {name: own.genotype for name, own in samples.items()}
    patients = {name: own.patient for name, own in samples.items()}
    unlike = _unlike(genotypes, patients)
    return pd.DataFrame(
        [
            {"sample": name, **_judge(samples[name], min_cells=min_cells, unlike=unlike[name])}
            for name in sorted(samples)
        ]
    )


def failed_samples(verdicts: pd.DataFrame) -> list[str]:
    """List the samples that fail, from a table of `judge_samples`."""
    return verdicts.loc[verdicts["verdict"] == FAILED, "sample"].astype(str).tolist()


def failure_text(verdicts: pd.DataFrame) -> list[str]:
    """Return a line of text for each sample that fails, from a table of `judge_samples`."""
    failed = verdicts[verdicts["verdict"] == FAILED]
    return [
        f"sample {sample} fails quality control: {message}"
        for sample, message in zip(failed["sample"], failed["message"], strict=True)
    ]


def _judge(
    own: SampleQuality, *, min_cells: int, unlike: Mapping[str, list[str]]
) -> dict[str, str | int | float]:
    """Return the row of one sample."""
    n_cells = int(own.barcodes["passes"].sum())
    pct_ambient, pct_dying = _shares(own.barcodes["reasons"])
    pct_contamination = 100 * own.contamination
    expressed = own.genotype.sex
    told = {}
    if n_cells < min_cells:
        told["few_cells"] = (
            f"{n_cells:,} of {len(own.barcodes):,} barcodes pass, fewer than `qc.min_cells`, "
            f"{min_cells}{_numbers_of_reasons(own.barcodes['reasons'])}"
        )
    if pct_ambient > MOSTLY:
        told["mostly_ambient"] = (
            f"{pct_ambient:.0f} % of the barcodes with enough UMIs and genes hold ambient RNA and "
            "no cell"
        )
    if pct_dying > MOSTLY:
        told["mostly_dying"] = (
            f"{pct_dying:.0f} % of the cells have too high a percentage of mitochondrial UMIs"
        )
    if pct_contamination > MAX_CONTAMINATION:
        told["contaminated"] = f"{pct_contamination:.0f} % of the cells' UMIs are ambient RNA"
    if problem := _sex_problem(SEXES.get(own.sex.strip().lower(), ""), expressed):
        told["sex"] = problem
    if unlike:
        genes = shortened(dict.fromkeys(gene for found in unlike.values() for gene in found))
        told["other_person"] = (
            f"it differs in {genes} from {shortened(unlike)} of patient {own.patient}: "
            f"{OTHER_PERSON}"
        )
    return {
        "verdict": FAILED if told else PASSED,
        "reasons": ",".join(told),
        "message": "; ".join(told.values()),
        "n_cells": n_cells,
        "pct_ambient": pct_ambient,
        "pct_dying": pct_dying,
        "pct_contamination": pct_contamination,
        "sex": expressed,
        "unlike": ", ".join(unlike),
    }


def _numbers_of_reasons(reasons: pd.Series) -> str:
    """Say how many barcodes fail for each reason; empty if none fails."""
    numbers = reasons[reasons != ""].str.split(",").explode().value_counts()
    listed = ", ".join(f"{name} {number:,}" for name, number in numbers.items())
    return f" (the others: {listed})" if listed else ""


def _shares(reasons: pd.Series) -> tuple[float, float]:
    """Return the % of large barcodes that are ambient, and of the others the % that are dying."""
    flags = [set(text.split(",")) for text in reasons]
    large = [own for own in flags if not own & TOO_SMALL]
    cells = [own for own in large if "ambient" not in own]
    pct_ambient = 100 * (1 - len(cells) / len(large)) if large else np.nan
    pct_dying = 100 * sum("high_mt" in own for own in cells) / len(cells) if cells else np.nan
    return pct_ambient, pct_dying


def _sex_problem(written: str, expressed: str) -> str:
    """Say how the sex in the sheet and that of the cells disagree; empty if they do not."""
    if not written or not expressed or written == expressed:
        return ""
    genes = {
        "female": "express XIST and no genes of chromosome Y",
        "male": "express genes of chromosome Y and not XIST",
        "both": "express XIST as well as genes of chromosome Y, as cells of two people do",
    }
    return f"the patient is {written} but the cells {genes[expressed]}: {OTHER_PERSON}"


def _unlike(
    genotypes: Mapping[str, Genotype], patients: Mapping[str, str]
) -> dict[str, dict[str, list[str]]]:
    """Return, per sample, the others of its patient that differ, and in which genes.

    A sample is only named if more of them differ from it than agree, so that one swapped sample
    does not make all others suspect. Samples with too few cells to tell their sex do not count.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for name, own in genotypes.items():
        others = [one for one in genotypes if one != name and patients[one] == patients[name]]
        genes = {one: differing_genes(own, genotypes[one]) for one in others}
        differing = {one: own_genes for one, own_genes in genes.items() if own_genes}
        agreeing = [one for one in others if not genes[one] and genotypes[one].sex]
        found[name] = differing if len(differing) > len(agreeing) else {}
    return found
