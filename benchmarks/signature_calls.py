"""LAMM calls with users' signatures on real blood and tissue.

    python -m benchmarks.signature_calls [--work FOLDER] [--data FOLDER] [--cores N]

All sets of `real_cells` are run in one cohort through the whole workflow, with the shipped genes of
the state as a signature: an up set and a down set without levels. The same cells are then called
with other signatures: the up set alone, genes of interferon, and random genes. Groups are the sets
(as in the run), the samples, or one for all. Where a group has no ordinary monocytes, such as a
tumor alone, nothing may be called. An uncertain cell counts as not called.

Prints one row per figure with its limit; the exit status is 1 if a limit is missed.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.figures import Figure, print_figures
from benchmarks.lamm_calls import (
    MACROPHAGES,
    MONOCYTES,
    OTHER_MYELOID,
    Called,
    changed_counts,
    labeled,
    run_sets,
    share,
    true_macrophages,
)
from benchmarks.real_cells import DATA, NO_LABEL, RealSet, read_sets
from benchmarks.workflow import ROOT
from lammscope.annotate.lamm import MONOCYTIC, call_lamm
from lammscope.annotate.macrophage_state import OWN, StateGenes, load_state_genes
from lammscope.annotate.signature import NO_REFERENCE, load_state
from lammscope.joint.panel_counts import PanelCounts

STATE_GENES = ROOT / "resources" / "lamm" / "state_genes.tsv"
INTERFERON = (
    "ISG15 IFI6 IFIT1 IFIT2 IFIT3 MX1 MX2 ISG20 IFITM1 IFITM3 OAS1 IFI44 IFI44L LY6E IRF7 RSAD2"
)
SIZES, N_DRAWS, MIN_UMIS = (
    (10, 30, 100),
    20,
    50,
)  # of random signatures; UMIs of a gene in all cells
MIN_RECALL, NEAR = 0.8, 0.15
MAX_BLOOD, MAX_RANDOM = 0.02, 0.01
ONE = "one batch"
LEVEL = "macrophage_like"


def write_signatures(folder: Path, sets: Mapping[str, RealSet]) -> dict[str, Path]:
    """Write a GMT file for each signature, and return them by name."""
    genes = load_state_genes(STATE_GENES)
    symbols = np.array(genes.symbols)
    up, down = (symbols[side].tolist() for side in genes.sides)
    content: dict[str, dict[str, Sequence[str]]] = {
        "up and down": {"STATE_UP": up, "STATE_DN": down},
        "up": {"STATE": up},
        "monocytes": {"MONOCYTES": down},
        "interferon": {"INTERFERON": INTERFERON.split()},
    }
    rng, seen = np.random.default_rng(1), expressed_genes(sets)
    for size in SIZES:
        for draw in range(N_DRAWS):
            content[f"random {size} {draw}"] = {
                "RANDOM": rng.choice(seen, size, replace=False).tolist()
            }
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, parts in content.items():
        files[name] = folder / f"{name.replace(' ', '_')}.gmt"
        lines = ("\t".join([part, "", *own]) for part, own in parts.items())
        files[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return files


def expressed_genes(sets: Mapping[str, RealSet]) -> list[str]:
    """Return the genes with some UMIs that half of the sets list, sorted."""
    umis = pd.concat(
        [
            pd.Series(np.asarray(each.cells.X.sum(axis=0)).ravel(), index=each.cells.var_names)
            for each in sets.values()
        ]
    )
    by_gene = umis.groupby(umis.index)
    known = by_gene.size() >= len(sets) / 2
    return sorted(known.index[known & (by_gene.sum() >= MIN_UMIS)])


def all_genes(files: Mapping[str, Path], folder: Path) -> Path:
    """Write the genes of all signatures as one gene set, so that the run extracts their counts."""
    symbols = dict.fromkeys(gene for path in files.values() for gene in load_state(path).symbols)
    path = folder / "all_genes.gmt"
    path.write_text("\t".join(["all genes of signatures", "", *symbols]) + "\n", encoding="utf-8")
    return path


def call_with(
    called: Called,
    state: StateGenes,
    *,
    groups: str = "set",
    counts: PanelCounts | None = None,
    keep: pd.Series | None = None,
) -> pd.DataFrame:
    """Call the cells of a run with another signature, and other groups of libraries.

    Of the monocytic cells only those in `keep` are called, if it is given.
    """
    cells = called.cells.assign(group=ONE if groups == ONE else called.cells[groups])
    if keep is not None:
        cells["lineage"] = cells["lineage"].mask((cells["lineage"] == MONOCYTIC) & ~keep, "none")
    again = call_lamm(
        called.counts if counts is None else counts,
        neighbors=called.neighbors,
        sample_neighbors=called.sample_neighbors,
        cells=cells,
        settings=replace(called.settings, state=state),
    )
    return cells.assign(**again)


def shares_called(cells: pd.DataFrame) -> dict[str, float]:
    """Return the share of called cells of each label, by its words."""
    found = {}
    for name in MACROPHAGES:
        found[f"{name} macrophages"] = share(true_macrophages(cells, name), LEVEL)
    for name, labels in OTHER_MYELOID.items():
        for label in labels:
            found[f"{name} {label}"] = share(labeled(cells, name, label), LEVEL)
    for name, limits in MONOCYTES.items():
        for label in limits:
            found[f"blood: {name} {label}"] = share(labeled(cells, name, label), LEVEL)
    return found


def macrophage_figures(called: Called, name: str, state: StateGenes) -> Iterator[Figure]:
    """Compare calls with genes of macrophages and without levels with those of the table."""
    table = load_state_genes(STATE_GENES)
    shipped = shares_called(call_with(called, table, groups=ONE))
    parts = [("x 1", called.counts), *list(changed_counts(called))[:1]]
    for change, counts in parts:
        cells = call_with(called, state, groups=ONE, counts=counts)
        part = f"{name}, one batch, {change}"
        for words, value in shares_called(cells).items():
            blood = words.startswith("blood")
            low = MIN_RECALL if words in ("wu_tnbc macrophages", "lymphoid macrophages") else None
            yield Figure(
                part,
                words,
                value,
                low=-np.inf if low is None else low,
                high=MAX_BLOOD if blood else np.inf,
            )
            what = f"  {words}: less that of the table"
            yield Figure(part, what, value - shipped[words], low=-NEAR if low else -np.inf)
    alone = call_with(called, state)
    tumor = labeled(alone, "wu_tnbc", MACROPHAGES["wu_tnbc"])
    part = f"{name}, each set a batch"
    yield Figure(part, "wu_tnbc macrophages", share(tumor, LEVEL), high=0)
    no_reference = float((tumor["lamm_reference"] == NO_REFERENCE).mean())
    yield Figure(part, "  without a reference", no_reference, low=0.9)


def blood_figures(called: Called, name: str, state: StateGenes) -> Iterator[Figure]:
    """Measure how many cells are called in blood alone, which has no macrophages."""
    blood = called.cells["compartment"] == "blood"
    for groups in (ONE, "set", "sample"):
        cells = call_with(called, state, groups=groups, keep=blood)
        own = cells[cells["lineage"] == MONOCYTIC]
        yield Figure(f"{name}, blood alone", f"called, by {groups}", share(own, LEVEL), high=0.001)


def interferon_figures(called: Called, state: StateGenes) -> Iterator[Figure]:
    """Compare interferon-stimulated and other monocytes of lupus blood."""
    for groups in ("set", ONE, "sample"):
        cells, part = call_with(called, state, groups=groups), f"interferon, by {groups}"
        apart = groups == "sample"  # stimulated cells have no others beside them
        for label in ("CD14 Mono", "CD16 Mono"):
            stimulated = labeled(cells, "kang_ifnb", f"{label}:stim")
            control = labeled(cells, "kang_ifnb", f"{label}:ctrl")
            limits = {"high": 0.0} if apart else {"low": MIN_RECALL}
            yield Figure(part, f"{label}, stimulated", share(stimulated, LEVEL), **limits)
            high = 0.05 if label == "CD14 Mono" and not apart else np.inf
            yield Figure(part, f"{label}, control", share(control, LEVEL), high=high)
        for name in ("pbmc_facs", "pbmc_frozen_v1", "pbmc_hao_v3"):
            (label,) = MONOCYTES[name]
            high = MAX_BLOOD if name == "pbmc_facs" else np.inf
            own = labeled(cells, name, label)
            yield Figure(part, f"blood: {name} {label}", share(own, LEVEL), high=high)


def offset_figures(called: Called, state: StateGenes) -> Iterator[Figure]:
    """Compare scores without a down set of the same kind of cells between sets of blood."""
    cells = call_with(called, state)
    kinds = ("CD14+ Monocyte", "CD14 Mono:ctrl", NO_LABEL, NO_LABEL)
    medians = [
        labeled(cells, name, label)["lamm_score"].median()
        for name, label in zip(MONOCYTES, kinds, strict=True)
    ]
    for name, median in zip(MONOCYTES, medians, strict=True):
        yield Figure("monocyte genes, up alone", f"median score, {name}", float(median))


def random_figures(called: Called, files: Mapping[str, Path]) -> Iterator[Figure]:
    """Measure how many blood monocytes are called with random genes."""
    blood = called.cells["compartment"] == "blood"
    for size in SIZES:
        for words, keep in (("with tissue", None), ("blood alone", blood)):
            for groups in ("set", ONE):
                found, states = [], []
                for draw in range(N_DRAWS):
                    state = load_state(files[f"random {size} {draw}"])
                    cells = call_with(called, state, groups=groups, keep=keep)
                    own = cells[blood & (cells["lineage"] == MONOCYTIC)]
                    found.append(share(own, LEVEL))
                    states.append(bool((own["lamm_reference"] == OWN).any()))
                part = f"{size} random genes, {words}, by {groups}"
                yield Figure(part, "blood, called", float(np.mean(found)), high=MAX_RANDOM)
                yield Figure(part, "  signatures with a state", float(np.mean(states)), high=0.1)


def measure(work: Path, *, data: Path, cores: int) -> Iterator[Figure]:
    """Run the cohort of all sets, and measure all signatures on it."""
    sets = read_sets(data)
    files = write_signatures(work / "signatures", sets)
    changed = {
        "lamm": {"state_genes": str(files["up and down"])},
        "annotation": {"states": [str(all_genes(files, work))]},
    }
    called = run_sets(work / "together", sets, cores=cores, changed=changed)
    again = call_with(called, called.settings.state)
    apart = float(np.abs(again[f"lamm_{LEVEL}"] - called.cells[f"lamm_{LEVEL}"]).max())
    yield Figure("up and down", "largest difference of a repeated probability", apart, high=1e-6)
    for name in ("up and down", "up"):
        state = load_state(files[name])
        yield from macrophage_figures(called, name, state)
        yield from blood_figures(called, name, state)
    yield from interferon_figures(called, load_state(files["interferon"]))
    yield from offset_figures(called, load_state(files["monocytes"]))
    yield from random_figures(called, files)


def main() -> int:
    """Measure, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data sets")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    if not given.data.exists():
        print(f"real cells\tskipped: {given.data} does not exist")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        work = (given.work or Path(temporary)).resolve()
        return int(print_figures(measure(work, data=given.data, cores=given.cores)) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
