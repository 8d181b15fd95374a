"""The effective number of labels around a cell."""

import numpy as np
import pandas as pd
import pytest
from harmonypy.lisi import compute_lisi

from lammscope.annotate.lisi import local_inverse_simpson


@pytest.mark.parametrize(
    ("n_cells", "perplexity", "scale"), [(1500, 30, 1), (400, 30, 20), (70, 23, 0.01)]
)
def test_values_equal_those_of_harmonypy(n_cells: int, perplexity: float, scale: float) -> None:
    rng = np.random.default_rng(1)
    space = (scale * rng.normal(size=(n_cells, 30))).astype(np.float32)
    space[: n_cells // 3] += 2 * scale
    labels = rng.integers(0, 6, (n_cells, 2))
    labels[: n_cells // 3, 0] = 1
    found = local_inverse_simpson(space, labels, perplexity=perplexity, seed=1)
    names = pd.DataFrame(labels, columns=["one", "two"])
    expected = compute_lisi(space, names, ["one", "two"], perplexity=perplexity)
    np.testing.assert_allclose(found, expected, rtol=2e-3)  # both stop near the perplexity
    np.testing.assert_allclose(np.median(found, axis=0), np.median(expected, axis=0), rtol=1e-4)


def test_one_label_around_a_cell_counts_as_one() -> None:
    space = np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)
    space[150:, 0] += 1e3
    labels = np.repeat([0, 1], 150)[:, None]
    found = local_inverse_simpson(space, labels, perplexity=30, seed=1)
    np.testing.assert_allclose(found, 1)


def test_identical_cells_have_a_value() -> None:
    space = np.zeros((200, 5), dtype=np.float32)
    labels = np.tile([0, 1], 100)[:, None]
    found = local_inverse_simpson(space, labels, perplexity=30, seed=1)
    assert np.isfinite(found).all()
