"""Contig tables: both formats give the same chains, and those of another sample are refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lammscope.axis.contigs import find_cells, match_contigs, passing_cells, read_contigs
from lammscope.cohort.contig_files import contig_line, contig_mistakes, read_contig_head
from tests.contigs import chain, chains_of, write_airr, write_cell_ranger


def barcodes(n: int, *, seed: int, suffix: str = "-1") -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(row) + suffix for row in rng.choice(list("ACGT"), (n, 16))]


def cells_of(sample: str, names: list[str], *, n_t: int | None = None) -> pd.DataFrame:
    """Kept cells of a sample; the first `n_t` are T cells."""
    table = pd.DataFrame({"barcode": names, "sample": sample, "kept": True, "doublet": False})
    table["cell"] = table["sample"] + "_" + table["barcode"]
    return table.assign(is_t=np.arange(len(names)) < (len(names) if n_t is None else n_t))


def test_cell_ranger_and_airr_give_the_same_chains(tmp_path: Path) -> None:
    chains = chains_of(barcodes(30, seed=1), list(range(30)))
    chains.append(chain("TTTTTTTTTTTTTTTT-1", 3) | {"productive": False})
    plain = read_contigs(write_cell_ranger(chains, tmp_path / "a.csv"))
    airr = read_contigs(write_airr(chains, tmp_path / "a.tsv"))
    packed = read_contigs(write_cell_ranger(chains, tmp_path / "a.csv.gz"))
    pd.testing.assert_frame_equal(plain, airr)
    pd.testing.assert_frame_equal(plain, packed)
    assert len(plain) == 60


def test_only_productive_chains_of_cells_of_high_confidence_are_kept(tmp_path: Path) -> None:
    good = chain("AAAACCCCGGGGTTTT-1", 1)
    dropped = [
        good | {"barcode": "CAAACCCCGGGGTTTT-1", "productive": "None"},
        good | {"barcode": "GAAACCCCGGGGTTTT-1", "high_confidence": "false"},
        good | {"barcode": "TAAACCCCGGGGTTTT-1", "is_cell": "False"},
        good | {"barcode": "TCAACCCCGGGGTTTT-1", "chain": "IGH"},
        good | {"barcode": "TTAACCCCGGGGTTTT-1", "nucleotides": "None", "amino_acids": "None"},
    ]
    rows = [good | {"high_confidence": "true", "is_cell": "true"}]
    rows += [{"high_confidence": "true", "is_cell": "true"} | row for row in dropped]
    assert read_contigs(write_cell_ranger(rows, tmp_path / "a.csv"))["barcode"].tolist() == [
        "AAAACCCCGGGGTTTT-1"
    ]


def test_contigs_of_one_rearrangement_are_one_chain_with_their_umis(tmp_path: Path) -> None:
    name = "AAAACCCCGGGGTTTT-1"
    rows = [
        chain(name, 1, umis=2),
        chain(name, 1, umis=3) | {"v": "TRBV6-3"},
        chain(name, 2, umis=4),
    ]
    found = read_contigs(write_cell_ranger(rows, tmp_path / "a.csv"))
    assert found["umis"].tolist() == [5, 4]
    assert found["v"].tolist() == ["TRBV6-3", chain(name, 2)["v"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("clonotype_id,frequency,proportion\n", "names no cells"),
        ("barcode,chain,v_gene,j_gene,cdr3,productive\n", "lacks columns of Cell Ranger's contig"),
        ("barcode,chain,v_gene,j_gene,cdr3,productive\n", "`umis`"),
        ("barcode,chain,v_gene,j_gene,productive,umis\n", "`cdr3_nt` or `cdr3`"),
        ("cell_id\tv_call\tj_call\tjunction\tproductive\n", "`umi_count` or `duplicate_count`"),
        ("cell_id\tv_call\tproductive\tumi_count\n", "`j_call`, `junction` or `junction_aa`"),
        (b"\x1f\x8b\x08", "the compressed data end early"),
        (b"barcode\xff\xfe\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_contig_table_is_named(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=r"a\.csv: ") as error:
        read_contig_head(path)
    assert message in str(error.value)
    samples = pd.DataFrame({"sample": ["s1", "s2"], "contigs": [str(path), None]})
    (mistake,) = contig_mistakes(samples, "samples.tsv")
    assert mistake.startswith(f"samples.tsv: sample `s1`: contigs {path}: ")
    assert message in mistake


def test_a_number_of_umis_that_is_none_is_named_with_its_row(tmp_path: Path) -> None:
    rows = chains_of(barcodes(2, seed=1), [1, 2])
    rows[2]["umis"] = "many"
    path = write_cell_ranger(rows, tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"a.csv: row 4: the number of UMIs is `many`"):
        read_contigs(path)


def test_a_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    write_cell_ranger(chains_of(barcodes(200, seed=1), list(range(200))), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    read_contig_head(path)
    with pytest.raises(ValueError, match=r"a.csv.gz: the compressed data end early"):
        read_contigs(path)


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: name.removesuffix("-1"),
        lambda name: f"{name[:-2]}-7",
        lambda name: f"s1_{name}",
        lambda name: f"GSM123_{name}",
    ],
)
def test_barcodes_are_found_with_other_prefixes_and_suffixes(rename: Callable[[str], str]) -> None:
    cells = cells_of("s1", barcodes(50, seed=1))
    names = pd.Index([rename(name) for name in cells["barcode"][::2]])
    found = find_cells(names, cells)
    assert found.tolist() == cells["cell"][::2].tolist()
    assert found.index.tolist() == names.tolist()


def test_in_a_table_of_several_samples_barcodes_that_match_by_chance_are_left_out() -> None:
    cells = cells_of("s1", barcodes(50, seed=1))
    own = [f"A_{name}" for name in cells["barcode"][:40]]
    other = [f"B_{name}" for name in cells["barcode"][39:42]]  # 40 cells of A, three of B by chance
    assert find_cells(pd.Index(own + other), cells).index.tolist() == own


def test_a_cell_that_several_libraries_name_is_left_out() -> None:
    cells = cells_of("s1", barcodes(10, seed=1))
    own = [f"A_{name}" for name in cells["barcode"][:6]]
    other = [f"B_{name}" for name in cells["barcode"][5:]]
    found = find_cells(pd.Index(own + other), cells)
    assert cells["cell"][5] not in set(found)
    assert len(found) == 9


def test_cells_of_two_lanes_keep_their_own_contigs() -> None:
    names = barcodes(20, seed=1, suffix="-1")
    both = names + [f"{name[:-2]}-2" for name in names]
    cells = cells_of("s1", both)
    assert find_cells(pd.Index(both), cells).tolist() == cells["cell"].tolist()


def read(tmp_path: Path, names: list[str]) -> pd.DataFrame:
    return read_contigs(write_cell_ranger(chains_of(names, range(len(names))), tmp_path / "c.csv"))


def test_swapped_contigs_are_refused_with_the_sample_they_are_of(tmp_path: Path) -> None:
    names = {sample: barcodes(60, seed=i) for i, sample in enumerate(("s1", "s2", "s3"))}
    cells = pd.concat([cells_of(sample, own) for sample, own in names.items()])
    contigs = {sample: read(tmp_path, names[of]) for sample, of in (("s1", "s2"), ("s2", "s1"))}
    with pytest.raises(ValueError, match="contigs of sample") as error:
        match_contigs(contigs, cells, files={"s1": "one.csv", "s2": "two.csv"})
    first, second = str(error.value).split("\nlammscope: ")
    assert first.startswith("one.csv: contigs of sample `s1`: only 0 of 60 barcodes")
    assert "100 % are cells of `s2`: are the files swapped?" in first
    assert first.endswith("Correct `contigs` in the sample sheet, or leave it empty")
    assert second.startswith("two.csv: contigs of sample `s2`")


def test_contigs_of_no_sample_are_refused_without_a_guess(tmp_path: Path) -> None:
    cells = pd.concat([cells_of("s1", barcodes(60, seed=1)), cells_of("s2", barcodes(60, seed=2))])
    contigs = {"s1": read(tmp_path, barcodes(60, seed=3))}
    with pytest.raises(ValueError, match=r"of another sample\. Correct"):
        match_contigs(contigs, cells, files={"s1": "one.csv"})


def test_a_pool_of_samples_is_accepted_if_it_has_the_t_cells_of_the_sample(tmp_path: Path) -> None:
    own, pool = barcodes(40, seed=1), barcodes(2000, seed=2)
    contigs = {"s1": read(tmp_path, own[:30] + pool)}
    chains, matched = match_contigs(contigs, cells_of("s1", own), files={"s1": "one.csv"})
    assert chains["cell"].nunique() == 30
    assert matched.iloc[0].to_dict() == {
        **{"sample": "s1", "n_barcodes": 2030, "n_matched": 30, "n_t_cells": 40},
        **{"n_t_with_trb": 30, "n_other_with_trb": 0, "note": ""},
    }


def test_few_t_cells_with_a_receptor_are_noted(tmp_path: Path) -> None:
    own = barcodes(100, seed=1)
    contigs = {"s1": read(tmp_path, own[:15]), "s2": read(tmp_path, own[:3])}
    cells = pd.concat([cells_of("s1", own), cells_of("s2", own, n_t=2)])
    _, matched = match_contigs(contigs, cells, files={"s1": "one.csv", "s2": "two.csv"})
    notes = matched.set_index("sample")["note"]
    assert notes["s1"].startswith("only 15 of 100 T cells have a beta chain")
    assert notes["s2"].startswith("too few T cells (2)")


def test_a_table_without_rows_has_no_receptors(tmp_path: Path) -> None:
    path = write_cell_ranger([chain("AAAACCCCGGGGTTTT-1", 1)], tmp_path / "a.csv")
    path.write_text(path.read_text().splitlines()[0] + "\n")
    chains, matched = match_contigs(
        {"s1": read_contigs(path)}, cells_of("s1", barcodes(60, seed=1)), files={"s1": "a.csv"}
    )
    assert chains.empty
    assert matched["note"].tolist() == [
        "no productive chain of these contigs is of a cell of the sample"
    ]


def test_doublets_and_cells_of_other_samples_are_among_the_cells_to_match() -> None:
    qc = {"s1": pd.DataFrame({"barcode": ["A-1", "B-1", "C-1"], "passes": [True, True, False]})}
    index = pd.DataFrame({"cell": ["s1_A-1", "s2_D-1"], "sample": ["s1", "s2"]})
    index["barcode"] = ["A-1", "D-1"]
    about = {"lineage": ["T", "NK"], "population": ["CD8_T", "NK"], "car": ["negative"] * 2}
    doublets = pd.DataFrame({"cell": ["s1_A-1", "s1_B-1"], "doublet": [False, True]})
    cells = passing_cells(qc, index, index[["cell"]].assign(**about), doublets=doublets)
    cells = cells.set_index("cell")
    assert set(cells.index) == {"s1_A-1", "s1_B-1", "s2_D-1"}
    assert cells.index[cells["doublet"]].tolist() == ["s1_B-1"]
    assert cells.index[cells["is_t"]].tolist() == ["s1_A-1"]
    assert not cells.at["s1_B-1", "kept"]


def test_the_plan_says_which_samples_have_contigs() -> None:
    samples = pd.DataFrame({"sample": ["a", "b", "c"], "contigs": ["a.csv", None, "c.csv"]})
    assert contig_line(samples) == "T-cell receptors: contigs of 2 of 3 samples (without: b)"
    assert contig_line(samples.drop(columns="contigs")) == ""
    assert contig_line(samples.assign(contigs=None)) == ""


def test_a_file_whose_name_hides_that_it_is_compressed_is_read(tmp_path: Path) -> None:
    chains = chains_of(barcodes(5, seed=1), range(5))
    path = write_cell_ranger(chains, tmp_path / "a.csv")
    before = read_contigs(path)
    path.write_bytes(gzip.compress(path.read_bytes()))
    pd.testing.assert_frame_equal(read_contigs(path), before)
