"""Genomes in front of names are found and removed, and other species are refused."""

from typing import Any

import pandas as pd
import pytest

from lammscope.ingest.gene_names.genomes import (
    genome_of_each,
    refuse_other_species,
    warn_of_other_ids,
    without_genomes,
)
from lammscope.ingest.gene_names.symbols import normalize_symbols
from tests.matrices import mouse_symbols
from tests.unit.ingest.gene_names.test_columns import IDS, SYMBOLS, N

HUMAN = pd.DataFrame({"gene": IDS, "symbol": SYMBOLS})
BY_SYMBOL = HUMAN.assign(gene=SYMBOLS)
MOUSE = pd.DataFrame({"gene": [f"ENSMUSG{i:011d}" for i in range(N)], "symbol": mouse_symbols(N)})


def cleaned(features: Any) -> Any:
    genomes = sorted(set(genome_of_each(features)) - {""})
    return normalize_symbols(without_genomes(features, genomes))


@pytest.mark.parametrize(
    "prefix",
    [
        *("GRCh38_", "GRCh38---", "GRCh38______", "hg19_", "hg38:", "GRCh38-2020-A_", "human-"),
        *("GRCh38.p13_", "GRCh38_premrna_", "grch38|", "Homo_sapiens_"),
    ],
)
@pytest.mark.parametrize("features", [HUMAN, BY_SYMBOL])
def test_a_genome_in_front_of_names_is_removed(prefix: Any, features: Any) -> None:
    assert cleaned(prefix + features).equals(features)
    with_car = pd.concat([prefix + features, pd.DataFrame({"gene": ["CAR"], "symbol": ["CAR"]})])
    assert cleaned(with_car.reset_index(drop=True))["symbol"].tolist() == [*SYMBOLS, "CAR"]
    if features is HUMAN:
        assert cleaned(HUMAN.assign(symbol=prefix + SYMBOLS)).equals(HUMAN)


def test_names_without_a_genome_stay() -> None:
    for features in (HUMAN, BY_SYMBOL):
        assert set(genome_of_each(features)) == {""}
        assert cleaned(features).equals(features)
    numbered = pd.DataFrame({"gene": [f"Gene_{i}" for i in range(N)]}).assign(symbol="")
    numbered["symbol"] = numbered["gene"]
    assert cleaned(numbered).equals(numbered)


def test_the_genomes_of_a_mixture_are_told_by_ids_symbols_or_species() -> None:
    expected = {"GRCh38", "mm10"}
    both = pd.concat([HUMAN, MOUSE], ignore_index=True)
    prefix = pd.Series(["GRCh38_"] * N + ["mm10___"] * N)
    assert set(genome_of_each(both.radd(prefix, axis=0))) == expected
    by_symbol = both.assign(gene=prefix + both["symbol"], symbol=prefix + both["symbol"])
    assert set(genome_of_each(by_symbol)) == expected
    assert set(genome_of_each(both.assign(symbol=prefix + both["symbol"]))) == expected
    assert set(genome_of_each(both)) == {"human", "mouse"}


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (MOUSE, "those of mouse (e.g. ENSMUSG00000000000, "),
        (MOUSE.assign(symbol=MOUSE["gene"]), "those of mouse (e.g. ENSMUSG00000000000)"),
        (MOUSE.assign(gene=MOUSE["symbol"]), "in lower case, as in mouse and rat (e.g. Actb"),
        (MOUSE.replace("ENSMUS", "ENSRNO", regex=True), "those of rat"),
        (MOUSE.replace("ENSMUS", "ENSXYZ", regex=True), "those of ENSXYZ"),
        (MOUSE.assign(gene=[str(7 * i) for i in range(N)]), "in lower case"),
    ],
)
def test_another_species_is_refused_with_a_remedy(features: Any, words: Any) -> None:
    with pytest.raises(ValueError, match="human one-to-one orthologs") as caught:
        refuse_other_species(cleaned(features))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "features",
    [
        HUMAN,
        BY_SYMBOL,
        HUMAN.assign(symbol=IDS),
        HUMAN.assign(symbol=SYMBOLS.str.lower()),
        pd.DataFrame({"gene": [f"gene{i}" for i in range(N)]}).assign(symbol="gene"),
    ],
)
def test_human_and_made_up_names_are_accepted(
    features: Any, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_other_species(features)
    warn_of_other_ids(features)
    assert not caplog.records


def test_ids_of_another_species_with_human_symbols_are_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    named = MOUSE.assign(symbol=SYMBOLS)
    refuse_other_species(named)
    assert not caplog.records
    warn_of_other_ids(named)
    assert "gene ids are of mouse (e.g. ENSMUSG00000000000)" in caplog.text
