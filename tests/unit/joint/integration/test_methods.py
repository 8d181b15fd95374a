"""The registry of integration methods: what agrees with it, and a method put into it."""

import inspect
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from lammscope.cohort.config import resolve_config
from lammscope.core.names import AUTO, NONE
from lammscope.joint.integration import METHODS, integrate_cells, obsm_name, other_modules
from lammscope.joint.integration.method import (
    COMPONENTS,
    COUNTS,
    IntegrationInput,
    Method,
    read_input,
)
from lammscope.joint.integration.scvi import choose_accelerator
from tests.unit.example_indexes import make_index

GIVEN = IntegrationInput(
    np.arange(6, dtype=np.float32).reshape(3, 2), np.array(["x", "x", "y"]), pd.DataFrame()
)
FROM_THE_WORKFLOW = {"seed", "threads", "model_folder"}


@pytest.fixture
def schema(repository: Path) -> dict[str, dict[str, Any]]:
    """The part of the config's schema that is on integration."""
    text = (repository / "workflow" / "schemas" / "config.schema.yaml").read_text()
    return yaml.safe_load(text)["properties"]["integration"]["properties"]


def test_the_config_offers_the_methods_of_the_registry(schema: dict[str, dict[str, Any]]) -> None:
    assert schema["method"]["enum"] == [*METHODS, NONE, AUTO]
    assert schema["candidates"]["items"]["enum"] == [*METHODS, NONE]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_its_settings_in_the_config(name: str) -> None:
    taken = inspect.signature(METHODS[name].integrate).parameters.values()
    keywords = {one.name for one in taken if one.kind == one.KEYWORD_ONLY}
    settings = set(resolve_config({})["integration"].get(name, {})) - {"covariates"}
    network = (
        {"n_latent", "n_layers"} if any(one.kind == one.VAR_KEYWORD for one in taken) else set()
    )
    assert keywords - settings <= FROM_THE_WORKFLOW
    assert settings <= keywords | network
    assert ("model_folder" in keywords) == METHODS[name].saves_model


@pytest.mark.parametrize("name", METHODS)
def test_a_method_can_be_had_and_says_how(
    name: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = METHODS[name]
    assert method.reads in (COMPONENTS, COUNTS)
    assert (repository / "envs" / f"{method.environment}.yaml").is_file()
    monkeypatch.setattr(Method, "is_installed", lambda self: False)
    with pytest.raises(ValueError, match=f"uses {name}, which needs .*: run `make setup"):
        integrate_cells(GIVEN, method=name, settings={}, seed=1, threads=1)


def stretch(
    cells: IntegrationInput,
    *,
    factor: int,
    seed: int,
    threads: int,
    model_folder: Path | None = None,
) -> np.ndarray:
    """A made-up method, which writes its factor where it may save a model."""
    if model_folder is not None:
        model_folder.write_text(str(factor))
    return cells.values * factor


@pytest.mark.parametrize("saves_model", [True, False])
def test_a_method_put_into_the_registry_is_called_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, saves_model: bool
) -> None:
    made_up = Method(
        stretch,
        words="stretching",
        reads=COMPONENTS,
        memory=(100, 1),
        package="numpy",
        missing="",
        saves_model=saves_model,
    )
    monkeypatch.setitem(METHODS, "stretch", made_up)
    model = tmp_path / "model"
    space = integrate_cells(
        GIVEN, method="stretch", settings={"factor": 3}, seed=1, threads=1, model_folder=model
    )
    assert np.array_equal(space, 3 * GIVEN.values)
    assert model.exists() == saves_model


def test_embeddings_have_the_names_that_scanpy_and_scvi_tools_give_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert obsm_name("harmony") == "X_pca_harmony"
    assert obsm_name("scvi") == "X_scVI"
    assert obsm_name(NONE) == "X_pca"
    made_up = Method(stretch, words="", reads=COMPONENTS, memory=(1, 1), package="", missing="")
    monkeypatch.setitem(METHODS, "stretch", made_up)
    assert obsm_name("stretch") == "X_stretch"


