"""Both sheets together: what users write, and mistakes in and between them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lammscope.cohort.config import resolve_config
from lammscope.cohort.sheets import Sheets, check_sheets, read_samples

SAMPLES = (
    "sample\tpatient\ttimepoint\tcounts\nA1\tA\tpre\ta.h5\nA2\tA\tpost\tb.h5\nB1\tB\tpre\tc.h5\n"
)
PATIENTS = "patient\tresponse\tage\nA\tCR\t61\nB\tPD\t55\n"


@pytest.fixture
def cohort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Write two sheets and return the config that names them."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.h5", "b.h5", "c.h5", "list.txt"):
        (tmp_path / name).touch()

    def write(samples: str = SAMPLES, patients: str = PATIENTS, **config: Any) -> dict[str, Any]:
        (tmp_path / "samples.tsv").write_text(samples, encoding="utf-8")
        (tmp_path / "patients.tsv").write_text(patients, encoding="utf-8")
        named = {"samples": "samples.tsv", "patients": "patients.tsv", **config}
        return resolve_config(named)

    return write


def test_both_sheets_become_one_table_with_phase_and_arm(
    cohort: Callable[..., dict[str, Any]],
) -> None:
    table = read_samples(cohort())
    assert table["phase"].tolist() == ["pre", "post", "pre"]
    assert table["response"].tolist() == ["responder", "responder", "non_responder"]
    assert table["response_label"].tolist() == ["CR", "CR", "PD"]
    assert table["channel"].tolist() == ["A1", "A2", "B1"]
    assert set(table["compartment"]) == {"unstated"}  # never called blood
    assert table["age"].tolist() == [61, 61, 55]


def test_other_labels_are_in_no_arm_and_a_cohort_may_have_none(
    cohort: Callable[..., dict[str, Any]],
) -> None:
    table = read_samples(cohort(patients="patient\tresponse\nA\tNE\nB\tPD\n"))
    assert table["response"].isna().tolist() == [True, True, False]
    assert read_samples(cohort(patients="patient\nA\nB\n"))["response"].isna().all()


def test_names_that_look_like_numbers_stay_text(cohort: Callable[..., dict[str, Any]]) -> None:
    samples = SAMPLES.replace("\tA\t", "\t007\t").replace("\tB\t", "\t8\t")
    table = read_samples(cohort(samples, "patient\tresponse\n007\tCR\n8\tPD\n"))
    assert table["patient"].tolist() == ["007", "007", "8"]


def test_a_response_of_numbers_is_mapped(cohort: Callable[..., dict[str, Any]]) -> None:
    config = cohort(
        patients="patient\tdurable\nA\t1\nB\t0\n",
        response={"column": "durable", "responder": [1], "non_responder": [0]},
    )
    assert read_samples(config)["response"].tolist() == ["responder"] * 2 + ["non_responder"]


def test_samples_of_one_matrix_share_its_channel(
    cohort: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "other.txt").touch()
    samples = SAMPLES.replace("counts\n", "counts\tbarcodes\n").replace("b.h5", "a.h5\tother.txt")
    samples = samples.replace("A1\tA\tpre\ta.h5", "A1\tA\tpre\t./a.h5\tlist.txt")
    table = read_samples(cohort(samples.replace("./a.h5", "a.h5")))
    assert table["channel"].tolist() == ["A1", "A1", "B1"]


def test_contigs_are_optional_and_must_exist(
    cohort: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "tcr.csv").touch()
    header, *rows = SAMPLES.splitlines()

    def checked(*ends: str) -> Sheets:
        lines = [f"{row}\t{end}" for row, end in zip(rows, ends, strict=True)]
        return check_sheets(cohort("\n".join([f"{header}\tcontigs", *lines, ""])))

    sheets = checked("./tcr.csv", "", "NA")
    assert sheets.mistakes == []
    assert sheets.samples is not None
    assert sheets.samples["contigs"].fillna("-").tolist() == ["tcr.csv", "-", "-"]
    (mistake,) = checked("tcr.csv", "tcr.tsv", "").mistakes
    assert (
        "row 3: `contigs` is `tcr.tsv`, which does not exist (did you mean `tcr.csv`?)" in mistake
    )


def test_samples_of_a_channel_may_state_its_doublet_rate_once(
    cohort: Callable[..., dict[str, Any]],
) -> None:
    header, *rows = SAMPLES.splitlines()
    ends = ["\tlane\t0.05\t9000", "\tlane\t\t9e3", "\tB1\t0\t"]
    lines = [row + end for row, end in zip(rows, ends, strict=True)]
    table = read_samples(
        cohort("\n".join([f"{header}\tchannel\tdoublet_rate\texpected_cells", *lines, ""]))
    )
    assert table["doublet_rate"].fillna(-1).tolist() == [0.05, -1, 0]
    assert table["expected_cells"].fillna(-1).tolist() == [9000, 9000, -1]


@pytest.mark.parametrize("column", ["expected_cells", "doublet_rate"])
@pytest.mark.parametrize("shared", ["channel", "matrix"])
def test_samples_of_a_channel_that_disagree_are_refused(
    cohort: Callable[..., dict[str, Any]], tmp_path: Path, column: str, shared: str
) -> None:
    """Samples of one matrix share its channel, without a column for it."""
    (tmp_path / "other.txt").touch()
    low, high = ("0.02", "0.04") if column == "doublet_rate" else ("5000", "6000")
    header, *rows = SAMPLES.splitlines()
    if shared == "channel":
        ends = [f"\tlane\t{low}", f"\tlane\t{high}", f"\tB1\t{low}"]
        header = f"{header}\tchannel\t{column}"
    else:
        rows[1] = rows[1].replace("b.h5", "a.h5")
        ends = [f"\tlist.txt\t{low}", f"\tother.txt\t{high}", f"\t\t{low}"]
        header = f"{header}\tbarcodes\t{column}"
    lines = [row + end for row, end in zip(rows, ends, strict=True)]
    name = "lane" if shared == "channel" else "A1"
    message = (
        f"rows 2, 3: samples of channel `{name}` differ in `{column}`: {low} (row 2), {high} "
        "(row 3); give one value for the channel"
    )
    with pytest.raises(ValueError, match=r".") as caught:
        read_samples(cohort("\n".join([header, *lines, ""])))
    assert message in str(caught.value)


SHEET_MISTAKES = {
    "a sample twice": (("B1", "A1"), None, "row 4: sample `A1` is also in row 2; names must"),
    "capitals alone": (("B1", "a1"), None, "row 4: sample `a1` differs from `A1` only in capitals"),
    "a name of another file": (
        ("B1", "A1.moments"),
        None,
        "row 4: sample `A1.moments`: names that end in `.moments` are reserved",
    ),
    "an unknown patient": (("\tB\t", "\tb\t"), None, "row 4: patient `b` is not in patients.tsv"),
    "a missing matrix": (("c.h5", "d.h5"), None, "row 4: `counts` is `d.h5`, which does not exist"),
    "one matrix twice": (
        ("b.h5", "./a.h5"),
        None,
        "rows 2, 3: several samples have the same matrix `a.h5`",
    ),
    "a patient twice": (
        ("", ""),
        PATIENTS + "A\tPD\t61\n",
        "patients.tsv: rows 2, 4: patient `A` appears 2 times, with response CR and PD",
    ),
    "a column in both": (
        ("", ""),
        PATIENTS.replace("age", "timepoint"),
        "patients.tsv: column `timepoint` is also in samples.tsv",
    ),
    "a name of the workflow's": (
        ("", ""),
        PATIENTS.replace("age", "phase"),
        "patients.tsv: column name `phase` is reserved for the workflow",
    ),
    "a label in other capitals": (
        ("", ""),
        PATIENTS.replace("PD", "pd"),
        "patients.tsv: row 3: `response` is `pd`, but `response` of the config lists `PD`",
    ),
    "a time point written otherwise": (
        ("A2\tA\tpost", "A2\tA\td 7"),
        None,
        "row 3: `timepoint` is `d 7`, but `timepoints` of the config lists `D7`; use the same",
    ),
}


@pytest.mark.parametrize("name", SHEET_MISTAKES)
def test_a_mistake_names_file_row_and_remedy(
    cohort: Callable[..., dict[str, Any]], name: str
) -> None:
    change, patients, message = SHEET_MISTAKES[name]
    with pytest.raises(ValueError, match=r".") as caught:
        read_samples(cohort(SAMPLES.replace(*change), patients or PATIENTS))
    assert message in str(caught.value)


def test_all_mistakes_of_both_sheets_are_reported_together(
    cohort: Callable[..., dict[str, Any]],
) -> None:
    samples = SAMPLES.replace("B1\tB", "A1\tC").replace("a.h5", "q.h5")
    sheets = check_sheets(cohort(samples, PATIENTS.replace("61", "old")))
    assert len(sheets.mistakes) == 4
    assert sheets.samples is not None


def test_a_pooled_matrix_needs_a_list_for_each_sample(
    cohort: Callable[..., dict[str, Any]],
) -> None:
    header = SAMPLES.replace("counts\n", "counts\tbarcodes\n").replace("b.h5", "a.h5")
    samples = header.replace("a.h5\n", "a.h5\tlist.txt\n")
    (mistake,) = check_sheets(cohort(samples)).mistakes
    assert "rows 2 and 3: the same matrix with the same `barcodes` `list.txt`" in mistake
    mistakes = check_sheets(cohort(samples.replace("list.txt", "absent.txt", 1))).mistakes
    assert "row 2: `barcodes` is `absent.txt`, which does not exist" in mistakes[0]


def test_what_is_only_odd_is_noted(cohort: Callable[..., dict[str, Any]]) -> None:
    config = cohort(SAMPLES.replace("A2\tA\tpost", "A2\tA\tmonth_6"), PATIENTS + "C\tCR\t40\n")
    sheets = check_sheets(config)
    assert sheets.mistakes == []
    assert sheets.notes == [
        "patients.tsv: patients without a sample, not used: C",
        "time points neither before nor after infusion: month_6 (see `timepoints` in the config)",
        "samples.tsv: `compartment` is empty for A1, A2, B1; they are compared with each other, as "
        "`unstated` (blood, marrow, tumour or product?)",
    ]


COMPARTMENTS = {  # fields of A1, A2, B1; samples that the note names
    "all given": (("blood", "blood", "marrow"), ""),
    "one empty": (("blood", "", "blood"), "for A2; they are compared with each other, not with"),
    "NA": (("NA", "n/a", "tumour"), "for A1, A2; they are compared with each other, not with"),
    "none given": (("", "", ""), "for A1, A2, B1; they are compared with each other, as"),
    "a product": (("product", "product", ""), "for B1; they are compared with each other, not"),
}


@pytest.mark.parametrize("name", COMPARTMENTS)
def test_an_empty_compartment_is_a_group_of_its_own(cohort: Any, name: str) -> None:
    values, message = COMPARTMENTS[name]
    header, *rows = SAMPLES.splitlines()
    lines = [f"{header}\tcompartment", *(f"{r}\t{v}" for r, v in zip(rows, values, strict=True))]
    sheets = check_sheets(cohort("\n".join(lines) + "\n"))
    expected = [value if value.isalpha() and value != "NA" else "unstated" for value in values]
    assert sheets.samples["compartment"].tolist() == expected
    notes = [note for note in sheets.notes if "compartment" in note]
    assert [message in note for note in notes] == ([True] if message else [])


@pytest.mark.parametrize(
    ("patients", "response", "message"),
    [
        (PATIENTS.replace("response", "Response"), {}, "did you mean `Response`?"),
        (
            PATIENTS,
            {"responder": ["NR"], "non_responder": ["R"]},
            "(CR, PD) is listed in the config; list",
        ),
        (PATIENTS, {"non_responder": ["PD", "CR"]}, "`CR` is in both `response.responder` and"),
        (PATIENTS, {"column": "best_response"}, "no column `best_response`"),
    ],
)
def test_a_response_that_would_be_misread_is_refused(
    cohort: Callable[..., dict[str, Any]], patients: str, response: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read_samples(cohort(patients=patients, response=response))
    assert message in str(caught.value)


WORDS = st.sampled_from(["A", "B", "A1", "pre", "post", "a.h5", "", "CR", "PD", "x y", "1.0", "9"])


@given(
    samples=st.lists(st.lists(WORDS, min_size=4, max_size=5), max_size=4),
    patients=st.lists(st.lists(WORDS, min_size=1, max_size=3), max_size=4),
)
def test_any_two_sheets_validate_or_give_a_message(
    tmp_path_factory: pytest.TempPathFactory, samples: list[list[str]], patients: list[list[str]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "a.h5").touch()
    texts = {
        "samples": [["sample", "patient", "timepoint", "counts"], *samples],
        "patients": [["patient", "response", "age"], *patients],
    }
    for name, rows in texts.items():
        (folder / f"{name}.csv").write_text("\n".join(",".join(row) for row in rows))
    sheets: Any = check_sheets(resolve_config({n: str(folder / f"{n}.csv") for n in texts}))
    assert sheets.mistakes or len(sheets.samples) == len(samples) > 0
