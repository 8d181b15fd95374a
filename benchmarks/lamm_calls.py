"""LAMM calls on real blood and tissue, alone and together, then on simulated cohorts.

    python -m benchmarks.lamm_calls [part ...] [--work FOLDER] [--data FOLDER] [--cores N]

Parts are the cohorts of `real_cells` (default: each set alone, and `together`), `carpall`, and the
simulated ones (`simulated_calls`). All run through the whole workflow with no setting touched. Of
real cells only labels are known, of the authors or of gates of marker genes; tissue macrophages are
the truth for `macrophage-like`. Uncertain cells count as not called.

Calls are repeated on the run's own counts, thinned to a half and a quarter, and with the genes of
the state at half and at double their levels; and without the defining markers of one set, whose own
cells must then support no call. Prints one row per figure with its limit; the exit status is 1 if a
limit is missed.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy import sparse
from sklearn.metrics import roc_auc_score

from benchmarks import simulated_calls
from benchmarks.figures import Figure, print_figures
from benchmarks.real_cells import (
    DATA,
    NO_LABEL,
    RealSet,
    cohorts_of,
    differences,
    read_sets,
    run_cohort,
)
from benchmarks.workflow import ROOT, run_workflow
from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.evidence import SUPPORTED
from lammscope.annotate.lamm import MONOCYTIC, call_lamm
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.annotate.macrophage_state import PRIOR_ONLY
from lammscope.cohort.config import resolve_config
from lammscope.core.indexed import CellIndex
from lammscope.core.names import LAMM, LEVELS
from lammscope.joint.panel_counts import PanelCounts, read_panel

CALLED = 0.9  # the default of `lamm.probability`
MACROPHAGES = {"wu_tnbc": "Macrophage", "lymphoid": "Macrophages", "ctcl_skin": "mono_mac"}
GATED = ("ctcl_skin",)  # by marker genes; a third of its cells are monocytes
# Monocytes and dendritic cells of tissue: some macrophages may be among them.
OTHER_MYELOID = {"wu_tnbc": ("Monocyte", "DCs"), "lymphoid": ("Monocytes", "DC")}
# Blood monocytes, and how many of them may be macrophage-like; ":" is followed by the sample.
MONOCYTES = {
    "pbmc_facs": {"CD14+ Monocyte": 0.01},
    "kang_ifnb": {"CD14 Mono:ctrl": 0.01, "CD14 Mono:stim": 0.02, "CD16 Mono": 0.02},
    "pbmc_hao_v3": {NO_LABEL: 0.01},
    "pbmc_frozen_v1": {NO_LABEL: 0.01},
}
LYMPHOCYTES = {
    "pbmc_facs": "CD4+|CD8+|CD19+|CD56+",
    "kang_ifnb": "CD4 |CD8 |T activated|NK|B",
    "wu_tnbc": "T cells|NK|B cells",
    "lymphoid": "T_|NK|B",
}
MIN_RECALL, MAX_OTHER = 0.8, 0.1  # of macrophages, and of other myeloid cells of tissue
MIN_COMPARED, MIN_HELD_OUT = 3, 0.75  # cells of each side, and the AUROC of held-out genes
MIN_AUROC, MEAN_AUROC = 0.94, 0.97  # of every pair of sets, and of all
THINNED = (0.5, 0.25)  # of all counts
CAPTURED = (0.5, 2.0)  # of the genes of the state
MOST_APART = 0.05


@dataclass(frozen=True)
class Called:
    """A run: its cells with labels and calls, and what `call_lamm` was given."""

    cells: pd.DataFrame
    counts: PanelCounts
    neighbors: np.ndarray
    sample_neighbors: np.ndarray
    own_neighbors: np.ndarray
    settings: CallSettings

    def again(self, counts: PanelCounts) -> pd.DataFrame:
        """Call the same cells from other counts."""
        called = call_lamm(
            counts,
            neighbors=self.neighbors,
            sample_neighbors=self.sample_neighbors,
            own_neighbors=self.own_neighbors,
            cells=self.cells.assign(group=self.cells["set"]),
            settings=self.settings,
        )
        return self.cells.assign(**called)


def run_sets(
    folder: Path,
    sets: Mapping[str, RealSet],
    *,
    cores: int,
    changed: Mapping[str, object] | None = None,
) -> Called:
    """Run a cohort of these sets up to the calls, unless `folder` has them.

    `changed` replaces sections of the config.
    """
    cells = run_cohort(folder, sets, cores=cores, changed=changed)
    results = folder / "results" / "joint"
    config = resolve_config(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
    section = dict(config["lamm"])
    files = {name: section.pop(name) for name in ("references", "state_genes")}
    index = CellIndex(results / "cells.parquet")
    counts, _ = read_panel(sorted((results / "panel").glob("*.npz")), index)
    neighbors = index.read_arrays(results / "neighbors.npz")["indices"]
    near, own = (
        lineage_neighbors(
            index.read_arrays(results / "harmony.npz")["space"],
            cells=cells,
            lineage=MONOCYTIC,
            within=within,
            n_neighbors=neighbors.shape[1],
            seed=config["seed"],
            threads=1,
        )
        for within in ("sample", "patient")
    )
    return Called(cells, counts, neighbors, near, own, CallSettings.read(section, **files))


def is_called(cells: pd.DataFrame, level: str) -> pd.Series:
    """Return which cells are at a level of LAMM calls."""
    return cells[f"lamm_{level}"] >= CALLED


def labeled(cells: pd.DataFrame, name: str, label: str) -> pd.DataFrame:
    """Return the cells with a label, of one sample if the label names it (`label:sample`)."""
    label, _, sample = label.partition(":")
    chosen = (cells["set"] == name) & (cells["label"] == label)
    if sample:
        chosen &= cells["sample"] == f"{name}.{sample}"
    if label == NO_LABEL:
        chosen &= cells["lineage"] == MONOCYTIC
    return cells[chosen]


def share(cells: pd.DataFrame, level: str) -> float:
    """Return the share of cells at a level."""
    return float(is_called(cells, level).mean())


def macrophage_figures(called: Called, name: str, part: str) -> Iterator[Figure]:
    """Measure how many labeled macrophages, monocytes and dendritic cells of tissue are called."""
    own = labeled(called.cells, name, MACROPHAGES[name])
    yield from held_out_figures(called.cells, name, part)
    if name in GATED:
        yield Figure(part, "gated cells", len(own))
        yield Figure(part, "  macrophage-like", share(own, "macrophage_like"))
        own = true_macrophages(called.cells, name)
    yield Figure(part, "macrophages", len(own))
    what = "macrophage-like, of macrophages"
    yield Figure(part, what, share(own, "macrophage_like"), low=MIN_RECALL)
    unsure = own["lamm_macrophage_like"].between(1 - CALLED, CALLED, inclusive="neither").mean()
    yield Figure(part, "  uncertain", float(unsure))
    yield Figure(part, "  positive", share(own, "positive"))
    for label in OTHER_MYELOID.get(name, ()):
        other = labeled(called.cells, name, label)
        yield Figure(part, label, len(other))
        what = f"macrophage-like, of {label}"
        yield Figure(part, what, share(other, "macrophage_like"), high=MAX_OTHER)
    reference = called.cells.loc[called.cells["set"] == name, "lamm_reference"]
    prior = (reference[reference != ""] == PRIOR_ONLY).mean()
    yield Figure(part, "  monocytic cells whose calls rest on the prior", float(prior))


def true_macrophages(cells: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the labeled macrophages; of a gate, those with more macrophage than monocyte genes."""
    own = labeled(cells, name, MACROPHAGES[name])
    return own[own["held_out"] > 0] if name in GATED else own


