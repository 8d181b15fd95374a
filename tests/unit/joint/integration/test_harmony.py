"""Harmony: batches brought together, and left where they are."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.joint.integration.harmony import integrate_harmony
from lammscope.joint.integration.method import IntegrationInput
from tests.unit.joint.test_embedding import blobs

HARMONY: dict[str, Any] = {"theta": 2.0, "min_batch_pct": 0.25, "seed": 1, "threads": 1}


def given(scores: np.ndarray, batch: np.ndarray) -> IntegrationInput:
    """Components and batch of cells without covariates."""
    return IntegrationInput(scores, batch, pd.DataFrame(index=range(len(scores))))


def test_harmony_brings_a_shifted_batch_back_and_leaves_one_batch_alone() -> None:
    space, label = blobs(600)
    batch = np.repeat(["a", "b"], 300)
    shifted = space.copy()
    shifted[300:] += 2.0
    corrected = integrate_harmony(given(shifted, batch), **HARMONY)
    assert corrected.shape == shifted.shape

    def gap(points: np.ndarray) -> float:
        return np.mean(
            [
                np.linalg.norm(
                    points[(label == group) & (batch == "a")].mean(axis=0)
                    - points[(label == group) & (batch == "b")].mean(axis=0)
                )
                for group in range(3)
            ]
        )

    assert gap(corrected) < 0.2 * gap(shifted)
    assert np.array_equal(integrate_harmony(given(space, np.repeat("a", 600)), **HARMONY), space)


def test_harmony_moves_no_batch_where_too_few_of_its_cells_lie() -> None:
    space, _ = blobs(600)
    batch = np.repeat(["a", "b"], 300)
    space[300:] += 2.0
    nowhere = integrate_harmony(given(space, batch), **HARMONY | {"min_batch_pct": 100.0})
    np.testing.assert_allclose(nowhere, space, atol=1e-4)
