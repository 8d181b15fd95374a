"""False positives and power of our abundance tests and of sctrial's, on the same cohorts.

    python -m benchmarks.sctrial_beside --python PYTHON [cohorts]

PYTHON has sctrial 1.0 (`pip install sctrial` in an environment of its own). Its tests of abundance
are computed here for all cohorts at once; sctrial itself tests the first cohorts of each scenario,
and the run stops if a p differs. Fractions are of all cells.

`sctrial, robust` is its default, a cluster-robust standard error and the normal distribution;
`sctrial, bootstrap` is what its documentation advises for fewer than 15 participants per arm. A
change is tested by `abundance_did` (arcsine of the root), pairs by `within_arm_comparison` of the
share of cells, since `abundance_did` needs two arms.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.count_tables import (
    LAMM_TYPE,
    Counts,
    Floats,
    TableSettings,
    contrast_of,
    draw_counts,
    lineages,
    run_many,
    sample_sheet,
)

ALPHA = 0.05
DRAWS, SEED = 999, 42  # of sctrial's bootstrap, by default
BLOCK = 100  # cohorts whose draws are in memory at once
CHECKED = 1  # cohorts of each scenario that sctrial tests itself (10 s each)
WORKER = Path(__file__).with_name("sctrial_calls.py")
LAMM_ROWS = {
    "ours, logit": ("LAMM", "all", "logit"),
    "ours, arcsine": ("LAMM", "all", "arcsine"),
}
EIGHT, SIX, FOUR = TableSettings(8, 8), TableSettings(6, 6), TableSettings(4, 8)
NULL = {
    "8 v 8": EIGHT,
    "6 v 6": SIX,
    "4 v 8": FOUR,
    "4 v 8, the 4 vary twice as much": replace(FOUR, lamm_test_spread=2.0),
    "4 v 8, the 8 vary twice as much": replace(TableSettings(8, 4), lamm_test_spread=2.0),
    "4 v 8, few cells": replace(FOUR, cells=400.0, lamm_share=0.01),
    "20 v 20": TableSettings(20, 20),
}


def _raised(settings: TableSettings, factor: float) -> TableSettings:
    """Raise LAMM cells of the test arm after infusion."""
    return replace(settings, lamm_shift=float(np.log(factor)), shifted_phases=("post",))


PLANTED = {
    "8 v 8, doubled": _raised(EIGHT, 2),
    "6 v 6, doubled": _raised(SIX, 2),
    "6 v 6, tripled": _raised(SIX, 3),
    "4 v 8, tripled": _raised(FOUR, 3),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="?", type=int, default=2000)
    parser.add_argument("--python", default=sys.executable, help="a Python that has sctrial")
    given = parser.parse_args(arguments)
    command = [given.python, "-c", "import sctrial"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        print(f"skipped: {given.python} cannot import sctrial; name another with --python")
        return 0
    for number, (name, settings) in enumerate({**NULL, **PLANTED}.items()):
        rng = np.random.default_rng([16, number])
        counts = draw_counts(settings, rng, n_cohorts=given.cohorts)
        found = {"change": changes(counts, settings), "paired": pairs(counts, settings)}
        compare(counts[:CHECKED], settings, found, python=given.python)
        for kind, methods in found.items():
            methods |= ours(counts, settings, kind)
            shares = [f"{method} {100 * np.mean(p < ALPHA):.1f}" for method, p in methods.items()]
            print(name, kind, *shares, sep="\t", flush=True)
    return 0


def ours(counts: Counts, settings: TableSettings, kind: str) -> dict[str, Floats]:
    """Compute p and the permutation p of the row of all cells."""
    samples = sample_sheet(settings)
    many = run_many(
        counts, samples, contrast_of(kind, samples), lineages(settings), populations=("LAMM",)
    )
    found = {name: many["p"][key] for name, key in LAMM_ROWS.items()}
    return {**found, "ours, permutation": many["p_permutation"][LAMM_ROWS["ours, logit"]]}


def changes(counts: Counts, settings: TableSettings) -> dict[str, Floats]:
    """Compute what `abundance_did` does: patients as fixed levels, clusters of patients.

    With two visits this is the regression of the differences within patients on the arm.
    """
    pre, post, test = _shares(counts, settings)
    change = np.arcsin(np.sqrt(post)) - np.arcsin(np.sqrt(pre))
    n = len(test)
    scale = n / (n - 1) * (2 * n - 1) / (n - 2)
    t = _arm_statistic(change, test, scale)
    start = change[:, ~test].mean(axis=1, keepdims=True)  # the fit without the effect of the arm
    parts = [np.arange(i, min(i + BLOCK, len(change))) for i in range(0, len(change), BLOCK)]
    drawn = [
        _arm_statistic(start[part, None] + _signs(n) * (change - start)[part, None], test, scale)
        for part in parts
    ]
    return _both(t, np.concatenate(drawn))


def pairs(counts: Counts, settings: TableSettings) -> dict[str, Floats]:
    """Compute what `within_arm_comparison` does in the pairs of the test arm."""
    pre, post, test = _shares(counts, settings)
    change = (post - pre)[:, test]
    n = int(test.sum())
    scale = n / (n - 1) * (2 * n - 1) / (n - 1)
    t = _pair_statistic(change, scale)
    return _both(t, _pair_statistic(_signs(n) * change[:, None], scale))


def compare(
    counts: Counts,
    settings: TableSettings,
    found: dict[str, dict[str, Floats]],
    *,
    python: str,
) -> None:
    """Run sctrial on these cohorts. Raises SystemExit if a p differs."""
    samples = sample_sheet(settings)
    lamm = counts[:, :, list(lineages(settings)).index(LAMM_TYPE)]
    with tempfile.TemporaryDirectory() as folder:
        given, results = Path(folder) / "cohorts.npz", Path(folder) / "p.npy"
        np.savez(
            given,
            cells=np.stack([lamm, counts.sum(axis=2) - lamm], axis=2),
            patient=samples["patient"].to_numpy(dtype=object),
            phase=samples["phase"].to_numpy(dtype=object),
            arm=np.where(samples["response"] == "non_responder", "test", "reference").astype(
                object
            ),
        )
        # isolated, since a module of this folder is named like a package
        subprocess.run([python, "-I", str(WORKER), str(given), str(results)], check=True)
        expected = np.load(results)
    p = np.column_stack([p[: len(counts)] for methods in found.values() for p in methods.values()])
    # A draw whose signs are alike in each arm repeats the statistic: rounding decides if it counts.
    n_all, n_test = len(samples) // 2, settings.n_test
    alike = [np.abs(part.mean(axis=1)) == 1 for part in np.split(_signs(n_all), [n_test], axis=1)]
    in_pairs = np.abs(_signs(n_test).mean(axis=1)) == 1
    allowed = [1e-6, (alike[0] & alike[1]).mean() + 1e-6, 1e-6, in_pairs.mean() + 1e-6]
    if (np.abs(p - expected) > allowed).any():
        raise SystemExit(f"sctrial's p are\n{expected}\nand not\n{p}")


def _shares(counts: Counts, settings: TableSettings) -> tuple[Floats, Floats, np.ndarray]:
    """Return LAMM cells as a share of all before and after, and who is of the test arm.

    Patients are sorted by name, as in sctrial, whose bootstrap draws follow their order.
    """
    samples = sample_sheet(settings)
    share = counts[:, :, list(lineages(settings)).index(LAMM_TYPE)] / counts.sum(axis=2)
    order = {phase: samples[samples["phase"] == phase].sort_values("patient") for phase in PHASES}
    pre, post = (share[:, order[phase].index] for phase in PHASES)
    return pre, post, (order["pre"]["response"] == "non_responder").to_numpy()


PHASES = ("pre", "post")


@cache
def _signs(n: int) -> Floats:
    """Draw sctrial's signs of the patients, draws x patients; do not modify."""
    rng = np.random.default_rng(SEED)
    return np.array([rng.choice([-1, 1], size=n) for _ in range(DRAWS)], dtype=float)


def _arm_statistic(change: Floats, test: np.ndarray, scale: float) -> Floats:
    """Divide the difference of the arms (last axis: patients) by its cluster-robust error."""
    one, other = change[..., test], change[..., ~test]
    variance = one.var(axis=-1) / test.sum() + other.var(axis=-1) / (~test).sum()
    difference = one.mean(axis=-1) - other.mean(axis=-1)
    return np.asarray(difference / np.sqrt(scale * variance))


def _pair_statistic(change: Floats, scale: float) -> Floats:
    return np.asarray(
        change.mean(axis=-1) / np.sqrt(scale * change.var(axis=-1) / change.shape[-1])
    )


def _both(t: Floats, drawn: Floats) -> dict[str, Floats]:
    """Return p by the normal distribution and by the bootstrap, one per cohort."""
    extreme = (np.abs(drawn) >= (1 - 1e-9) * np.abs(t)[:, None]).sum(axis=1)
    return {
        "sctrial, robust": 2 * stats.norm.sf(np.abs(t)),
        "sctrial, bootstrap": (extreme + 1) / (DRAWS + 1),
    }


if __name__ == "__main__":
    sys.exit(main())