def held_out_figures(cells: pd.DataFrame, name: str, part: str) -> Iterator[Figure]:
    """Compare called with other cells of a label in genes that the score does not have (AUROC).

    Labels are those of clusters, so that cells of the other kind are among them.
    """
    for label in (MACROPHAGES[name], *OTHER_MYELOID.get(name, ())):
        own = labeled(cells, name, label)
        own = own[own["lineage"] == MONOCYTIC]
        is_like = is_called(own, "macrophage_like")
        if min(is_like.sum(), (~is_like).sum()) >= MIN_COMPARED:
            value = float(roc_auc_score(is_like, own["held_out"]))
            yield Figure(part, f"AUROC of held-out genes, called {label}", value, low=MIN_HELD_OUT)


def blood_figures(cells: pd.DataFrame, name: str, part: str) -> Iterator[Figure]:
    """Measure how many blood monocytes are called."""
    for label, high in MONOCYTES[name].items():
        own = labeled(cells, name, label)
        words = "monocytic cells" if label == NO_LABEL else label
        yield Figure(part, words, len(own))
        yield Figure(part, f"macrophage-like, of {words}", share(own, "macrophage_like"), high=high)
        low = 0.8 if name == "pbmc_facs" else -np.inf
        yield Figure(part, f"positive, of {words}", share(own, "positive"), low=low)


