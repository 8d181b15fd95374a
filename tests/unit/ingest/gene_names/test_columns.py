"""Ids and symbols are found by content, in any column, and also if both are in one field."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.ingest.gene_names.columns import name_genes

N = 40
KNOWN = ["ACTB", "B2M", "MALAT1", "MT-CO1", "MT-ND1", "HLA-DRA", "CD14", "NKX2-1", "RP11-34P13.7"]
SYMBOLS = pd.Series([*KNOWN, *(f"GENE{i}" for i in range(N - len(KNOWN)))])
IDS = pd.Series([f"ENSG{i:011d}" for i in range(1, N + 1)])
NUMBERS = pd.Series([str(1000 + 7 * i) for i in range(N)])


def named(*columns: Any, ids: Any = (), symbols: Any = ()) -> Any:
    found = name_genes(ids, symbols, columns)
    return found["gene"].tolist(), found["symbol"].tolist()


@pytest.mark.parametrize("mark", ["_", "|", "-", ":", ";", "/", " ", ".", "__", " - "])
@pytest.mark.parametrize("id_first", [True, False])
@pytest.mark.parametrize("version", ["", ".12"])
def test_an_id_and_a_symbol_in_one_field_are_split(mark: Any, id_first: Any, version: Any) -> None:
    ids = IDS + version
    joined = ids + mark + SYMBOLS if id_first else SYMBOLS + mark + ids
    for columns in ({"ids": [joined]}, {"ids": [joined], "symbols": [joined]}):
        assert named(**columns) == (ids.tolist(), SYMBOLS.tolist())


def test_an_id_in_brackets_is_split_too() -> None:
    for joined in (
        SYMBOLS + " (" + IDS + ")",
        SYMBOLS + "[" + IDS + "]",
        IDS + "(" + SYMBOLS + ")",
    ):
        assert named(ids=[joined]) == (IDS.tolist(), SYMBOLS.tolist())


def test_genes_without_an_id_keep_their_name() -> None:
    joined = pd.concat([IDS + "_" + SYMBOLS, pd.Series(["CAR_scFv", "CAR2_CAR2"])])
    gene, symbol = named(ids=[joined])
    assert gene[-2:] == symbol[-2:] == ["CAR_scFv", "CAR2"]


@pytest.mark.parametrize(
    "joined",
    [
        SYMBOLS + "|" + NUMBERS,  # TCGA
        SYMBOLS + "|NM_" + NUMBERS + "|Reference_end",  # BD Rhapsody
        SYMBOLS + "_" + NUMBERS,
        NUMBERS + ":" + SYMBOLS,
    ],
)
def test_ids_of_other_databases_are_cut_off(joined: Any) -> None:
    assert named(ids=[joined]) == (joined.tolist(), SYMBOLS.tolist())


def test_suffixes_that_are_no_symbols_stay() -> None:
    """alevin-fry marks unspliced and ambiguous molecules; GENCODE marks Y copies and versions."""
    kinds = np.resize(["", "-U", "-A"], N)
    for ids in (IDS + kinds, IDS + ".5_2", IDS + "_PAR_Y", "GRCh38_" + IDS):
        assert named(ids=[ids]) == (ids.tolist(), ids.tolist())
    numbered = pd.Series([f"Gene_{i}" for i in range(N)])
    assert named(ids=[numbered]) == (numbered.tolist(), numbered.tolist())


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_columns_with_other_names_are_told_by_content(order: Any) -> None:
    others = [
        pd.Series(["Gene Expression"] * N),
        pd.Series(np.resize(["chr1", "chr2"], N)),
        NUMBERS,
    ]
    both = [(IDS, SYMBOLS)[place] for place in order]
    assert named(*others, *both, ids=[NUMBERS]) == (IDS.tolist(), SYMBOLS.tolist())
    assert named(*others, ids=both[:1], symbols=both[1:]) == (IDS.tolist(), SYMBOLS.tolist())


def test_row_numbers_are_no_ids() -> None:
    for first in (0, 1):
        rows = pd.Series([str(first + i) for i in range(N)])
        assert named(ids=[rows], symbols=[SYMBOLS]) == (SYMBOLS.tolist(), SYMBOLS.tolist())
    assert named(ids=[NUMBERS], symbols=[SYMBOLS]) == (NUMBERS.tolist(), SYMBOLS.tolist())


def test_a_missing_symbol_is_replaced_by_the_id() -> None:
    symbols = SYMBOLS.astype(object)
    symbols[:3] = [None, "", "nan"]
    gene, symbol = named(ids=[IDS], symbols=[symbols])
    assert symbol == [*IDS[:3], *SYMBOLS[3:]]
    assert gene == IDS.tolist()
