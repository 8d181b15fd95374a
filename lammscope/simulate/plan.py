"""Plans of simulated cohorts: patients, samples, composition and the profiles of each library."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from lammscope.simulate.droplets import MONOCYTIC_TYPES, DropletSettings, LibraryPlan
from lammscope.simulate.profiles import LAMM, PER_CELL, Floats, Programs, lamm_profiles

NOT_IMMUNE = ("malignant", "platelet")  # lineages outside the denominator `immune`
MYELOID_TYPES = (*MONOCYTIC_TYPES, "cDC1", "cDC2", "DC3", "Neutrophil")
ARMS = {"responder": ("CR", "PR"), "non_responder": ("PD", "SD")}
PHASES = {"pre": ("baseline", -6), "post": ("day_7", 7)}  # label and day from infusion
# Change of a type's log weight after infusion, by arm.
AFTER_INFUSION = {
    "B": {"responder": -3.0, "non_responder": -3.0},
    "Malignant_B": {"responder": -3.0, "non_responder": -0.5},
}
CAR_T_WEIGHT = 0.14  # of the types outside the monocytic group, after infusion
TYPE_SD = {"patient": 0.25, "sample": 0.15}  # of log weights
CELLS_SD = 0.15  # of the cells of a library, as a share of their mean
AMBIENT_SD = 0.25  # of the ambient fraction between libraries, natural log units
# A poor library: few cells with few UMIs, among many barcodes of 300 to 900 ambient UMIs.
POOR_CELLS, POOR_BARCODES = 50, 4600
POOR_COUNTS = 2000.0  # of a typical cell with its ambient RNA; T cells have about 1,500
POOR_AMBIENT, POOR_AMBIENT_SD = 520.0, 0.28  # median UMIs of a droplet


@dataclass(frozen=True)
class CohortSettings:
    """Size, planted effects and noise of a cohort. Log odds are natural logarithms."""

    patients_per_arm: int = 4
    cells: int = 400  # healthy single cells per sample, on average
    lamm_log_odds: float = 1.5  # LAMM among monocytic cells, non-responders minus responders, pre
    change_log_odds: float = 0.8  # added to this difference after infusion
    lamm_fraction: float = 0.14  # of monocytic cells in a typical responder
    monocytic_log_odds: float = 1.2  # monocytic among immune cells, the same, pre and post
    patient_sd: float = 0.35  # of the log odds of LAMM, between patients of an arm
    sample_sd: float = 0.15  # the same, between samples of a patient
    monocytic_fraction: float = 0.30  # of immune cells, midway between the arms
    hazard_log_ratio: float = 1.0  # of progression, per unit of the log odds of LAMM
    gene_effect: float = 1.0  # multiplies the planted log2 fold changes inside LAMM cells
    lamm_distinctness: float = 1.0  # 1 as in the gene programs, 0 like classical monocytes
    batch_strength: float = 0.25  # sd of gene effects of a library, natural log units
    patient_strength: float = 0.12  # sd of gene effects of a patient
    capture_range: float = 2.0  # of defining and state genes, the best library to the worst
    capture_sd: float = 0.15  # the same, of single genes in a library, natural log units
    without: tuple[str, ...] = ()  # cell types that do not occur
    missing_post: int = 0  # patients per arm without a sample after infusion
    poor_libraries: int = 0  # samples with 50 cells among 4,600 barcodes of mostly ambient RNA
    unpaired: bool = False  # every patient has one sample, alternately pre and post
    first_patient: int = 1  # number of the first patient, so that cohorts share no names
    seed: int = 1
    droplets: DropletSettings = field(default_factory=DropletSettings)

    def __post_init__(self) -> None:
        """Refuse settings outside their limits."""
        spreads = (self.patient_sd, self.sample_sd, self.batch_strength, self.patient_strength)
        log_odds = (self.lamm_log_odds, self.change_log_odds, self.monocytic_log_odds)
        checks = {
            "patients per arm must be at least 1": self.patients_per_arm >= 1,
            "cells per sample must be at least 20": self.cells >= 20,
            "the LAMM fraction must be above 0 and below 1 (--no-lamm makes none)": 0
            < self.lamm_fraction
            < 1,
            "the monocytic fraction must be above 0 and below 1": 0 < self.monocytic_fraction < 1,
            "standard deviations and strengths must not be negative": min(*spreads, self.capture_sd)
            >= 0,
            "the range of capture must be a finite number of at least 1": np.isfinite(
                self.capture_range
            )
            and self.capture_range >= 1,
            "log odds, the gene effect and the hazard must be finite numbers": np.isfinite(
                [*log_odds, self.gene_effect, self.hazard_log_ratio]
            ).all(),
            "the LAMM distinctness must be from 0 to 1": 0 <= self.lamm_distinctness <= 1,
            "patients without a later sample must be from 0 to all of an arm": 0
            <= self.missing_post
            <= self.patients_per_arm,
            "poor libraries must be from 0 to all samples": 0
            <= self.poor_libraries
            <= self.n_samples,
            "the depth must be above 0": self.droplets.depth > 0,
            "the overlap of dying and living cells must be above 0 and at most 1": 0
            < self.droplets.dying_overlap
            <= 1,
            "the first patient must have a number of at least 1": self.first_patient >= 1,
            "the seed must not be negative": self.seed >= 0,
            "doublets, dying, empty and ambient fractions must be from 0 to 1": all(
                0 <= getattr(self.droplets, f"{name}_fraction") <= 1
                for name in ("doublet", "dying", "empty", "ambient")
            ),
        }
        for message, met in checks.items():
            if not met:
                raise ValueError(message)

    @property
    def n_samples(self) -> int:
        """Samples of the cohort."""
        each = 1 if self.unpaired else 2
        missing = 0 if self.unpaired else self.missing_post
        return 2 * (each * self.patients_per_arm - missing)


def plan_samples(settings: CohortSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Create the patients and samples of a cohort.

    Returns
    -------
    patients, samples
        Sheets with the columns of the files, and `arm` and `malignant` (patients) or `phase` and
        `is_poor` (samples). Arms, products and sexes are balanced; age and LDH do not depend on the
        arm.
    """
    rng = _rng(settings, 0)
    rows, sample_rows = [], []
    for number in range(2 * settings.patients_per_arm):
        arm = list(ARMS)[number % 2]
        within = number // 2
        patient = f"P{number + settings.first_patient:02d}"
        rows.append(
            {
                "patient": patient,
                "response": ARMS[arm][within // 2 % 2],
                "product": ("axi-cel", "tisa-cel")[within % 2],
                "sex": ("female", "male")[(within + within // 2) % 2],
                "age": int(rng.integers(34, 78)),
                "ldh": int(np.exp(rng.normal(5.6, 0.4))),
                "arm": arm,
                "malignant": within % 4 in (0, 3),
            }
        )
        phases = list(PHASES)
        if settings.unpaired:
            phases = phases[within % 2 : within % 2 + 1]
        elif within >= settings.patients_per_arm - settings.missing_post:
            phases = ["pre"]
        sample_rows += [
            {
                "sample": f"{patient}_{PHASES[phase][0]}",
                "patient": patient,
                "timepoint": PHASES[phase][0],
                "compartment": "blood",
                "day": PHASES[phase][1],
                "phase": phase,
            }
            for phase in phases
        ]
    samples = pd.DataFrame(sample_rows)
    order = _rng(settings, 6).permutation(len(samples))
    return pd.DataFrame(rows), samples.assign(is_poor=order < settings.poor_libraries)


def draw_fractions(
    settings: CohortSettings,
    programs: Programs,
    *,
    patients: pd.DataFrame,
    samples: pd.DataFrame,
) -> pd.DataFrame:
    """Draw the expected fraction of each cell type in each sample (samples x types, sum 1).

    The fractions of LAMM among monocytic cells and of monocytic among immune cells are
    logit-normal: the means of the arms over patients differ by the planted log odds. All other
    types have log-normal weights.
    """
    types = programs.types
    unknown = sorted(set(settings.without) - set(types.index))
    if unknown:
        raise ValueError(f"no such cell type: {unknown[0]}; types: {', '.join(types.index)}")
    outside = [name for name in types.index if name not in MONOCYTIC_TYPES]
    immune = [name for name in outside if types["lineage"][name] not in NOT_IMMUNE]
    ordinary = [name for name in MONOCYTIC_TYPES if name != LAMM]
    fractions = pd.DataFrame(0.0, index=samples["sample"], columns=types.index)
    n_random = len(types) + 2  # for LAMM, for the monocytic share, for the weights
    by_patient = {
        row["patient"]: (row, _rng(settings, 1, number).standard_normal(n_random))
        for number, (_, row) in enumerate(patients.iterrows())
    }
    for number, sample in enumerate(samples.itertuples()):
        patient, own = by_patient[str(sample.patient)]
        new = _rng(settings, 2, number).standard_normal(n_random)
        arm, post = patient["arm"], sample.phase == "post"
        weights = types["fraction"] * np.exp(
            TYPE_SD["patient"] * own[2:] + TYPE_SD["sample"] * new[2:]
        )
        if post:
            for name, change in AFTER_INFUSION.items():
                weights[name] *= np.exp(change[arm])
            weights["CAR_T"] = CAR_T_WEIGHT * np.exp(TYPE_SD["patient"] * own[-1])
        if not patient["malignant"]:
            weights["Malignant_B"] = 0.0
        weights[list(settings.without)] = 0.0
        odds = _logit(settings.lamm_fraction) + settings.patient_sd * own[0]
        odds += settings.sample_sd * new[0]
        if arm == "non_responder":
            odds += settings.lamm_log_odds + post * settings.change_log_odds
        lamm = 0.0 if LAMM in settings.without else _expit(odds)
        if set(ordinary) <= set(settings.without):
            lamm = 1.0
        monocytic = np.exp(
            _logit(settings.monocytic_fraction)
            + TYPE_SD["patient"] * own[1]
            + TYPE_SD["sample"] * new[1]
            + (0.5 if arm == "non_responder" else -0.5) * settings.monocytic_log_odds
        )
        if set(MONOCYTIC_TYPES) <= set(settings.without):
            monocytic = 0.0
        fraction = pd.Series(0.0, index=types.index)
        fraction[outside] = weights[outside] / (weights[immune].sum() or 1.0)
        fraction[ordinary] = monocytic * (1 - lamm) * _shares(weights[ordinary])
        fraction[LAMM] = monocytic * lamm
        fractions.loc[str(sample.sample)] = fraction / fraction.sum()
    return fractions


def capture_factors(settings: CohortSettings, *, n_samples: int) -> Floats:
    """Draw what each library captures of defining and state genes, relative to others.

    Chemistries and laboratories differ so; the factors are log-uniform around 1 and do not depend
    on the arm.
    """
    reach = np.log(settings.capture_range) / 2
    return np.array(
        [np.exp(_rng(settings, 7, number).uniform(-reach, reach)) for number in range(n_samples)]
    )


def plan_library(
    settings: CohortSettings,
    programs: Programs,
    *,
    patient: pd.Series,
    sample: pd.Series,
    fractions: Mapping[str, float],
    capture: float,
) -> LibraryPlan:
    """Apply patient and library effects to the profiles of one sample.

    Parameters
    ----------
    patient
        A row of the patients of `plan_samples`, with the patient as its name.
    sample
        A row of the samples of `plan_samples`, with its number as its name.
    capture
        Its factor of `capture_factors`.
    """
    number = int(str(sample.name))
    of_patient = _rng(settings, 3, int(str(patient.name)[1:]))
    of_sample = _rng(settings, 4, number)
    levels = programs.levels.copy()
    types = programs.types
    row = {name: i for i, name in enumerate(types.index)}
    levels[row[LAMM]] = lamm_profiles(replace(programs, levels=levels), scale=settings.gene_effect)[
        patient["arm"]
    ]
    for symbol, level in programs.sex[patient["sex"]].items():
        levels[:, programs.position[symbol]] = level
    if sample["phase"] == "post":
        levels[row["CAR_T"], programs.position[programs.car[patient["product"]]]] = (
            programs.car_level
        )
    n_genes = levels.shape[1]
    levels *= _noise(of_patient, settings.patient_strength, n_genes)
    levels[row["Malignant_B"]] *= _noise(of_patient, 3 * settings.patient_strength, n_genes)
    # a clone has one light chain
    lost = ("IGKC",) if of_patient.random() < 0.4 else ("IGLC2", "IGLC3")
    levels[row["Malignant_B"], [programs.position[symbol] for symbol in lost]] *= 0.02
    levels *= _noise(of_sample, settings.batch_strength, n_genes)
    for lineage in dict.fromkeys(types["lineage"]):
        levels[(types["lineage"] == lineage).to_numpy()] *= _noise(
            of_sample, 0.3 * settings.batch_strength, n_genes
        )
    of_capture = _rng(settings, 8, number)
    n_captured = int(programs.captured.sum())
    levels[:, programs.captured] *= capture * _noise(of_capture, settings.capture_sd, n_captured)
    levels *= PER_CELL / levels.sum(axis=1, keepdims=True)
    means = {
        factor.name: factor.patient_sd * of_patient.normal()
        + factor.library_sd * of_sample.normal()
        for factor in programs.factors
    }
    load = max(0.3, of_sample.normal(1, CELLS_SD))  # cells, relative to the mean of libraries
    droplets = settings.droplets
    plan = LibraryPlan(
        sample=sample["sample"],
        n_cells=max(20, int(load * settings.cells)),
        fractions=fractions,
        profiles=levels,
        factor_means=means,
        depth_factor=float(np.exp(of_sample.normal(0, 0.12))),
        droplets=replace(
            droplets,
            doublet_fraction=min(load * droplets.doublet_fraction, 1.0),
            ambient_fraction=droplets.ambient_fraction * float(_noise(of_sample, AMBIENT_SD, 1)[0]),
        ),
        seed=(settings.seed, 5, number),
    )
    return _poor(plan, programs) if sample["is_poor"] else plan


def _poor(plan: LibraryPlan, programs: Programs) -> LibraryPlan:
    """Return the plan of a library with few and small cells and much ambient RNA."""
    droplets = replace(
        plan.droplets,
        depth=plan.droplets.depth * POOR_COUNTS / plan.typical_depth(programs),
        ambient_fraction=POOR_AMBIENT / POOR_COUNTS,
        ambient_sd=POOR_AMBIENT_SD,
        empty_fraction=POOR_BARCODES / POOR_CELLS - 1,
    )
    return replace(plan, n_cells=POOR_CELLS, droplets=droplets)


def _noise(rng: np.random.Generator, sd: float, n: int) -> Floats:
    """Draw factors with mean 1 and standard deviation `sd` on the log scale."""
    return np.exp(rng.normal(-(sd**2) / 2, sd, n))


def _shares(weights: pd.Series) -> pd.Series:
    return weights / weights.sum() if weights.sum() > 0 else weights


def _rng(settings: CohortSettings, *key: int) -> np.random.Generator:
    """Return an independent generator for each key, so that a new patient changes no other."""
    return np.random.default_rng(np.random.SeedSequence((settings.seed, *key)))


def _logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))


def _expit(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))