def lymphocyte_figures(cells: pd.DataFrame, name: str, part: str) -> Iterator[Figure]:
    """Measure how many labeled lymphocytes are called."""
    starts = tuple(LYMPHOCYTES[name].split("|"))
    own = cells[(cells["set"] == name) & cells["label"].str.startswith(starts)]
    high = 0.002 if name in MONOCYTES else np.inf
    yield Figure(part, "lymphocytes", len(own))
    yield Figure(part, "positive, of lymphocytes", share(own, "positive"), high=high)
    monocytic = (own["lineage"] == MONOCYTIC).groupby(own["label"]).mean().max()
    limit = 0.01 if name == "pbmc_facs" else np.inf
    yield Figure(part, "  monocytic, largest share of a type", float(monocytic), high=limit)


def set_figures(called: Called, cohort: str) -> Iterator[Figure]:
    """Measure all sets of a cohort."""
    for name in called.cells["set"].unique():
        part = f"{cohort}: {name}"
        if name in MACROPHAGES:
            yield from macrophage_figures(called, name, part)
        if name in MONOCYTES:
            yield from blood_figures(called.cells, name, part)
        if name in LYMPHOCYTES:
            yield from lymphocyte_figures(called.cells, name, part)


def changed_counts(called: Called) -> Iterator[tuple[str, PanelCounts]]:
    """Thin all counts, and change the levels of the state's genes."""
    rng = np.random.default_rng(1)
    counts = called.counts
    of_state = np.isin(counts.symbols, called.settings.state.symbols)
    for kept in THINNED:
        matrix = sparse.csr_array(counts.matrix, copy=True)
        matrix.data = rng.binomial(matrix.data, kept)
        yield f"UMIs x {kept:g}", replace(counts, matrix=matrix, totals=counts.totals * kept)
    for factor in CAPTURED:
        matrix = sparse.csr_array(counts.matrix, copy=True)
        chosen = of_state[matrix.indices]
        old = matrix.data[chosen]
        matrix.data[chosen] = rng.binomial(old, factor) if factor < 1 else old * int(factor)
        yield f"state genes x {factor:g}", replace(counts, matrix=matrix)


