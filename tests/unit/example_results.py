"""Plausible result tables of a small cohort, in the formats of the workflow."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.incomplete import COLUMNS as INCOMPLETE
from lammscope.abundance.verdicts import judge_abundance
from lammscope.abundance.weighted import COLUMNS as WEIGHTED
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import Between, Change, Paired
from lammscope.cohort.contrasts import Contrast
from lammscope.expression.hierarchy import gather_expression
from lammscope.expression.support import judge
from lammscope.joint.cells import select_cells, summarize_lineages
from lammscope.report.figures.cohort import CohortData
from lammscope.report.figures.contrast import ContrastData
from lammscope.report.figures.quality import QualityData
from lammscope.report.order import drawing_order
from lammscope.report.results import (
    COHORT_TABLES,
    CONTRAST_TABLES,
    OPTIONAL_TABLES,
    ContrastResults,
    Results,
)

LINEAGES = {
    "LAMM": "monocytic",
    "Classical_monocyte": "monocytic",
    "Nonclassical_monocyte": "monocytic",
    "CD4_T": "T",
    "CD8_T": "T",
    "CAR_T": "T",
    "Treg": "T",
    "NK": "NK",
    "B": "B",
    "cDC2": "dendritic",
    "pDC": "dendritic",
    "Platelet": "platelet",
}
SHARES = dict(
    zip(
        LINEAGES,
        [0.03, 0.2, 0.04, 0.25, 0.17, 0.02, 0.04, 0.1, 0.08, 0.03, 0.01, 0.03],
        strict=True,
    )
)
CENTRES = {
    "LAMM": (6.5, 5.5), "Classical_monocyte": (8, 4), "Nonclassical_monocyte": (10, 2),
    "CD4_T": (-6, -3), "CD8_T": (-9, 0), "CAR_T": (-7.5, 2.5), "Treg": (-4, -5), "NK": (-10, 4),
    "B": (0, 9), "cDC2": (5, 8), "pDC": (2, 5), "Platelet": (4, -5),
}  # fmt: skip
DEFINERS = ("CSF1R", "CD14", "CD68")
ARMS: dict[str, Any] = {
    "test": "non_responder",
    "reference": "responder",
    "adjust": (),
    "choose": None,
}
BASELINE = Between(
    name="baseline", column="response", **ARMS, where={"phase": ("pre",)}, match=()
)  # fmt: skip
CHANGE = Change(name="change", column="response", **ARMS, where={}, match=())
PRE_TO_POST = Paired(
    name="pre_to_post", column="phase", **(ARMS | {"test": "post", "reference": "pre"}),
    where={"response": ("non_responder",)}, match=("compartment",),
)  # fmt: skip
CONTRASTS: dict[str, Contrast] = {
    contrast.name: contrast for contrast in (BASELINE, PRE_TO_POST, CHANGE)
}


@dataclass(frozen=True)
class Example:
    """Tables of the workflow; rows of `umap` and `definers` are in the order of `cells`."""

    samples: pd.DataFrame
    cells: pd.DataFrame
    umap: np.ndarray
    definers: pd.DataFrame
    qc: dict[str, pd.DataFrame]
    qc_summary: pd.DataFrame
    counts: pd.DataFrame


def example(*, n_patients: int = 8, n_cells: int = 60, seed: int = 0) -> Example:
    """Make a cohort, half responders, before and after infusion, `n_cells` per sample."""
    rng = np.random.default_rng(seed)
    samples = sample_table(n_patients)
    rows = samples.to_dict("records")
    parts = [_sample_cells(row, n_cells=n_cells, rng=rng) for row in rows]
    cells = pd.concat(parts, ignore_index=True)
    truth = cells.pop("truth")
    centers = np.array([CENTRES[name] for name in truth])
    umap = centers + rng.normal(scale=0.9, size=centers.shape)
    strength = truth.map({"LAMM": 1.2, "Classical_monocyte": 0.6, "Nonclassical_monocyte": 0.7})
    rates = strength.fillna(0.02).to_numpy()[:, None] * np.array([0.8, 2.0, 1.6])
    definers = pd.DataFrame(np.log1p(4 * rng.poisson(rates)), columns=list(DEFINERS))
    qc = {sample: _qc(sample, cells, rng) for sample in samples["sample"]}
    return Example(
        samples, cells, umap, definers, qc, _qc_summary(qc, cells), count_table(cells, samples)
    )


def cohort_data(cohort: Example, *, max_points: int = 100_000, seed: int = 1) -> CohortData:
    """What figures of this cohort are drawn from; its definers count as pooled, too."""
    rng = np.random.default_rng(seed)
    return CohortData(
        cells=cohort.cells,
        umap=cohort.umap,
        expression=cohort.definers,
        pooled=cohort.definers,
        order=drawing_order(len(cohort.cells), max_points=max_points, rng=rng),
        qc=cohort.qc,
        qc_summary=cohort.qc_summary,
        samples=cohort.samples,
        counts=cohort.counts,
        thresholds={"min_counts": 500, "min_genes": 250, "max_pct_mt": 15},
        min_cells=5,
    )


def quality_data(cohort: Example, **changes: Any) -> QualityData:
    """What figures of quality control are drawn from; each sample is a channel."""
    rng = np.random.default_rng(2)
    doublets = {}
    for sample, table in cohort.qc.items():
        score = rng.beta(1, 20, int(table["passes"].sum()))
        doublets[sample] = pd.DataFrame(
            {
                "cell": sample + "_" + table.loc[table["passes"], "barcode"],
                "doublet_score": score,
                "doublet": score > np.quantile(score, 0.95),
            }
        )
    scored = pd.concat(doublets.values(), ignore_index=True)
    cells = select_cells(cohort.qc, scored, patients=dict.fromkeys(cohort.qc, "P01"))
    data = QualityData(
        qc=cohort.qc,
        lineages=summarize_lineages(cohort.qc, cells),
        doublets=doublets,
        contamination=contamination_table(list(cohort.qc)),
        verdicts=verdict_table(cohort.qc_summary),
        samples=cohort.samples,
        thresholds={"min_counts": 500, "min_genes": 250, "max_pct_mt": 15},
    )
    return replace(data, **changes)


def contamination_table(samples: list[str]) -> pd.DataFrame:
    """Make contamination of 2 to 12 %; it cannot be estimated in the last sample."""
    share = np.linspace(0.02, 0.12, len(samples))
    share[-1] = np.nan
    return pd.DataFrame(
        {
            "sample": samples,
            "contamination": share,
            "contamination_low": 0.7 * share,
            "contamination_high": 1.5 * share,
            "ambient_profile": ["empty droplets", *["all barcodes"] * (len(samples) - 1)],
            "note": [*[""] * (len(samples) - 1), "contamination cannot be estimated: few cells"],
        }
    )


def contrast_data(cohort: Example, name: str = "baseline", **changes: Any) -> ContrastData:
    """What figures of a contrast in this cohort are drawn from, with some fields changed."""
    data = ContrastData(
        Comparison(cohort.samples, CONTRASTS[name]),
        counts=cohort.counts,
        abundance=abundance_table(cohort.counts),
        robustness=robustness_table(),
        expression=expression_table(),
        level="macrophage_like",
        probability=0.9,
        min_cells=5,
        denominator="monocytic",
        exclude_pre_post=("B", "CAR_T"),
        max_fdr=0.05,
        n_labels=8,
    )
    return replace(data, **changes)


def sample_table(n_patients: int) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for i in range(n_patients):
        arm, label = (("responder", "CR"), ("non_responder", "PD"))[i % 2]
        product = ("axi-cel", "tisa-cel")[(i // 2) % 2]
        for phase, timepoint in (("pre", "baseline"), ("post", "d7")):
            name = f"P{i + 1:02d}_{timepoint}"
            rows.append(
                {"sample": name, "patient": f"P{i + 1:02d}", "timepoint": timepoint,
                 "channel": name, "batch": name, "compartment": "blood", "sort": "none",
                 "product": product, "response_label": label, "phase": phase, "response": arm}
            )  # fmt: skip
    return pd.DataFrame(rows).astype(object)


def _sample_cells(row: dict[Any, Any], *, n_cells: int, rng: np.random.Generator) -> pd.DataFrame:
    shares = pd.Series(SHARES) * rng.lognormal(0, 0.25, len(SHARES))
    shares["LAMM"] *= 3.5 if row["response"] == "non_responder" else 1.0
    if row["phase"] == "post":
        shares["B"] *= 0.05
        shares["CAR_T"] *= 4
    else:
        shares["CAR_T"] = 0
    truth = rng.choice(list(shares.index), size=n_cells, p=shares / shares.sum())
    lamm = truth == "LAMM"
    cell_type = np.where(lamm, "Classical_monocyte", truth)
    lineage = np.array([LINEAGES[name] for name in truth])
    monocytic = lineage == "monocytic"
    like = np.where(lamm, rng.beta(12, 1, n_cells), rng.beta(1, 14, n_cells))
    positive = np.where(truth == "Nonclassical_monocyte", rng.beta(3, 3, n_cells), 0.97)
    call = np.where(like > 0.9, "LAMM", np.where(like > 0.4, "uncertain", "not_LAMM"))
    call = np.where(monocytic, call, "not_LAMM")
    veto = np.where(monocytic & (rng.random(n_cells) < 0.02), "doublet", "")
    return pd.DataFrame(
        {
            "cell": [f"{row['sample']}_{i:05d}" for i in range(n_cells)],
            "sample": row["sample"], "patient": row["patient"], "cluster": lineage,
            "lineage": lineage, "cell_type": cell_type,
            "population": cell_type,
            "lamm_score": np.where(monocytic, like, np.nan),
            "lamm_positive": np.where(monocytic, positive, 0.0),
            "lamm_macrophage_like": np.where(monocytic, like, 0.0),
            "lamm_call": call, "lamm_veto": veto, "car": "negative", "truth": truth,
            "lamm_reference": np.where(monocytic, "own monocytes", ""),
        }
    )  # fmt: skip


def _qc(sample: str, cells: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    kept = cells.loc[cells["sample"] == sample, "cell"].str.removeprefix(sample + "_")
    n_bad = max(len(kept) // 6, 4)
    n = len(kept) + n_bad
    bad = np.arange(n) >= len(kept)
    reasons = np.where(bad, rng.choice(["low_counts,few_genes", "high_mt"], n), "")
    low = reasons == "low_counts,few_genes"
    counts = np.where(low, rng.integers(100, 500, n), rng.lognormal(8, 0.4, n)).astype(int)
    return pd.DataFrame(
        {
            "barcode": [*kept, *(f"x{i}" for i in range(n_bad))],
            "total_counts": counts,
            "n_genes": (6 * counts**0.7).astype(int),
            "pct_mt": np.where(reasons == "high_mt", rng.uniform(15, 60, n), rng.gamma(4, 1, n)),
            "pct_hb": 0.0,
            "ambient_deviance": np.maximum(counts / 500, 0.9),
            "likely_lineage": np.where(np.arange(n) % 3 == 0, "monocyte_DC", "T_NK"),
            "passes": ~bad,
            "reasons": reasons,
        }
    )


def _qc_summary(qc: dict[str, pd.DataFrame], cells: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for sample, table in qc.items():
        n_cells = int((cells["sample"] == sample).sum())
        kept = table[table["passes"]]
        rows.append(
            {
                "sample": sample,
                "n_barcodes": len(table) + 3,
                "n_low_counts": int(table["reasons"].str.startswith("low").sum()),
                "n_few_genes": 0,
                "n_high_mt": int((table["reasons"] == "high_mt").sum()),
                "n_doublets": 3,
                "n_dropped": 0,
                "n_cells": n_cells,
                "median_counts": kept["total_counts"].median(),
                "median_genes": kept["n_genes"].median(),
                "median_pct_mt": kept["pct_mt"].median(),
                "shared_barcodes": "",
            }
        )
    return pd.DataFrame(rows)


def verdict_table(qc_summary: pd.DataFrame) -> pd.DataFrame:
    """Judge all samples as good ones."""
    return pd.DataFrame(
        {
            "sample": qc_summary["sample"],
            "verdict": "passed",
            "reasons": "",
            "message": "",
            "n_cells": qc_summary["n_cells"],
            "pct_ambient": 0.0,
            "pct_dying": 5.0,
            "pct_contamination": 4.2,
            "sex": "male",
            "unlike": "",
        }
    )


def count_table(cells: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Count every population in every sample, and LAMM cells outside the partition."""
    parts = []
    monocytic = cells["lineage"] == "monocytic"
    levels = {"LAMM": cells["lamm_call"] == "LAMM"} | {
        f"LAMM_{level}": monocytic & (cells[f"lamm_{level}"] > 0.9)
        for level in ("positive", "macrophage_like")
    }
    groups = {
        name: (cells["population"] == name, LINEAGES[name], True)
        for name in sorted(set(cells["population"]))
    } | {name: (inside, "monocytic", False) for name, inside in levels.items()}
    for name, (inside, lineage, partition) in groups.items():
        n_cells = cells.loc[inside, "sample"].value_counts().reindex(samples["sample"]).fillna(0)
        parts.append(
            pd.DataFrame(
                {"sample": list(samples["sample"]), "population": name, "lineage": lineage,
                 "n_cells": n_cells.to_numpy(dtype=int), "partition": partition}
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def abundance_table(counts: pd.DataFrame, *, seed: int = 0, status: str = "ok") -> pd.DataFrame:
    """Make rows of `abundance/{contrast}.tsv` with plausible numbers."""
    rng = np.random.default_rng(seed)
    lineage = counts.drop_duplicates("population").set_index("population")["lineage"]
    names = [*lineage.index, "monocytic"]
    rows = [(p, d) for p in names for d in ("all", "immune") if p != "Platelet"]
    rows += [(p, "monocytic") for p in lineage.index if lineage[p] == "monocytic"]
    rows += [(p, "parent") for p in lineage.index if lineage[p] == "T"]
    keys = [(p, d, scale) for p, d in rows for scale in ("logit", "arcsine")]
    keys += [(p, "T", "log_ratio") for p in ("LAMM", "monocytic")]
    table = pd.DataFrame(keys, columns=["population", "denominator", "scale"])
    is_lamm = table["population"].isin(["LAMM", "LAMM_macrophage_like"])
    table["estimate"] = np.where(is_lamm, 1.4, rng.normal(0, 0.3, len(table)))
    table["se"] = rng.uniform(0.25, 0.6, len(table))
    table["ci_low"] = table["estimate"] - 2.45 * table["se"]
    table["ci_high"] = table["estimate"] + 2.45 * table["se"]
    table["t"] = table["estimate"] / table["se"]
    table["df"] = 6
    table["p"] = np.minimum(1.0, 2 * np.exp(-(table["t"] ** 2) / 1.6))
    table["fdr"] = np.minimum(1.0, 3 * table["p"])
    table["p_moderated"], table["fdr_moderated"] = table["p"], table["fdr"]
    table["p_ordinary"], table["sd_test"], table["sd_reference"] = table["p"], 0.5, 0.4
    table["p_permutation"] = np.maximum(2 / 70, table["p"])
    table["p_floor"], table["permutation_scheme"] = 2 / 70, "exact"
    table["mean_reference"] = np.where(is_lamm, 0.05, rng.uniform(0.01, 0.2, len(table)))
    odds = table["mean_reference"] / (1 - table["mean_reference"]) * np.exp(table["estimate"])
    table["mean_test"] = odds / (1 + odds)
    table["n_test"], table["n_reference"] = 4, 4
    table["influence_low"] = table["estimate"] - 0.3 * table["se"]
    table["influence_high"] = table["estimate"] + 0.3 * table["se"]
    table["influence_patient"] = "P01"
    table["influence_p_max"] = np.minimum(1.0, 2 * table["p"])
    table["detectable"] = 3.5 * table["se"]
    table["compositional"] = table["scale"] != "log_ratio"
    table["without"], table["estimate_without"], table["p_without"] = "", np.nan, np.nan
    table[list(INCOMPLETE)] = np.nan
    beside = table["scale"].isin(["logit", "log_ratio"])
    for name in WEIGHTED:
        table[name] = table[name.removesuffix("_weighted")].where(beside)
    table["status"], table["reason"], table["notes"] = status, "", ""
    if status != "ok":
        tested = ["estimate", "se", "df", "ci_low", "ci_high", "t", "p", "fdr", "detectable"]
        tested += ["p_permutation", "influence_low", "influence_high", "influence_p_max"]
        untested = ["p_ordinary", "p_moderated", "fdr_moderated", "sd_test", "sd_reference"]
        table[[*tested, *untested, *WEIGHTED]] = np.nan
        table["influence_patient"] = ""
        table["reason"] = "fewer than 3 patients in an arm, or too few for the model"
        table["notes"] = "under 20 cells of the denominator: P02 (non_responder)"
    return judged({"baseline": table})[0]["baseline"]


def judged(tests: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Give the rows of abundance tables their verdicts, as the workflow does."""
    primary = {"contrast": "baseline", "denominator": "monocytic"}
    return judge_abundance(tests, CONTRASTS, primary=primary, level="macrophage_like")


def robustness_table(*, seed: int = 0, status: str = "ok", n_patients: int = 8) -> pd.DataFrame:
    """Make rows of `abundance/robustness.{contrast}.tsv` with plausible numbers."""
    keys = [("main", np.nan), ("scale", "arcsine"), ("denominator", "immune"), ("denominator", "T")]
    keys += [("level", "positive"), ("threshold", "0.1"), ("threshold", "0.5"), ("adjust", "ldh")]
    keys += [("leave_one_out", f"P{i:02d}") for i in range(1, n_patients + 1)]
    table = pd.DataFrame(keys, columns=["analysis", "setting"])
    rng = np.random.default_rng(seed)
    table["population"], table["denominator"], table["scale"] = "LAMM", "monocytic", "logit"
    table["log_odds"] = table["estimate"] = 1.4 + rng.normal(0, 0.15, len(table))
    table["se"], table["df"] = 0.3, 6
    table["log_odds_low"] = table["ci_low"] = table["estimate"] - 0.73
    table["log_odds_high"] = table["ci_high"] = table["estimate"] + 0.73
    table["p"] = 0.004
    table["n_test"], table["n_reference"], table["status"] = 4, 4, status
    table["reason"] = ""
    if status != "ok":
        numbers = ["estimate", "se", "ci_low", "ci_high", "df", "p"]
        table[[*numbers, "log_odds", "log_odds_low", "log_odds_high"]] = np.nan
    return table


def missing_table(*, p: float = 1.0) -> pd.DataFrame:
    """Make a row of `expression/missing.{contrast}.tsv`."""
    row = {"cell_type": "B", "n_test": 4, "n_reference": 4, "kept_test": 0, "kept_reference": 4}
    return pd.DataFrame([row | {"p": p}])


def neighborhood_rows(n_tested: int = 5) -> pd.DataFrame:
    """Make a row of `abundance/neighborhoods_by_type.{contrast}.tsv`."""
    row = {"population": "LAMM", "n_neighborhoods": 6, "n_tested": n_tested, "n_higher": 3}
    row |= {"n_lower": 0, "median_log2fc": 1.2, "min_spatial_fdr": 0.004, "n_mixed": 1}
    return pd.DataFrame([row])


def gene_set_rows(n_sets: int = 3) -> pd.DataFrame:
    """Make rows of `expression/gene_sets.{contrast}.tsv`, one of them not tested."""
    names = [f"SET_{i}" for i in range(n_sets)]
    table = pd.DataFrame({"cell_type": "LAMM", "gene_set": names, "n_genes": 12, "n_missing": 1})
    table["direction"], table["mean_log2fc"] = "up", 0.8
    table["p"] = np.linspace(0.001, 0.5, n_sets)
    table["fdr"], table["status"], table["source"] = table["p"] * 2, "ok", "a paper"
    table["p_permutation"], table["p_floor"], table["p_camera"] = table["p"], 0.001, 1e-9
    table["influence_p_max"], table["influence_patient"] = 2 * table["p"], "P01"
    table = table.assign(**judge(table))
    untested = {"cell_type": "NK", "gene_set": "", "status": "too_few_patients"}
    return pd.concat([table, pd.DataFrame([untested])], ignore_index=True)


def losses_table() -> pd.DataFrame:
    """Make rows of `design/losses.tsv`."""
    row = {"contrast": "baseline", "item": "lost_populations", "value": "B", "status": "warning"}
    message = "One side lacks cells (under 10 cells): B (enough in 0 of 4 and 4 of 4)."
    enough = {"item": "lost_denominators", "value": "0", "status": "ok", "message": "None lost."}
    return pd.DataFrame([row | {"message": message}, row | enough])


def calibration_table(*, share: float = 0.04, status: str = "ok") -> pd.DataFrame:
    """Make a row of `design/calibration.tsv`."""
    row = {"test": "genes in LAMM cells", "contrast": "baseline", "n_null": 20}
    row |= {"n_tests": 20_000, "share": share, "status": status}
    row["message"] = f"With permuted labels {100 * share:.1f} % of the tests had p < 0.05."
    return pd.DataFrame([row])


def expression_table(*, n_genes: int = 400, seed: int = 0) -> pd.DataFrame:
    """Make rows of `expression/{contrast}.tsv.gz`; Platelet could not be tested."""
    rng = np.random.default_rng(seed)
    known = ["SPP1", "TREM2", "PTGES", "APOE", "C1QA", "IL1B", "CD163", "HLA-DRA", "S100A8", "VCAN"]
    symbols = [*known, *(f"GENE{i}" for i in range(n_genes - len(known)))]
    parts = []
    for cell_type in ("LAMM", "Classical_monocyte", "CD4_T", "CD8_T", "NK", "B", "Platelet"):
        fold = rng.normal(0, 0.35, n_genes)
        if cell_type == "LAMM":
            fold[:7] += rng.uniform(1.2, 2.6, 7)
            fold[7:10] -= 1.6
        t = fold / rng.uniform(0.25, 0.5, n_genes)
        p = np.minimum(1.0, 2 * np.exp(-(t**2) / 1.7))
        table = pd.DataFrame(
            {
                "cell_type": cell_type, "gene": [f"ENSG{i:011d}" for i in range(n_genes)],
                "symbol": symbols, "mean_expression": rng.uniform(2, 10, n_genes), "log2fc": fold,
                "ci_low": fold - 0.8, "ci_high": fold + 0.8, "t": t, "df": 9.0, "p": p,
                "fdr": np.minimum(1.0, p * n_genes / (1 + np.argsort(np.argsort(p)))),
                "n_test": 4, "n_reference": 4, "status": "ok", "ambient_share": 0.06,
                "ambient_is_limit": False, "ambient": False,
            }
        )  # fmt: skip
        if cell_type == "CD4_T":
            soup = table["symbol"].isin(["S100A8", "VCAN"])
            table.loc[soup, ["ambient_share", "ambient"]] = [0.9, True]
            table.loc[soup, "fdr"] = np.nan
        if cell_type == "Platelet":
            table[["log2fc", "ci_low", "ci_high", "t", "df", "p", "fdr", "ambient_share"]] = np.nan
            table["status"] = "too_few_patients"
        table["p_permutation"], table["p_floor"] = table["p"].where(table["fdr"] < 0.05), 2 / 70
        table["influence_p_max"], table["influence_patient"] = 2 * table["p_permutation"], "P01"
        table = table.assign(**judge(table, ambient=table["ambient"].to_numpy()))
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def hierarchy_table() -> pd.DataFrame:
    """Make the rows of `expression/hierarchy.tsv`."""
    return gather_expression({name: expression_table() for name in CONTRASTS}, max_fdr=0.05)


def audit_table() -> pd.DataFrame:
    """Make rows of `design/audit.tsv`."""
    rows = [
        ("cohort", "patients", "8", "ok", "8 patients, 16 samples."),
        ("cohort", "no_response", "1", "note", "1 of 8 patients have no response label."),
        ("baseline", "verdict", "ok", "ok",
         "Can be tested: 4 non-responders against 4 responders."),
        ("baseline", "patients_test", "4", "ok", "4 non-responders (4 samples)."),
        ("baseline", "patients_reference", "4", "ok", "4 responders (4 samples)."),
        ("baseline", "rank", "2 of 2", "ok", "The model (intercept, arm) can be estimated."),
        ("baseline", "unused: sorted library", "2", "note", "Not used, sorted library: 2 samples."),
        ("baseline", "p_floor", "0.0286", "ok",
         "4 against 4 patients: p of a permutation test cannot go below 2/70 = 0.029."),
        ("baseline", "association_product", "0.03", "warning",
         "Response goes with product: the difference cannot be told apart from the product's."),
        ("pre_to_post", "verdict", "no_permutation", "warning",
         "Tested, but with 4 pairs a permutation test cannot give p below 0.125."),
        ("pre_to_post", "pairs", "4", "ok", "4 complete pairs (8 samples)."),
        ("pre_to_post", "rank", "1 of 1", "ok", "The model (intercept) can be estimated."),
        ("pre_to_post", "p_floor", "0.125", "warning",
         "With 4 pairs a permutation p cannot go below 2/16 = 0.125."),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["contrast", "item", "value", "status", "message"])


def gather(tables: dict[str, Any]) -> Results:
    """Make `Results` from tables by name; tables of contrasts are dicts."""
    of_contrast = {
        name: ContrastResults(contrast, **{key: tables[key][name] for key in CONTRAST_TABLES})
        for name, contrast in tables["contrasts"].items()
    }
    of_cohort = {name: pd.DataFrame() for names in OPTIONAL_TABLES.values() for name in names}
    of_cohort |= {key: tables[key] for key in COHORT_TABLES if key in tables}
    return Results(**of_cohort, of_contrast=of_contrast)


def copies_of_samples(
    samples: Iterable[str], n: int
) -> tuple[dict[str, str], Callable[[pd.DataFrame], pd.DataFrame]]:
    """Return n new names of samples, each with the one it copies, and a function for tables."""
    names = list(samples)
    copies = {f"N{i:03d}": names[i % len(names)] for i in range(n)}

    def copied(table: pd.DataFrame) -> pd.DataFrame:
        parts = [table[table["sample"] == old].assign(sample=new) for new, old in copies.items()]
        return pd.concat(parts, ignore_index=True)

    return copies, copied
