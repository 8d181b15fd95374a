"""Published results of propeller (Phipson et al. 2022) are reproduced from its counts."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lammscope.stats import linear

pytestmark = pytest.mark.real_data


@pytest.fixture
def propeller(real_data: Callable[[str], Path]) -> Path:
    return real_data("abundance_propeller")


def published(folder: Path, marker: str) -> pd.DataFrame:
    """Parse the table that R printed after `marker`, joining wrapped blocks of columns."""
    text = (folder / "expected_R_propeller_output.txt").read_text(encoding="utf-8")
    assert marker in text
    lines = text.partition(marker)[2].partition("OUT:")[2].partition("SRC:")[0].splitlines()
    rows: dict[str, list[float]] = {}
    header: list[str] = []
    for line in lines:
        if line.startswith(" ") or not header:
            header += line.split()
            continue
        name, numbers = re.match(r"(.*?)((?:\s+-?\d\S*)+)$", line).groups()
        rows.setdefault(name, []).extend(map(float, numbers.split()))
    return pd.DataFrame.from_dict(rows, orient="index", columns=header)


def transformed(counts: pd.DataFrame, scale: str) -> np.ndarray:
    """Transform counts (samples x populations) to propeller's scales (populations x samples)."""
    if scale == "asin":
        return np.arcsin(np.sqrt(counts.div(counts.sum(axis=1), axis=0).to_numpy().T))
    shares = (counts + 0.5).div((counts + 0.5).sum(axis=1), axis=0).to_numpy().T
    return np.log(shares / (1 - shares))


@pytest.mark.parametrize("scale", ["logit", "asin"])
def test_three_groups_of_lavages_have_the_published_f(propeller: Path, scale: str) -> None:
    table = pd.read_csv(propeller / "balf_covid_counts.tsv", sep="\t", index_col=0)
    group, counts = table.pop("group"), table
    design = np.column_stack([np.ones(len(group)), group == "M", group == "S"])
    fit = linear.contrast_fit(linear.lm_fit(transformed(counts, scale), design), np.eye(3)[:, 1:])
    test = linear.moderate(fit, robust=True, trend=False)
    expected = published(propeller, f"SRC: output.{scale} <- propeller").loc[counts.columns]
    np.testing.assert_allclose(test.f, expected["Fstatistic"], rtol=5e-4)
    np.testing.assert_allclose(test.f_p_value, expected["P.Value"], rtol=5e-4)


@pytest.mark.parametrize("level", ["prop.list", "prop.broad.list"])
@pytest.mark.parametrize("what", ["young-old", "male-female"])
def test_ages_and_sexes_of_blood_have_the_published_t(
    propeller: Path, what: str, level: str
) -> None:
    shares = pd.read_csv(propeller / "pbmc_old_young_CTpropsTransposed.txt", sep="\t", index_col=0)
    about = pd.read_csv(propeller / "pbmc_old_young_sampleinfo.csv", nrows=20)
    if level == "prop.broad.list":
        types = pd.read_csv(propeller / "pbmc_old_young_CelltypeLevels.csv")["Celltype_L1"]
        t_cells = types.isin(["CD4", "CD8", "CD4-CD8-", "CD4+CD8+", "T-mito"])
        shares = shares.groupby(types.mask(t_cells, "TC").to_numpy()).sum()
    counts = shares.T / 100 * 174684 / 20  # the mean number of cells of a sample
    y = transformed(counts, "logit")
    young, male = (about["Age"] == "young").to_numpy(), (about["Sex"] == "male").to_numpy()
    design = np.column_stack([np.ones(20), young, male])
    at = 1 if what == "young-old" else 2
    test = linear.moderate(linear.lm_fit(y, design), robust=True, trend=False)
    call = f"makeContrasts({what}, levels=design{'AS' if at == 1 else 'Sex'})\n"
    call += f"propeller.ttest(prop.list = {level},"
    expected = published(propeller, call)
    expected = expected.loc[counts.columns]
    np.testing.assert_allclose(test.t[:, at], expected["Tstatistic"], rtol=5e-4)
    np.testing.assert_allclose(test.p_value[:, at], expected["P.Value"], rtol=5e-4)


def test_three_ages_of_hearts_have_the_published_f(propeller: Path) -> None:
    table = pd.read_csv(propeller / "heart_counts.tsv", sep="\t", index_col=0)
    male, counts = table.pop("Sex") == "m", table
    age = counts.index.str[0]
    design = np.column_stack([np.ones(len(age)), age == "y", age == "a", male])
    fit = linear.contrast_fit(
        linear.lm_fit(transformed(counts, "logit"), design), np.eye(4)[:, 1:3]
    )
    test = linear.moderate(fit, robust=True, trend=False)
    expected = published(propeller, "propeller.anova(prop.logit,design = design.anova")
    expected = expected.loc[counts.columns]
    np.testing.assert_allclose(test.f, expected["Fstatistic"], rtol=5e-4)
    np.testing.assert_allclose(test.f_p_value, expected["P.Value"], rtol=5e-4)