def robustness_figures(called: Called, cohort: str) -> Iterator[Figure]:
    """Compare calls from changed counts with those of the run."""
    same = called.again(called.counts)
    apart = [
        np.abs(same[f"lamm_{level}"] - called.cells[f"lamm_{level}"]).max() for level in LEVELS
    ]
    yield Figure(cohort, "largest difference of a repeated probability", max(apart), high=1e-6)
    groups = [(name, label, "macrophages") for name, label in MACROPHAGES.items()]
    groups += [(name, label, label) for name, labels in OTHER_MYELOID.items() for label in labels]
    groups += [(name, label, label) for name, labels in MONOCYTES.items() for label in labels]
    for change, counts in changed_counts(called):
        again = called.again(counts)
        for name, label, words in groups:
            before = labeled(called.cells, name, label)
            if before.empty:
                continue
            after = share(again.loc[before.index], "macrophage_like")
            moved = after - share(before, "macrophage_like")
            what = f"macrophage-like, of {words}, {change} - x 1"
            low = -MOST_APART if words == "macrophages" else -np.inf
            yield Figure(f"{cohort}: {name}", what, moved, low=low, high=MOST_APART)


def supported(called: Called, counts: PanelCounts) -> pd.DataFrame:
    """Return the calls from some counts: `set`, and whether the patient's own cells support it."""
    cells = called.again(counts)
    cells = cells.assign(supported=cells["lamm_own_patient"] >= SUPPORTED)
    return cells.loc[cells["lamm_call"] == LAMM, ["set", "supported"]]


def support_figures(called: Called, cohort: str) -> Iterator[Figure]:
    """Count calls that own cells support: as they are, and without the definers in one set."""
    for name, calls in supported(called, called.counts).groupby("set"):
        words = f"supported by own cells, of {len(calls)} calls"
        yield Figure(f"{cohort}: {name}", words, float(calls["supported"].mean()), low=0.8)
    of_definers = np.isin(called.counts.symbols, called.settings.definers)
    for name in called.cells["set"].unique():
        matrix = sparse.coo_array(called.counts.matrix)
        own = (called.cells["set"] == name).to_numpy()
        data = matrix.data * ~(own[matrix.row] & of_definers[matrix.col])
        bare = sparse.csr_array((data, (matrix.row, matrix.col)), shape=matrix.shape)
        calls = supported(called, replace(called.counts, matrix=bare))
        left = calls.loc[calls["set"] == name, "supported"]
        words = f"supported, of {len(left)} calls without UMIs of the definers"
        yield Figure(f"{cohort}: {name}", words, float(left.sum() / max(len(left), 1)), high=0.0)


def score_figures(runs: Mapping[str, pd.DataFrame], part: str) -> Iterator[Figure]:
    """Compare LAMM scores of each set's macrophages with each set's blood monocytes (AUROC)."""
    found = []
    monocytes = [(name, label) for name, labels in MONOCYTES.items() for label in labels]
    for tissue, (blood, label) in product(MACROPHAGES.items(), monocytes):
        if tissue[0] not in runs or blood not in runs:
            continue
        high = true_macrophages(runs[tissue[0]], tissue[0])["lamm_score"].dropna()
        low = labeled(runs[blood], blood, label)["lamm_score"].dropna()
        true = np.repeat([1, 0], [len(high), len(low)])
        found.append(float(roc_auc_score(true, np.concatenate([high, low]))))
        words = f"AUROC of the score, {tissue[0]} and {blood} {label}".replace(
            NO_LABEL, "monocytic"
        )
        yield Figure(part, words, found[-1], low=MIN_AUROC)
    if found:
        yield Figure(part, f"  mean of {len(found)} pairs", float(np.mean(found)), low=MEAN_AUROC)


