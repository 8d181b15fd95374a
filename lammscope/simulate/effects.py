"""Tables of the planted effects: fractions of populations, and genes inside LAMM cells."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lammscope.simulate.droplets import MACROPHAGE_LIKE_TYPES, MONOCYTIC_TYPES
from lammscope.simulate.plan import NOT_IMMUNE, PHASES, CohortSettings
from lammscope.simulate.profiles import LAMM, Programs, lamm_profiles

POSITIVE, MACROPHAGE_LIKE = "LAMM_positive", "LAMM_macrophage_like"
GROUPS = {POSITIVE: MONOCYTIC_TYPES, MACROPHAGE_LIKE: MACROPHAGE_LIKE_TYPES}  # of several types
CONTRASTS = ("baseline", "on_treatment", "pre_to_post", "change")


def effect_table(
    settings: CohortSettings,
    programs: Programs,
    *,
    patients: pd.DataFrame,
    samples: pd.DataFrame,
    fractions: pd.DataFrame,
) -> pd.DataFrame:
    """Tabulate the differences between arms and after infusion for every population.

    Returns
    -------
    DataFrame
        One row per contrast (`baseline`, `on_treatment`, `change`, and `pre_to_post` in
        non-responders), denominator (`all`, `immune`, `monocytic`) and population (cell types,
        `LAMM_positive`: all monocytic types, `LAMM_macrophage_like`: LAMM cells and macrophages),
        with

        - `kind`: `planted`; `compositional` (the fraction changes only because another one does);
          `none`;
        - `planted`: the planted difference in log odds if it is known exactly (LAMM among
          monocytic, LAMM_positive among immune cells), else NaN;
        - `realised`: the difference between the means over patients of the drawn log odds, before
          cells are sampled; NaN if the population is absent from a sample that is needed;
        - `n_test`, `n_reference`: patients used for `realised`.
    """
    lineages = programs.types["lineage"]
    denominators = {
        "all": list(lineages.index),
        "immune": [t for t in lineages.index if lineages[t] not in NOT_IMMUNE],
        "monocytic": list(MONOCYTIC_TYPES),
    }
    tables = []
    for denominator, members in denominators.items():
        inside = fractions[members].copy()
        total = inside.sum(axis=1)
        for name, of_group in GROUPS.items():
            if set(of_group) < set(members):
                inside[name] = fractions[list(of_group)].sum(axis=1)
        rest = (-inside).add(total, axis=0)
        possible = (inside > 0) & (rest > 1e-12)
        odds = (inside.where(possible) / rest).map(np.log)
        for contrast in CONTRASTS:
            planted = planted_log_odds(settings, contrast)
            table = _differences(odds, contrast, patients=patients, samples=samples)
            kinds = [_kind(str(t), denominator, contrast, planted=planted) for t in inside]
            exact = [_exact(str(t), denominator, settings, planted=planted) for t in inside]
            table.insert(0, "contrast", contrast)
            table.insert(1, "denominator", denominator)
            table.insert(3, "kind", kinds)
            table.insert(4, "planted", exact)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def gene_table(settings: CohortSettings, programs: Programs) -> pd.DataFrame:
    """Tabulate the genes that differ between non-responders and responders within LAMM cells.

    `log2fc` is the same at both time points; levels are UMIs per 10,000 before patient and library
    effects. Without LAMM cells the table is empty.
    """
    if LAMM in settings.without:
        programs = replace(programs, lamm_response={})
    profiles = lamm_profiles(programs, scale=settings.gene_effect)
    at = [programs.position[symbol] for symbol in programs.lamm_response]
    return pd.DataFrame(
        {
            "population": LAMM,
            "gene": programs.genes["gene"].iloc[at].to_numpy(),
            "symbol": list(programs.lamm_response),
            "log2fc": [settings.gene_effect * x for x in programs.lamm_response.values()],
            "level_responder": profiles["responder"][at].round(4),
            "level_non_responder": profiles["non_responder"][at].round(4),
        }
    )


def planted_log_odds(settings: CohortSettings, contrast: str) -> dict[str, float]:
    """Return planted differences in log odds of a contrast.

    Those of LAMM are among monocytic cells, those of LAMM_positive among immune cells.
    """
    lamm = {
        "baseline": settings.lamm_log_odds,
        "on_treatment": settings.lamm_log_odds + settings.change_log_odds,
        "pre_to_post": settings.change_log_odds,
        "change": settings.change_log_odds,
    }[contrast]
    arms_only = contrast in ("baseline", "on_treatment")  # the same before and after infusion
    return {
        LAMM: 0.0 if LAMM in settings.without else lamm,
        POSITIVE: settings.monocytic_log_odds if arms_only and _any_monocytic(settings) else 0.0,
    }


def _any_monocytic(settings: CohortSettings) -> bool:
    return not set(MONOCYTIC_TYPES) <= set(settings.without)


def _exact(
    population: str, denominator: str, settings: CohortSettings, *, planted: Mapping[str, float]
) -> float:
    """Return the planted log odds of a population if they are known exactly, else NaN."""
    others = set(MONOCYTIC_TYPES) - {LAMM} - set(settings.without)
    known = {
        ("monocytic", LAMM): LAMM not in settings.without and bool(others),
        ("immune", POSITIVE): _any_monocytic(settings),
    }
    return planted[population] if known.get((denominator, population), False) else np.nan


def _kind(population: str, denominator: str, contrast: str, *, planted: Mapping[str, float]) -> str:
    """Return whether a population's fraction is `planted`, `compositional` or `none`."""
    of_monocytes = population in MONOCYTIC_TYPES or population in GROUPS
    lamm = planted[LAMM] != 0
    all_monocytic = planted[POSITIVE] != 0 and denominator != "monocytic"
    if of_monocytes and all_monocytic:
        return "planted"
    if population in (LAMM, MACROPHAGE_LIKE) and lamm:
        return "planted"
    if population in MONOCYTIC_TYPES and lamm:
        return "compositional"
    if population == "Malignant_B" and contrast != "baseline":
        return "planted"
    if population in ("B", "CAR_T") and contrast == "pre_to_post":
        return "planted"
    if all_monocytic:
        return "compositional"
    if denominator == "monocytic" or contrast == "baseline":
        return "none"
    if denominator == "all" or (contrast == "pre_to_post" and not of_monocytes):
        return "compositional"  # malignant cells fall; the monocytic share of immune cells stays
    return "none"


def _differences(
    odds: pd.DataFrame, contrast: str, *, patients: pd.DataFrame, samples: pd.DataFrame
) -> pd.DataFrame:
    """Compute differences of means over patients for a contrast, one row per population."""
    by_phase = {}
    for phase in PHASES:
        of_phase = samples[samples["phase"] == phase]
        values = odds.loc[of_phase["sample"]].set_axis(of_phase["patient"])
        by_phase[phase] = values.reindex(patients["patient"])
    measure = {
        "baseline": by_phase["pre"],
        "on_treatment": by_phase["post"],
        "pre_to_post": by_phase["post"] - by_phase["pre"],
        "change": by_phase["post"] - by_phase["pre"],
    }[contrast]
    is_test = (patients["arm"] == "non_responder").to_numpy()
    test, reference = measure[is_test], measure[~is_test]
    realised, n_reference = test.mean(), test.count()
    if contrast != "pre_to_post":
        realised, n_reference = realised - reference.mean(), reference.count()
    return pd.DataFrame(
        {
            "population": odds.columns,
            "realised": realised.to_numpy(),
            "n_test": test.count().to_numpy(),
            "n_reference": n_reference.to_numpy(),
        }
    )
