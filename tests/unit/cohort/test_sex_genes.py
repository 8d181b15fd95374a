"""Genes of chromosome Y and of the inactive X."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lammscope.cohort.sex_genes import sex_gene_pattern
from lammscope.ingest.matrices.read import read_matrix

# of chromosome Y, or near XIST: reported as top genes, or missed by the pattern of symbols before
SEX = "TTTY17C TTTY2B PRKY AMELY SRY TBL1Y PCDH11Y RPS4Y1 DDX3Y XIST TSIX TTTY15 TXLNGY"
# pseudoautosomal, of chromosome X, or with a Y in their name
OTHERS = "CD99 ASMTL SLC25A6 P2RY8 CSF2RA IL3RA VAMP7 SPRY3 DHRSX DDX3X KDM5C ZFX UTX JPX FTX LY9"


@pytest.fixture(scope="module")
def pattern() -> re.Pattern[str]:
    return re.compile(sex_gene_pattern(), re.IGNORECASE)


def test_symbols_and_ids_match_whole_names(pattern: re.Pattern[str]) -> None:
    assert all(pattern.fullmatch(name) for name in SEX.split())
    assert not any(pattern.fullmatch(name) for name in OTHERS.split())
    assert pattern.fullmatch("ENSG00000184895")  # SRY
    assert pattern.fullmatch("kdm5d")
    assert not pattern.fullmatch("SRYX")
    assert not pattern.fullmatch("AC010889x1")  # the point is no wildcard


def test_no_name_is_listed_twice() -> None:
    names = sex_gene_pattern().split("|")
    assert len(names) == len(set(names)) > 200


@pytest.mark.real_data
def test_sex_tells_real_libraries_apart_by_these_genes_only(
    pattern: re.Pattern[str], real_data: Callable[[str], Path]
) -> None:
    """A library of a woman has hardly any counts of chromosome Y, and one of a man no XIST."""
    shares = []
    for path in sorted(real_data("carpall").glob("*.h5")):
        shard = read_matrix(path)
        totals = np.asarray(shard.counts.sum(axis=0)).ravel()
        own = shard.genes["symbol"].map(lambda name: bool(pattern.fullmatch(name))).to_numpy()
        assert own.sum() == shard.genes["gene"].map(lambda g: bool(pattern.fullmatch(g))).sum()
        xist = totals[shard.genes["symbol"] == "XIST"].sum()
        shares.append((totals[own].sum() - xist, xist))
        if len(shares) == 3:
            break
    assert all(min(of_y, of_x) < 0.1 * max(of_y, of_x) for of_y, of_x in shares)
