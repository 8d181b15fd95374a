"""Run the abundance tests with plain tables and settings."""

from typing import Any

import pandas as pd

from lammscope.abundance.populations import Question, test_abundance
from lammscope.abundance.robustness import test_robustness
from lammscope.abundance.verdicts import judge_abundance
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.permutation import Permutations

RULES = ("min_cells", "exclude_pre_post", "sorts")
PERMUTATIONS = ("max_exact", "n_draws", "seed")


def ask(
    counts: pd.DataFrame, samples: pd.DataFrame, contrast: Contrast, settings: dict[str, Any]
) -> Question:
    """Make a question from all settings."""
    rules = {key: settings[key] for key in RULES}
    comparison = Comparison(samples, contrast)
    return Question(counts, comparison, **rules, scores=settings.get("scores"))


def permutations(settings: dict[str, Any]) -> Permutations:
    return Permutations(**{key: settings[key] for key in PERMUTATIONS})


def run_abundance(
    counts: pd.DataFrame, samples: pd.DataFrame, contrast: Contrast, **settings: Any
) -> pd.DataFrame:
    question = ask(counts, samples, contrast, settings)
    return test_abundance(question, permutations=permutations(settings))


def run_robustness(
    counts: pd.DataFrame,
    thresholds: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    **settings: Any,
) -> pd.DataFrame:
    own = {key: value for key, value in settings.items() if key not in (*RULES, "scores")}
    return test_robustness(ask(counts, samples, contrast, settings), thresholds, **own)


def judge(table: pd.DataFrame, contrast: Contrast, *, denominator: str) -> pd.DataFrame:
    """Give the rows of one contrast their verdicts; the LAMM row of `denominator` is primary."""
    name = contrast.name
    tables, _ = judge_abundance(
        {name: table},
        {name: contrast},
        primary={"contrast": name, "denominator": denominator},
        level="macrophage_like",
    )
    return tables[name]
