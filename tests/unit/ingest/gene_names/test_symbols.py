"""Symbols that software has changed become those of HGNC again."""

import re
from typing import Any

import pandas as pd
import pytest

from lammscope.core.mitochondria import are_mitochondrial
from lammscope.ingest.gene_names.symbols import REFSEQ, normalize_symbols
from lammscope.ingest.matrices.read import read_matrix
from tests.unit.ingest.gene_names.test_columns import IDS, SYMBOLS

HUMAN = pd.DataFrame({"gene": IDS, "symbol": SYMBOLS})


def restored(symbols: Any, ids: Any = None) -> Any:
    symbols = pd.Series(symbols, dtype=str)
    return normalize_symbols(
        pd.DataFrame({"gene": symbols if ids is None else ids, "symbol": symbols})
    )


def make_names(symbols: Any) -> Any:
    """R's make.names."""
    dotted = symbols.str.replace(r"[^A-Za-z0-9._]", ".", regex=True)
    return dotted.str.replace(r"^(?=\d)", "X", regex=True)


@pytest.mark.parametrize("ids", [None, IDS])
def test_dots_of_r_become_hyphens(ids: Any) -> None:
    more = ["7SK", "AC004556.1", "CTD-2206N4.4", "LINC01128", "IGHV3-23", "HLA-DQA1", "Y_RNA"]
    symbols = pd.Series([*SYMBOLS[: -len(more)], *more])
    found = restored(make_names(symbols), ids)
    assert found["symbol"].tolist() == symbols.tolist()
    assert found["gene"].tolist() == (symbols if ids is None else ids).tolist()


def test_names_with_dots_of_their_own_stay() -> None:
    symbols = ["MT-CO1", "HLA-A", "AC004556.1", "RP11-34P13.7", "HGC6.3", "TBCE.1", "CAR.scFv"]
    assert restored(symbols)["symbol"].tolist() == symbols


def test_underscores_become_hyphens_in_known_families_only() -> None:
    symbols = ["MT_CO1", "HLA_DRA", "NKX2_1", "Y_RNA", "CAR_scFv"]
    assert restored(symbols)["symbol"].tolist() == [
        *("MT-CO1", "HLA-DRA", "NKX2-1", "Y_RNA", "CAR_scFv")
    ]


@pytest.mark.parametrize("prefix", ["ref_", "MyRef.v1_", "hs-"])
def test_a_word_in_front_of_all_symbols_is_removed(prefix: Any) -> None:
    assert restored(prefix + SYMBOLS)["symbol"].tolist() == SYMBOLS.tolist()


def test_mitochondrial_genes_are_known_without_mt() -> None:
    old = SYMBOLS.str.replace("MT-", "MT")
    assert restored(old)["symbol"].tolist() == SYMBOLS.tolist()
    refseq = pd.Series([*REFSEQ, "ACTB", "PTGS1"])
    found = restored(refseq)
    assert are_mitochondrial(found).tolist() == [True] * len(REFSEQ) + [False] * 2
    with_mt = pd.Series([*REFSEQ, "MT-CO1"])
    assert restored(with_mt)["symbol"].tolist() == with_mt.tolist()
    assert restored(["COX1", "ACTB"])["symbol"].tolist() == ["COX1", "ACTB"]


@pytest.mark.parametrize("change", [str.lower, str.capitalize, str.title])
def test_capitals_of_human_symbols_are_restored(change: Any) -> None:
    words = [
        "CSF1R",
        "LYZ",
        "SPP1",
        "FCN1",
        "VCAN",
        "APOE",
        "C1QA",
        "CD68",
        "TREM2",
        "KIT",
        "C9orf72",
    ]
    symbols = pd.Series([*words, *SYMBOLS[: -len(words)]])
    for ids in (IDS, None):  # HLA-DRA shows that they are human
        found = restored(symbols.map(change), ids)
        assert found["symbol"].tolist() == symbols.tolist()


def test_changes_are_logged_with_an_example(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="lammscope")
    restored(make_names(SYMBOLS))
    assert "restored hyphens in gene symbols: 5, e.g. MT.CO1 is read as MT-CO1" in caplog.text


@pytest.mark.real_data
def test_the_genes_of_a_reference_survive_r(real_data: Any) -> None:
    genes = read_matrix(next(real_data("carpall").glob("*.h5"))).genes
    assert normalize_symbols(genes).equals(genes)
    found = restored(make_names(genes["symbol"]))["symbol"]
    assert (found == genes["symbol"]).mean() > 0.998
    assert not [name for name in found if re.match(r"(MT|HLA)\.", name)]
