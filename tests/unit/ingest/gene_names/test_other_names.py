"""Features that are not named as genes are refused, with what they are."""

import logging

import pandas as pd
import pytest

from lammscope.ingest.gene_names.other_names import refuse_other_names

NAMES = {
    "peaks": ([f"chr1:{i}000-{i}500" for i in range(40)], "regions of the genome"),
    "peaks with dashes": ([f"chrX-{i}000-{i}500" for i in range(40)], "regions of the genome"),
    "transcripts": ([f"ENST{i:011d}.2" for i in range(40)], "transcripts"),
    "RefSeq": ([f"NM_{i:06d}" for i in range(40)], "transcripts"),
    "probes": ([f"{i}_s_at" for i in range(40)], "ids of probes"),
}


@pytest.mark.parametrize("name", NAMES)
def test_other_features_than_genes_are_refused(name: str) -> None:
    names, message = NAMES[name]
    with pytest.raises(ValueError, match=rf"features are {message} \(e.g. {names[0]}\): "):
        refuse_other_names(pd.DataFrame({"gene": names, "symbol": names}))


def test_numbers_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    names = [str(100 + i) for i in range(40)]
    with caplog.at_level(logging.WARNING, logger="lammscope"):
        refuse_other_names(pd.DataFrame({"gene": names, "symbol": names}))
    assert "genes are named by numbers (e.g. 100)" in caplog.text


@pytest.mark.parametrize("symbols", [["CD14", "CHR1", "NM_1"], ["AC012345.1", "chr1-AS1", "X1"]])
def test_a_few_of_them_among_genes_are_accepted(symbols: list[str]) -> None:
    names = [*symbols, *(f"GENE{i}" for i in range(40)), "chr1:1-500"]
    refuse_other_names(pd.DataFrame({"gene": names, "symbol": names}))


def test_symbols_beside_ids_of_transcripts_are_enough() -> None:
    ids = [f"ENST{i:011d}" for i in range(40)]
    refuse_other_names(pd.DataFrame({"gene": ids, "symbol": [f"GENE{i}" for i in range(40)]}))
