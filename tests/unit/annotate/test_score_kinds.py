"""Kinds of cells in a cohort's scores: a state is apart from ordinary cells of the same group."""

import numpy as np
import pytest

from lammscope.annotate.score_kinds import MIN_SEPARATION, find_state, fit_kinds

ORDINARY, STATE, SPREAD = 0.1, 0.55, 0.07


def draw(
    sizes: dict[str, tuple[int, int]], *, offset: dict[str, float] | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, groups and truth of ordinary cells and cells in the state, by group."""
    rng = np.random.default_rng(seed)
    scores, groups, truth = [], [], []
    for name, (n_ordinary, n_state) in sizes.items():
        mean = np.repeat([ORDINARY, STATE], [n_ordinary, n_state]) + (offset or {}).get(name, 0.0)
        scores.append(rng.normal(mean, SPREAD))
        groups.append(np.full(len(mean), name))
        truth.append(np.arange(len(mean)) >= n_ordinary)
    return np.concatenate(scores), np.concatenate(groups), np.concatenate(truth)


@pytest.mark.parametrize("n_state", [60, 200, 600])
def test_a_separate_state_is_found_with_its_mean(n_state: int) -> None:
    scores, groups, truth = draw({"a": (500, n_state), "b": (400, 0)})
    kinds, n_ordinary = find_state(scores, groups=groups)
    assert n_ordinary < len(kinds.mean)
    assert kinds.separation[n_ordinary - 1] > MIN_SEPARATION
    in_state = kinds.weight[:, n_ordinary:].sum(axis=1) > 0.5
    assert np.mean(in_state == truth) > 0.98
    # A group's offset moves all its kinds: their distance is what the mixture knows.
    gap = np.average(kinds.mean[n_ordinary:], weights=kinds.weight[:, n_ordinary:].sum(axis=0))
    gap -= np.average(kinds.mean[:n_ordinary], weights=kinds.weight[:, :n_ordinary].sum(axis=0))
    assert gap == pytest.approx(STATE - ORDINARY, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_one_kind_is_no_state(seed: int) -> None:
    scores, groups, _ = draw({"a": (800, 0), "b": (500, 0), "c": (40, 0)}, seed=seed)
    kinds, n_ordinary = find_state(scores, groups=groups)
    assert n_ordinary == len(kinds.mean) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_skewed_kind_is_no_state(seed: int) -> None:
    scores = np.random.default_rng(seed).gamma(2, 0.05, 1500)
    kinds, n_ordinary = find_state(scores, groups=np.full(1500, "a"))
    assert n_ordinary == len(kinds.mean)


@pytest.mark.parametrize("apart", [0.2, 0.3, 0.45])
def test_groups_that_differ_are_no_state(apart: float) -> None:
    scores, groups, _ = draw({"a": (600, 0), "b": (600, 0)}, offset={"b": apart})
    kinds, n_ordinary = find_state(scores, groups=groups)
    assert n_ordinary == len(kinds.mean)


def test_the_state_is_found_beside_offsets_of_groups() -> None:
    offset = {"b": 0.15, "c": -0.1}
    scores, groups, truth = draw({"a": (400, 80), "b": (300, 60), "c": (200, 10)}, offset=offset)
    kinds, n_ordinary = find_state(scores, groups=groups)
    in_state = kinds.weight[:, n_ordinary:].sum(axis=1) > 0.5
    assert np.mean(in_state == truth) > 0.98
    found = kinds.offset - kinds.offset[0]
    assert found == pytest.approx([0, 0.15, -0.1], abs=0.04)


def test_order_of_cells_and_names_of_groups_change_nothing() -> None:
    scores, groups, _ = draw({"a": (300, 50), "b": (200, 40)})
    order = np.random.default_rng(1).permutation(len(scores))
    renamed = np.where(groups == "a", "z", "y")[order]
    first = fit_kinds(scores, groups=groups, n_kinds=2)
    second = fit_kinds(scores[order], groups=renamed, n_kinds=2)
    assert second.mean == pytest.approx(first.mean)
    assert second.offset == pytest.approx(first.offset[::-1])
    assert second.weight == pytest.approx(first.weight[order], abs=1e-6)


@pytest.mark.parametrize("scores", [[0.2], [0.2] * 50, [0.1, 0.9]])
def test_few_or_equal_scores_are_one_kind(scores: list[float]) -> None:
    kinds, n_ordinary = find_state(np.array(scores), groups=np.full(len(scores), "a"))
    assert n_ordinary == len(kinds.mean)
