"""The config: defaults, and the file and line of each mistake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lammscope.cohort.config import check_config, read_schema, resolve_config

KNOWN = {
    *("$schema", "type", "title", "description", "required", "properties", "additionalProperties"),
    *("default", "default_column", "unit", "examples", "enum", "const", "anyOf", "items", "format"),
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "minItems", "maxLength"),
    *("pattern", "propertyNames", "if", "then", "else"),
}


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every part of a schema that describes a value."""
    yield schema
    for part in schema.get("properties", {}).values():
        yield from parts(part)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from parts(schema[key])


@pytest.mark.parametrize("name", ["config", "samples", "patients"])
def test_schemas_use_no_keyword_that_is_none(name: str) -> None:
    for part in parts(read_schema(name)):
        assert set(part) <= KNOWN


def test_every_key_and_column_says_what_it_means() -> None:
    for name in ("config", "samples", "patients"):
        for part in read_schema(name)["properties"].values():
            for inner in (part, *part.get("properties", {}).values()):
                assert inner["description"].endswith("."), inner


def test_defaults_nest_and_the_users_values_stay() -> None:
    config = resolve_config({"qc": {"min_genes": 100}, "doublets": None})
    assert config["qc"]["min_genes"] == 100
    assert config["qc"]["min_counts"] == 400
    assert config["integration"]["method"] == "harmony"
    assert config["doublets"]["remove"] is True


def test_no_contrasts_on_purpose_differ_from_contrasts_that_are_not_named() -> None:
    assert resolve_config({"contrasts": {}})["contrasts"] == {}
    assert resolve_config({"contrasts": None})["contrasts"] == "default"
    configs: list[dict[str, Any]] = [{}, {"contrasts": {}}]
    for config in configs:
        assert resolve_config(resolve_config(config)) == resolve_config(config)


def test_the_order_of_keys_is_the_schemas() -> None:
    config = {"qc": {"min_counts": 9, "min_genes": 8}, "car": {"features": "CAR$"}, "seed": 1}
    twin = {"seed": 1, "car": {"features": "CAR$"}, "qc": {"min_genes": 8, "min_counts": 9}}
    assert repr(resolve_config(config)) == repr(resolve_config(twin))


def test_a_resolved_config_resolves_to_itself_and_the_schema_is_never_changed() -> None:
    first = resolve_config({})
    first["response"]["responder"].append("MR")
    assert resolve_config({})["response"]["responder"] == ["CR", "PR"]
    assert resolve_config(resolve_config({})) == resolve_config({})


def test_numbers_of_the_command_line_are_read_in_lists_too() -> None:
    config = resolve_config({"multiverse": {"resolution": ["0.5"], "n_neighbors": ["10"]}})
    assert config["multiverse"]["resolution"] == [0.5]
    assert config["multiverse"]["n_neighbors"] == [10]


def test_labels_may_be_numbers() -> None:
    config = resolve_config({"timepoints": {"pre": [0], "post": [7, 28.0]}})
    assert config["timepoints"]["post"] == ["7", "28"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"qc": {"min_count": 3}}, "`qc.min_count` is not a key (did you mean `min_counts`?)"),
        ({"xyz": 1}, "`xyz` is not a key; keys here: samples, patients"),
        (
            {"integration": {"method": "x"}},
            "`integration.method` is `x`; allowed: harmony, scvi",
        ),
        ({"seed": "one"}, "`seed` is `one`; it must be a whole number"),
        ({"seed": -1}, "`seed` is `-1`; it must be at least 0"),
        ({"qc": {"max_pct_mt": 150}}, "`qc.max_pct_mt` is `150`; it must be at most 100"),
        ({"lamm": {"probability": 1}}, "`lamm.probability` is `1`; it must be less than 1"),
        ({"qc": 5}, "`qc` is `5`; it must be a section of keys"),
        ({"lamm": {"definers": []}}, "`lamm.definers` is empty; it needs at least 1 value"),
        ({"car": {"features": "("}}, "`car.features` is `(`, which is not a regular expression"),
        ({"sorts": {"x": 3}}, "`sorts.x` is `3`; it must be a list of lineages"),
        ({"response": {"responder": [False]}}, "is `false`; it must be text or a number (YAML"),
        ({"contrasts": {"a": {"kind": "between"}}}, "`contrasts.a.test` is missing; add it"),
        ({"contrasts": {"a/b": {}}}, "`contrasts.a/b` cannot be used in file names"),
        ({"contrasts": "none"}, "`contrasts` is `none`; it must be `default` or a section of keys"),
        ({"contrasts": []}, "`contrasts` is `[]`; it must be a section of keys or text"),
        ({"contrasts": {"a": None}}, "`contrasts.a` is `None`; it must be a section"),
    ],
)
def test_a_mistake_names_key_value_and_remedy(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        resolve_config(config)
    assert message in str(caught.value)
    assert str(caught.value).startswith("config: ")


def test_each_mistake_is_found_in_its_file_and_line(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("seed: 3\nqc:\n  # a comment\n  min_genes: -4\n  min_counts: 100\n")
    second.write_text("report:\n  dpi: 10\nthreads: two\n")
    config = yaml.safe_load(first.read_text()) | yaml.safe_load(second.read_text())
    _, mistakes = check_config(config | {"lamm": {"fold": 0}}, sources=[first, second])
    assert sorted(mistakes) == [
        f"{first}: line 4: `qc.min_genes` is `-4`; it must be at least 1",
        f"{second}: line 2: `report.dpi` is `10`; it must be at least 50",
        f"{second}: line 3: `threads` is `two`; it must be a whole number",
        "config: `lamm.fold` is `0`; it must be at least 1",
    ]


def test_a_key_that_stands_twice_is_named_since_yaml_drops_one(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("qc:\n  min_genes: 3\nseed: 1\nqc:\n  min_counts: 4\n")
    _, mistakes = check_config(yaml.safe_load(path.read_text()), sources=[path])
    assert mistakes == [f"{path}: line 4: `qc` appears twice; YAML keeps only the last one"]


def test_a_faulty_section_takes_its_defaults_so_that_the_search_goes_on() -> None:
    resolved, mistakes = check_config({"qc": {"min_genes": "many"}, "timepoints": {"pre": ["D0"]}})
    assert len(mistakes) == 1
    assert resolved["qc"]["min_genes"] == 200
    assert resolved["timepoints"]["pre"] == ["D0"]