def test_edits_of_other_methods_do_not_concern_one() -> None:
    assert other_modules("harmony") == ["lammscope.joint.integration.scvi"]
    assert other_modules("scvi") == ["lammscope.joint.integration.harmony"]


def test_components_and_counts_are_read_with_the_values_of_their_samples(tmp_path: Path) -> None:
    space = GIVEN.values
    index = make_index(tmp_path, cells=["a_1", "a_2", "b_1"])
    index.write_arrays(tmp_path / "pca.npz", space=space)
    counts = sparse.csr_array(np.arange(12).reshape(3, 4))
    genes = pd.DataFrame({"gene": list("wxyz"), "symbol": list("WXYZ")})
    parts = [tmp_path / "1.npz", tmp_path / "2.npz"]
    for path, part in zip(parts, (counts[:2], counts[2:]), strict=True):
        index.write_counts(path, part, genes=genes)
    of_samples: dict[str, Any] = {
        "batches": {"a": "one", "b": "two"},
        "covariates": {"kit": {"a": "v2", "b": "v3"}},
    }
    read = read_input([tmp_path / "pca.npz"], index, reads=COMPONENTS, **of_samples)
    assert np.array_equal(read.values, space)
    assert read.genes is None
    assert read.batch.tolist() == ["one", "one", "two"]
    assert read.covariates["kit"].tolist() == ["v2", "v2", "v3"]
    read = read_input(parts, index, reads=COUNTS, **of_samples)
    assert np.array_equal(read.values.toarray(), counts.toarray())
    assert read.genes.tolist() == list("wxyz")
    with pytest.raises(ValueError, match="made for another set of cells"):
        read_input(parts, make_index(tmp_path), reads=COUNTS, **of_samples)


@pytest.mark.parametrize(
    ("asked", "gpus", "used"),
    [
        ("cpu", 0, "cpu"),
        ("cpu", 1, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "gpu"),
        ("gpu", 1, "gpu"),
    ],
)
def test_scvi_is_trained_on_a_gpu_only_if_asked_for(asked: str, gpus: int, used: str) -> None:
    assert choose_accelerator(asked, gpus=gpus, has_cuda=True) == used


@pytest.mark.parametrize(
    ("has_cuda", "remedy"), [(True, "run it where there is one"), (False, "make setup-scvi")]
)
def test_a_gpu_that_is_asked_for_and_missing_is_an_error_with_a_remedy(
    has_cuda: bool, remedy: str
) -> None:
    with pytest.raises(ValueError, match=f"accelerator` is gpu, but .*{remedy}.* cpu or auto"):
        choose_accelerator("gpu", gpus=0, has_cuda=has_cuda)


def test_by_default_scvi_is_trained_on_the_cpu() -> None:
    assert resolve_config({})["integration"]["scvi"]["accelerator"] == "cpu"


@pytest.mark.filterwarnings("ignore")  # of Lightning, on what else could be used
def test_the_same_seed_gives_the_same_saved_model_of_scvi(tmp_path: Path) -> None:
    """To the byte, so that a checksum tells whether it is another."""
    pytest.importorskip("scvi", reason="scvi-tools is not installed (make setup-scvi)")
    rng = np.random.default_rng(1)
    cells = IntegrationInput(
        sparse.csr_array(rng.poisson(2, (60, 20)).astype(np.float32)),
        np.array(["x", "y"] * 30),
        pd.DataFrame(index=range(60)),
        np.array([f"G{i}" for i in range(20)]),
    )
    network = {"n_latent": 2, "n_layers": 1}
    saved = []
    for name in ("first", "second"):
        METHODS["scvi"].integrate(
            cells,
            **{"max_epochs": 2, "batch_size": 32, "accelerator": "cpu", **network},
            **{"seed": 1, "threads": 1, "model_folder": tmp_path / name},
        )
        saved.append((tmp_path / name / "model.pt").read_bytes())
        time.sleep(1.1 if name == "first" else 0)  # a name of scvi-tools has the second
    assert saved[0] == saved[1]
