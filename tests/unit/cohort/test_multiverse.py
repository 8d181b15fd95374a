"""Choices of a multiverse: their combinations, and which folders hold which files."""

from typing import Any

import pytest

from lammscope.cohort.config import resolve_config
from lammscope.cohort.multiverse import RUN, Multiverse, folder_config, is_listed, read_multiverse
from lammscope.cohort.multiverse_checks import multiverse_mistakes
from tests.unit.example_cohorts import BASELINE, PAIRED, asked, cohort


def config_with(**choices: Any) -> dict[str, Any]:
    return resolve_config({"multiverse": choices, "primary": {"contrast": "question"}})


def read(**choices: Any) -> Multiverse:
    return read_multiverse(config_with(**choices), adjust=())


def test_a_config_without_choices_has_no_multiverse() -> None:
    assert not is_listed(resolve_config({}))
    assert not is_listed(config_with(max_folders=3))
    assert is_listed(config_with(qc={"strict": {"max_pct_mt": 5}}))


def test_the_own_setting_is_the_first_specification_whether_it_is_listed_or_not() -> None:
    for resolutions in ([0.5], [0.5, 1.0]):
        found = read(resolution=resolutions, denominator=["all"])
        assert found.n_specifications == len(found.specifications) == 4
        first = found.specifications[0]
        assert (first["resolution"], first["denominator"]) == ("1", "immune")
        assert found.folder_of(first) == RUN
        assert list(found.folders) == [RUN, "resolution_0.5"]


def test_one_choice_at_a_time_adds_up_instead_of_multiplying() -> None:
    lists = {"resolution": [0.5, 2], "n_neighbors": [10], "level": ["macrophage_like"]}
    assert read(**lists).n_specifications == 12
    single = read(crossing="single", **lists)
    assert single.n_specifications == len(single.specifications) == 5
    assert single.n_folders == 3


def test_a_folder_holds_only_the_files_that_no_earlier_one_holds() -> None:
    found = read(resolution=[0.5], n_neighbors=[10], doublets=["kept"])
    both = "n_neighbors_10-resolution_0.5"
    assert found.holder(both, "cells") == RUN
    assert found.holder(both, "neighbors") == "n_neighbors_10"
    assert found.holder(both, "clusters") == both
    assert found.holder("resolution_0.5", "neighbors") == RUN
    assert found.holder(f"doublets_kept-{both}", "cells") == "doublets_kept"
    assert found.holder(f"doublets_kept-{both}", "quality") == RUN


def test_embeddings_of_the_run_are_not_computed_again() -> None:
    found = read(integration=["none"], doublets=["kept"])
    assert not found.needs_integration("integration_none")
    assert not found.needs_integration("doublets_kept-integration_none")
    assert found.needs_integration("doublets_kept")
    assert read(integration=["scvi"]).needs_integration("integration_scvi")


def test_probabilities_that_the_run_does_not_count_are_counted_in_a_folder() -> None:
    assert list(read(probability=[0.6, 0.95]).folders) == [RUN]
    more = read(probability=[0.97])
    assert list(more.folders) == [RUN, "own"]
    assert more.folder_of(more.specifications[0]) == "own"
    assert more.holder("own", "calls") == RUN
    assert more.held("counts") == ["own"]


def test_the_config_of_a_folder_differs_in_its_choices_alone() -> None:
    config = config_with(qc={"strict": {"max_pct_mt": 5}}, ambient=[3])
    found = read_multiverse(config, adjust=())
    changed = folder_config(config, found.folders["qc_strict-ambient_3"])
    assert changed["qc"] == config["qc"] | {"max_pct_mt": 5}
    assert changed["lamm"] == config["lamm"] | {"fold": 3}
    assert config["qc"]["max_pct_mt"] == 15
    assert {name for name in config if changed[name] != config[name]} == {"qc", "lamm"}


def test_covariates_of_pairs_and_a_choice_beside_an_automatic_embedding_are_refused() -> None:
    samples = cohort()
    pairs = asked(PAIRED, samples)
    (message,) = multiverse_mistakes(config_with(adjust=[["product"]]), samples, [pairs])
    assert "each patient is compared with itself" in message
    config = config_with(doublets=["kept"]) | {"integration": {"method": "auto", "candidates": []}}
    (message,) = multiverse_mistakes(config, samples, [asked(BASELINE, samples)])
    assert "name the method" in message


@pytest.mark.parametrize("choices", [{"adjust": [["product"]]}, {"resolution": [2]}])
def test_a_run_without_the_primary_contrast_has_nothing_to_repeat(choices: dict[str, Any]) -> None:
    config = config_with(**choices) | {"contrasts": {}}
    (message,) = multiverse_mistakes(config, cohort(), [])
    assert "`primary.contrast` is `question`, which is not a contrast of this run" in message