def carpall(folder: Path, *, data: Path, cores: int) -> Iterator[Figure]:
    """Measure blood and marrow after CD19 CAR-T therapy (Anderson 2023)."""
    source, name = data / "carpall", "carpall"
    samples = pd.read_csv(source / "samples.tsv", sep="\t")
    samples["counts"] = [
        str(source / f"{sample}.filtered_feature_bc_matrix.h5") for sample in samples["sample"]
    ]
    compartments = {"PB": "blood", "BM": "marrow", "PROD": "product"}
    samples["compartment"] = samples["source"].map(compartments)
    config = yaml.safe_load((ROOT / "tests" / "configs" / "carpall.yaml").read_text())
    for sheet, table in (("samples", samples), ("patients", samples[["patient"]])):
        config[sheet] = str(folder / f"{sheet}.tsv")
        table.drop_duplicates().to_csv(config[sheet], sep="\t", index=False)
    calls = "results/annotation/cells.parquet"
    run_workflow(folder, config, targets=[calls], cores=cores)
    cells = pd.read_parquet(folder / calls)
    cells = cells.merge(samples[["sample", "source", "timepoint", "sort"]], on="sample")
    positive, monocytic = is_called(cells, "positive"), cells["lineage"] == MONOCYTIC
    place = [cells[column] for column in ("patient", "source", "timepoint", "sort")]
    pairs = (("P02", "PB", "M02"), ("P03", "BM", "M06"), ("P08", "PB", "M03"), ("P10", "PB", "M03"))
    for what, values in (("monocytic", monocytic), ("positive", positive)):
        shares = values.groupby(place).mean()
        for pair in pairs:
            ratio = shares[(*pair, "NoSo")] / max(shares[(*pair, "CD3+CAT+")], 1e-4)
            yield Figure(name, f"{what}, unsorted / sorted, {' '.join(pair)}", ratio, low=1.0)
    product_cells = cells["source"] == "PROD"
    yield Figure(
        name, "positive, of the infusion product", positive[product_cells].mean(), high=0.005
    )
    like = is_called(cells, "macrophage_like")
    for place_name, high in (("PB", 0.01), ("BM", np.inf)):
        own = monocytic & (cells["source"] == place_name)
        words = f"macrophage-like, of {own.sum()} monocytic cells of {compartments[place_name]}"
        yield Figure(name, words, float(like[own].mean()), high=high)


def measure_sets(
    cohorts: Sequence[str], sets: Mapping[str, RealSet], *, work: Path, cores: int
) -> int:
    """Measure real cohorts, print the figures, and return how many missed a limit."""
    names, missed = cohorts_of(sets), 0
    found: dict[str, list[Figure]] = {}
    alone: dict[str, pd.DataFrame] = {}
    for cohort in cohorts:
        called = run_sets(work / cohort, {name: sets[name] for name in names[cohort]}, cores=cores)
        found[cohort] = list(set_figures(called, cohort))
        missed += print_figures(found[cohort])
        missed += print_figures(robustness_figures(called, cohort))
        missed += print_figures(support_figures(called, cohort))
        if len(names[cohort]) == 1:
            alone[cohort] = called.cells
        else:
            runs = dict.fromkeys(names[cohort], called.cells)
            missed += print_figures(score_figures(runs, cohort))
    missed += print_figures(score_figures(alone, "alone"))
    return missed + print_figures(differences(found))


def main() -> int:
    """Measure all parts, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help="default: all")
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data sets")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    sets = read_sets(given.data) if given.data.exists() else {}
    real = cohorts_of(sets) if sets else {}
    if not sets:
        print(f"real cells\tskipped: {given.data} does not exist")
    default = [*sets, "together", "carpall"] if sets else []
    known = [*real, "carpall", *simulated_calls.PARTS]
    chosen = given.parts or [*default, *simulated_calls.PARTS]
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        parser.error(f"unknown part: {'; '.join(unknown)}; parts are: {'; '.join(known)}")
    with tempfile.TemporaryDirectory() as temporary:
        work = (given.work or Path(temporary)).resolve()
        cohorts = [name for name in chosen if name in real]
        missed = measure_sets(cohorts, sets, work=work, cores=given.cores)
        for name in chosen:
            if name in real:
                continue
            folder = work / name.replace(" ", "_").replace(",", "")
            folder.mkdir(parents=True, exist_ok=True)
            if name == "carpall":
                figures = carpall(folder, data=given.data, cores=given.cores)
            else:
                figures = simulated_calls.measure(name, folder, cores=given.cores)
            missed += print_figures(figures)
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
