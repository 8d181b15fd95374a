"""Samples without mitochondrial genes, markers or definers are noted."""

from typing import Any

import pandas as pd
import pytest

from lammscope.core.mitochondria import MITOCHONDRIAL_IDS
from lammscope.joint.gene_names import match_genes
from lammscope.joint.gene_notes import note_genes

PANEL = ["CD3D", "CD14", "CD68", "CSF1R", "LYZ", "MS4A1"]
SYMBOLS = [*PANEL, "MT-CO1", "MT-ND1", *(f"GENE{i}" for i in range(20))]
WHOLE = pd.DataFrame({"gene": [f"ENSG{i:011d}" for i in range(len(SYMBOLS))], "symbol": SYMBOLS})


def noted(*tables: Any, definers: Any = ("CSF1R", "CD68")) -> Any:
    genes = {f"s{i}": table.reset_index(drop=True) for i, table in enumerate(tables, 1)}
    reference, overlap = match_genes(genes, min_overlap=10)
    return note_genes(overlap, genes, reference=reference, panel=PANEL, definers=definers)


def without(*names: Any) -> Any:
    return WHOLE[~WHOLE["symbol"].isin(names)]


def test_whole_samples_have_no_note(caplog: pytest.LogCaptureFixture) -> None:
    table = noted(WHOLE, WHOLE.assign(gene=SYMBOLS), WHOLE.assign(symbol=WHOLE["gene"]))
    assert table["n_mt"].tolist() == [2, 2, 2]
    assert table["n_panel"].tolist() == [6, 6, 6]
    assert table["note"].tolist() == ["", "", ""]
    assert not caplog.records


@pytest.mark.parametrize(
    ("missing", "note"),
    [
        (["MT-CO1", "MT-ND1"], "no mitochondrial gene"),
        (["MT-CO1"], ""),
        (["CD3D", "CD14", "LYZ", "MS4A1"], "only 2 of 6 genes of the marker panel"),
        (["CSF1R"], "no CSF1R (`lamm.definers`)"),
        (
            ["MT-CO1", "MT-ND1", *PANEL],
            "no mitochondrial gene; only 0 of 6 genes of the marker panel; no CSF1R, CD68 "
            "(`lamm.definers`)",
        ),
    ],
)
def test_what_a_sample_lacks_is_noted_and_logged_once(
    caplog: pytest.LogCaptureFixture, missing: Any, note: Any
) -> None:
    table = noted(WHOLE, without(*missing), without(*missing))
    assert table["note"].tolist() == ["", note, note]
    markers = note.removeprefix("no mitochondrial gene").removeprefix("; ")
    expected = [f"`s2`, `s3`: {markers}: their cells may get wrong types"] if markers else []
    messages = [text for text in caplog.messages if "their cells" in text]
    assert [text.partition("; give")[0] for text in messages] == expected


def test_mitochondrial_genes_are_known_by_id() -> None:
    ids = [*sorted(MITOCHONDRIAL_IDS)[:2], *WHOLE["gene"][2:]]
    table = noted(WHOLE.assign(gene=ids, symbol=[*ids[:2], *SYMBOLS[2:]]), definers=[])
    assert table["n_mt"].tolist() == [4]


def test_samples_that_lack_many_genes_of_the_others_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    noted(WHOLE, without("GENE1"), WHOLE)  # 1 of 28
    assert not caplog.records
    noted(WHOLE, WHOLE, without("GENE1", "GENE2"), without("GENE3", "GENE4", "GENE5"), WHOLE)
    (message,) = caplog.messages
    assert "count as zero (number: `s4` 3, `s3` 2); a difference" in message
    caplog.clear()
    noted(without("GENE1", "GENE2"), WHOLE, WHOLE)
    assert "count as zero (number: `s1` 2); a difference" in caplog.messages[0]


def test_an_arm_of_another_reference_is_named(caplog: pytest.LogCaptureFixture) -> None:
    older = without("GENE1", "GENE2", "GENE3")
    table = noted(older, older, WHOLE, WHOLE)
    assert table["n_missing"].tolist() == [3, 3, 0, 0]
    assert "count as zero (number: `s1` 3, `s2` 3); a difference" in caplog.messages[0]
