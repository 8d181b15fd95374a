"""Signatures in GMT files: which set is up, which is down, and what is wrong."""

import gzip
from pathlib import Path

import pytest

from lammscope.core.signature_file import MIN_GENES, is_gene_set_file, read_signature

A, B, C = (" ".join(f"{letter}{n}" for n in range(MIN_GENES)) for letter in "ABC")


def write_gmt(folder: Path, *sets: str) -> Path:
    """Write sets, each a name and genes separated by spaces."""
    path = folder / "state.gmt"
    lines = ["\t".join([each.split()[0], "here", *each.split()[1:]]) for each in sets]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize("down", ["STATE_DN", "STATE_DOWN", "state_dn", "STATE-DN"])
@pytest.mark.parametrize("down_first", [True, False])
def test_names_say_which_set_is_up_and_which_is_down(
    tmp_path: Path, down: str, down_first: bool
) -> None:
    sets = [f"STATE_UP {A}", f"{down} {B}"]
    found = read_signature(write_gmt(tmp_path, *(reversed(sets) if down_first else sets)))
    assert found.name == "STATE"
    assert found.up.genes == tuple(A.split())
    assert found.down is not None
    assert found.down.genes == tuple(B.split())


@pytest.mark.parametrize(("name", "short"), [("HALLMARK", "HALLMARK"), ("STATE_UP", "STATE")])
def test_a_single_set_is_up(tmp_path: Path, name: str, short: str) -> None:
    found = read_signature(write_gmt(tmp_path, f"{name} {A}"))
    assert (found.name, found.up.genes, found.down) == (short, tuple(A.split()), None)


def test_a_name_that_only_contains_an_ending_is_not_down(tmp_path: Path) -> None:
    assert read_signature(write_gmt(tmp_path, f"DN_OF_UPPER {A}")).down is None


def test_a_file_may_be_compressed(tmp_path: Path) -> None:
    plain = write_gmt(tmp_path, f"STATE {A}")
    packed = tmp_path / "state.gmt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_signature(packed) == read_signature(plain)
    assert is_gene_set_file(packed)
    assert is_gene_set_file(plain)
    assert not is_gene_set_file("state.tsv")


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([], "has no gene set; a signature is one set, or two whose names end in _UP and _DN"),
        (
            [f"X_UP {A}", f"X_DN {B}", f"Y {C}"],
            r"has 3 gene sets \(X_UP, X_DN, Y\); a signature is one set, or two",
        ),
        ([f"X_DN {A}"], "`X_DN`: no up set; let the name of the genes that rise in the state end"),
        ([f"X_DN {A}", f"Y {B}"], "`X_DN` and `Y`: no up set"),
        ([f"X {A}", f"Y {B}"], "`X` and `Y`: no up set"),
        ([f"X_UP {A}", f"Y {B}"], "`Y` is neither up nor down; let its name end in _DN"),
        ([f"X_UP {A}", f"Y_UP {B}"], "`X_UP` and `Y_UP` are both up sets"),
        (["X_UP"], "set `X_UP` has no genes; add symbols"),
        (["X_UP A0 A1 A2 A3"], r"set `X_UP` has 4 genes \(A0, A1, A2, A3\); give at least 5"),
        ([f"X_UP {A}", "X_DN B0"], r"set `X_DN` has 1 genes? \(B0\); give at least 5"),
        (
            [f"X_UP {A} GATA1", f"X_DN {B} GATA1"],
            "GATA1 in both `X_UP` and `X_DN`; keep a gene in one",
        ),
    ],
)
def test_a_mistake_is_named_with_its_file_and_remedy(
    tmp_path: Path, sets: list[str], message: str
) -> None:
    path = write_gmt(tmp_path, *sets)
    with pytest.raises(ValueError, match=rf"^{path}: (row 1: )?{message}") as caught:
        read_signature(path)
    assert "\n" not in str(caught.value)
