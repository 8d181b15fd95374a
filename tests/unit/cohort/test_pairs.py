"""The table of ligand-receptor pairs, and the section `axis` of the config."""

import re
from pathlib import Path
from typing import Any

import pytest

from lammscope.cohort.config import ConfigLines, resolve_config
from lammscope.cohort.pair_checks import axis_contrast_mistakes, axis_mistakes
from lammscope.cohort.pairs import all_genes, read_pairs, read_term
from lammscope.core.resources import HOME

SHIPPED = HOME / "resources" / "interactions" / "lamm_t.tsv"
HEAD = "pair\tligand\treceptor\tsender\treceiver"
SHEETS = {"samples": "samples.tsv", "patients": "patients.tsv"}


def table(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "pairs.tsv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def mistakes(**axis: Any) -> list[str]:
    return axis_mistakes(resolve_config({**SHEETS, "axis": axis}), ConfigLines([]))


def test_a_term_has_needed_parts_of_which_genes_either_is_enough() -> None:
    term = read_term("PTGS1|PTGS2+PTGES")
    assert term.parts == (("PTGS1", "PTGS2"), ("PTGES",))
    assert term.genes == ("PTGS1", "PTGS2", "PTGES")
    assert str(term) == "PTGS1|PTGS2+PTGES"
    assert read_term("HLA-E").genes == ("HLA-E",)


@pytest.mark.parametrize("text", ["", "A+", "|A", "A B", "A&B", "A+A", "A|B+A", "5"])
def test_a_term_that_cannot_be_read_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"gene|twice"):
        read_term(text)


def test_the_shipped_pairs_can_be_read_and_name_their_sources() -> None:
    pairs = read_pairs([SHIPPED])
    assert len(pairs) >= 60
    assert all(pair.source for pair in pairs)
    assert {"PTGER2", "PTGER4", "CSF1R", "SIRPA", "ADORA2A", "AHR"} <= set(all_genes(pairs))
    assert not [p for p in pairs if p.receptor.genes == ("CSF1R",) and "CSF2" in p.ligand.genes]


def test_of_the_shipped_pairs_only_a_committed_synthase_makes_a_pge2_signal() -> None:
    pairs = {pair.name: pair for pair in read_pairs([SHIPPED])}
    assert str(pairs["PGE2"].ligand) == "PTGS1|PTGS2+PTGES"
    tested = [p for p in pairs.values() if p.is_tested and "PTGER4" in p.receptor.genes]
    assert [pair.name for pair in tested] == ["PGE2", "PGE2_cyclooxygenase"]
    assert not pairs["PGE2_PTGES3"].is_tested
    assert not pairs["PGE2_PTGES2"].is_tested


@pytest.mark.parametrize("ligand", ["PTGES3", "PTGES2", "ptges3", "PTGES|PTGES3", "PTGES2+PTGES3"])
def test_a_synthase_of_all_cells_cannot_be_tested_as_pge2(tmp_path: Path, ligand: str) -> None:
    path = table(tmp_path, f"mine\t{ligand}\tPTGER4\tmyeloid\tT")
    with pytest.raises(ValueError, match=r"row 2: pair `mine`: nearly all cells express.*`show`"):
        read_pairs([path])


def test_a_synthase_of_all_cells_can_be_shown_or_needed_beside_a_cyclooxygenase(
    tmp_path: Path,
) -> None:
    path = table(
        tmp_path,
        "shown\tPTGES3\tPTGER4\tmyeloid\tT\tshow",
        "needed\tPTGS2+PTGES3\tPTGER4\tmyeloid\tT\ttest",
        head=f"{HEAD}\tuse",
    )
    assert [pair.is_tested for pair in read_pairs([path])] == [False, True]


