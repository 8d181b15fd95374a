"""Profiles and rules agree: every rule says what it needs, and no profile loses what must hold."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def profile(name: str) -> dict[str, Any]:
    """Read a profile."""
    text = (ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def rules() -> list[str]:
    """Return the text of every rule that is written out, not derived from another."""
    paths = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    parts = [
        re.split(r"(?m)^ *(?=(?:use )?rule .*:$|rule:$)", path.read_text("utf-8")) for path in paths
    ]
    return [text for part in parts for text in part[1:] if text.startswith("rule")]


def test_every_rule_says_what_it_needs() -> None:
    assert len(rules()) > 50
    assert [text[:60] for text in rules() if "    **needs(" not in text] == []


def test_the_default_profile_leaves_resources_to_profiles_of_users() -> None:
    assert not profile("default").keys() & {"default-resources", "keep-going", "retries"}


def test_the_profile_for_slurm_keeps_what_the_default_profile_sets() -> None:
    assert profile("default").items() <= profile("slurm").items()


@pytest.mark.parametrize("name", ["slurm", "batch"])
def test_a_profile_joins_groups_that_exist(name: str) -> None:
    joined = {entry.partition("=")[0] for entry in profile(name)["group-components"]}
    assert joined <= set(re.findall(r'group:\s+"(\w+)"', "".join(rules())))
