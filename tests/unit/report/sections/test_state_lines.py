"""Sentences on the macrophage state: no population, and samples without their own reference."""

import pandas as pd

from lammscope.report.sections.cells import state_lines

CALLS = pd.DataFrame(
    {
        "sample": ["P1", "P2", "P3", "P4"],
        "n_monocytic": [500, 600, 900, 0],
        "n_macrophage_like": [0, 2, 0, 0],
        "reference": ["own monocytes", "own monocytes", "own monocytes", ""],
    }
)


def test_a_population_of_cells_with_own_references_needs_no_words() -> None:
    found = CALLS.assign(n_macrophage_like=[0, 3, 0, 0])  # 3 of 2,000
    assert state_lines(found) == []


def test_hardly_any_macrophage_like_cell_is_no_population() -> None:
    (line,) = state_lines(CALLS)
    assert line == (
        "There is no population of macrophage-like cells: 2 of 2,000 monocytic cells are called."
    )


def test_samples_are_named_whose_state_is_not_compared_with_own_monocytes() -> None:
    calls = CALLS.assign(
        n_macrophage_like=[400, 2, 0, 0],
        reference=["prior only", "too few genes", "prior only", ""],
    )
    prior, genes = state_lines(calls)
    assert prior.startswith("Samples with fewer than 20 ordinary monocytes in their batch")
    assert prior.endswith(": P1, P3.")
    assert genes == (
        "Samples with too few genes for the macrophage state, so that no cell is called: P2."
    )


def test_samples_are_named_in_which_a_signature_has_no_reference_or_no_state() -> None:
    calls = CALLS.assign(
        n_macrophage_like=[400, 0, 0, 0],
        reference=["own monocytes", "no reference", "no such state", ""],
    )
    reference, state = state_lines(calls)
    assert reference.startswith("Samples with fewer than 20 ordinary monocytes in their batch to")
    assert reference.endswith("surely not: P2.")
    assert state == (
        "Samples with scores of one kind of cells, so that none is in the state of the signature: "
        "P3."
    )
