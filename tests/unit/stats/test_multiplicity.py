"""Adjusted p-values, compared with those of statsmodels."""

from collections.abc import Callable

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from lammscope.stats.multiplicity import benjamini_hochberg, holm

Adjust = Callable[..., np.ndarray]


@pytest.mark.parametrize(("adjust", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
@pytest.mark.parametrize("n", [1, 2, 7, 200])
def test_adjusted_p_values_are_those_of_statsmodels(adjust: Adjust, method: str, n: int) -> None:
    rng = np.random.default_rng(n)
    p = np.round(rng.uniform(size=n) ** 3, 3)  # with ties and zeros
    assert adjust(p) == pytest.approx(multipletests(p, method=method)[1])
    missing = np.insert(p, n // 2, np.nan)
    found = adjust(missing)
    assert np.isnan(found[n // 2])
    assert np.delete(found, n // 2) == pytest.approx(adjust(p))


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_nothing_known_stays_missing(adjust: Adjust) -> None:
    assert len(adjust([])) == 0
    assert np.isnan(adjust([np.nan, np.nan])).all()