def test_a_users_table_may_be_csv_with_any_columns_and_roles(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("note,pair,ligand,receptor,sender,receiver\nx,a,CSF1,CSF1R,T|other,myeloid\n")
    (pair,) = read_pairs([path])
    assert (pair.senders, pair.receivers) == (("T", "other"), ("myeloid",))
    assert (pair.kind, pair.is_tested, pair.source) == ("other", True, "")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a\tA\tB\tmyeloid\tT", "a\tC\tD\tmyeloid\tT"], "row 3: pair `a` is also in .*row 2"),
        (["a\tA|B\tC\tmyeloid\tT", "b\tB|A\tC\tT|myeloid\tT"], "`b` is the pair `a` of .*row 2"),
        (["a\tA\tB\tmyeloid\tT", "b\tB\tA\tT\tmyeloid"], "`b`, in the other direction, is the"),
        (["a\tA\tA\tmyeloid\tmyeloid"], "A is in ligand and receptor of the same cells"),
        (["a\tA\tB\tmyloid\tT"], "column `sender`: `myloid` is not a group of cells"),
        (["a\tA,B\tC\tmyeloid\tT"], "column `ligand`: .*`A,B` is not the name of a gene"),
        (["a\tA\t\tmyeloid\tT"], "row 2: .*receptor"),
    ],
)
def test_mistakes_are_named_with_file_and_row(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=rf"pairs\.tsv.*{words}"):
        read_pairs([table(tmp_path, *rows)])


def test_all_mistakes_of_all_tables_are_named_together(tmp_path: Path) -> None:
    path = table(tmp_path, "a\tA+\tB\tmyeloid\tT", "b\tA\tB\tnobody\tT")
    with pytest.raises(ValueError, match="row 2") as error:
        read_pairs([path])
    assert [
        f"row {row}" in line
        for row, line in zip((2, 3), str(error.value).splitlines(), strict=True)
    ]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="receptor"):
        read_pairs([table(tmp_path, "a\tA\tmyeloid\tT", head="pair\tligand\tsender\treceiver")])


def test_the_defaults_have_no_mistake() -> None:
    assert mistakes() == []


def test_without_pairs_the_primary_pair_is_not_looked_for() -> None:
    assert mistakes(pairs=[]) == []


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ({"pairs": ["no.tsv"]}, "`axis.pairs` names `no.tsv`, which does not exist"),
        ({"primary": {"pair": "PGE"}}, "`axis.primary.pair` is `PGE`.*did you mean `PGE2`"),
        ({"primary": {"pair": "PGE2_PTGES3"}}, "is shown only"),
        ({"primary": {"receiver": "CD9"}}, "not a group of `axis.T`.*groups: CD4, CD8"),
        ({"primary": {"sender": "CD8"}}, "`axis.primary.sender` is `CD8`"),
        ({"T": {"CD8": ["CD8T"]}}, "`axis.T.CD8` names `CD8T`.*did you mean `CD8_T`"),
        ({"other": {"CD8": ["CD8_T"]}}, "group `CD8` is in `axis.T` and `axis.other`"),
    ],
)
def test_mistakes_of_the_config_are_named(axis: dict[str, Any], words: str) -> None:
    (text,) = mistakes(**axis)
    assert text.startswith("config")
    assert re.search(words, text)


def test_mistakes_of_groups_and_of_the_primary_pair_are_named_together() -> None:
    found = mistakes(T={"CD8": ["CD8T"]}, primary={"pair": "PGE"})
    assert ["CD8T" in text for text in found] == [True, False]
    assert ["`PGE`" in text for text in found] == [False, True]


def test_groups_may_name_types_lineages_and_lamm_levels() -> None:
    groups = {"CD8": ["CD8_T"], "T_cells": ["T"], "CAR_T": ["CAR_T"], "LAMM": ["LAMM_positive"]}
    assert mistakes(T=groups) == []


def test_types_are_not_checked_where_a_model_names_them(tmp_path: Path) -> None:
    config = resolve_config({**SHEETS, "axis": {"T": {"CD8": ["Tem CD8"]}}})
    config["annotation"]["celltypist_model"] = "model.pkl"
    assert axis_mistakes(config, ConfigLines([])) == []
    config["annotation"] |= {"celltypist_model": "", "panel": str(tmp_path / "none.yaml")}
    assert axis_mistakes(config, ConfigLines([])) == []


def test_the_contrast_of_the_primary_pair_must_exist() -> None:
    config = resolve_config({**SHEETS, "axis": {"primary": {"contrast": "basline"}}})
    (text,) = axis_contrast_mistakes(config, ["baseline", "change"], ConfigLines([]))
    assert "did you mean `baseline`" in text
    assert axis_contrast_mistakes(resolve_config(SHEETS), ["change"], ConfigLines([])) == []
