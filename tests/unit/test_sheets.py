"""The config and the sheets: what users write, and what they get wrong."""

import pytest

from lammscope.sheets import read_samples, resolve_config

SAMPLES = (
    "sample\tpatient\ttimepoint\tcounts\nA1\tA\tpre\tm.h5\nA2\tA\tpost\tm.h5\nB1\tB\tpre\tm.h5\n"
)
PATIENTS = "patient\tresponse\tage\nA\tCR\t61\nB\tPD\t55\n"


@pytest.fixture
def schema(repository):
    return repository / "workflow" / "schemas" / "config.schema.yaml"


@pytest.fixture
def cohort(tmp_path, monkeypatch, schema):
    """Write two sheets and give the config that names them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.h5").touch()

    def write(samples=SAMPLES, patients=PATIENTS, **config):
        (tmp_path / "samples.tsv").write_text(samples, encoding="utf-8")
        (tmp_path / "patients.tsv").write_text(patients, encoding="utf-8")
        named = {"samples": "samples.tsv", "patients": "patients.tsv", **config}
        return resolve_config(named, schema)

    return write


def test_both_sheets_become_one_table_with_phase_and_arm(cohort):
    table = read_samples(cohort())
    assert table["phase"].tolist() == ["pre", "post", "pre"]
    assert table["response"].tolist() == ["responder", "responder", "non_responder"]
    assert table["response_label"].tolist() == ["CR", "CR", "PD"]
    assert table["channel"].tolist() == ["A1", "A2", "B1"]
    assert set(table["compartment"]) == {"blood"}
    assert table["age"].tolist() == [61, 61, 55]


def test_excel_habits_are_taken_in_stride(cohort):
    samples = (
        SAMPLES.replace("\t", ",").replace("\n", "\r\n").replace("A1,A,", "A1 , A,") + ",,,\r\n\r\n"
    )
    table = read_samples(cohort("\ufeff" + samples))
    assert table["sample"].tolist() == ["A1", "A2", "B1"]
    assert table["patient"].tolist() == ["A", "A", "B"]


def test_other_labels_are_in_no_arm_and_a_cohort_may_have_none(cohort):
    table = read_samples(cohort(patients="patient\tresponse\nA\tNE\nB\tPD\n"))
    assert table["response"].isna().tolist() == [True, True, False]
    assert read_samples(cohort(patients="patient\nA\nB\n"))["response"].isna().all()


def test_names_that_look_like_numbers_stay_text(cohort):
    samples = SAMPLES.replace("\tA\t", "\t007\t").replace("\tB\t", "\t8\t")
    table = read_samples(cohort(samples, "patient\tresponse\n007\tCR\n8\tPD\n"))
    assert table["patient"].tolist() == ["007", "007", "8"]


SHEET_MISTAKES = [
    (("B1", "A1"), None, "samples.tsv: row 4: sample `A1` stands there twice"),
    (("\tB\t", "\tb\t"), None, "samples.tsv: row 4: patient `b` is not in"),
    (("B1\tB\tpre\tm.h5", "B1\tB\tpre\tx.h5"), None, "row 4: counts `x.h5` does not exist"),
    (("B1", "../B1"), None, "row 4: sample `../B1` cannot name a file"),
    (("timepoint", "timepiont"), None, "no column `timepoint` (did you mean `timepiont`?)"),
    (("A1\tA\tpre", "A1\tA\t"), None, "row 2: `timepoint` is empty"),
    ((SAMPLES, "sample\tpatient\ttimepoint\tcounts\n"), None, "no rows below its header"),
    (("# ", ""), PATIENTS + "A\tCR\t3\n", "patients.tsv: row 4: patient `A` stands there twice"),
    (("# ", ""), PATIENTS.replace("age", "timepoint"), "column `timepoint` is in samples.tsv too"),
]


@pytest.mark.parametrize(("change", "patients", "message"), SHEET_MISTAKES)
def test_a_mistake_in_a_sheet_names_file_row_and_remedy(cohort, change, patients, message):
    with pytest.raises(ValueError, match=r".") as caught:
        read_samples(cohort(SAMPLES.replace(*change), patients or PATIENTS))
    assert message in str(caught.value)


def test_all_mistakes_are_reported_together(cohort):
    with pytest.raises(ValueError, match=r".") as caught:
        read_samples(cohort(SAMPLES.replace("B1\tB", "A1\tC").replace("m.h5\nA1", "q.h5\nA1")))
    assert len(str(caught.value).splitlines()) == 3


def test_defaults_nest_and_the_users_values_stay(schema):
    config = resolve_config({"qc": {"min_genes": 100}}, schema)
    assert config["qc"]["min_genes"] == 100
    assert config["qc"]["min_counts"] == 500
    assert config["integration"]["method"] == "harmony"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"qc": {"min_count": 3}}, "`qc.min_count` is no key (did you mean `min_counts`?)"),
        ({"integration": {"method": "x"}}, "`integration.method` is 'x'; allowed: harmony, none"),
        ({"seed": "one"}, "`seed`: 'one' is not of type 'integer'"),
        ({"contrasts": {"a": {"kind": "between"}}}, "'test' is a required property"),
    ],
)
def test_a_mistake_in_the_config_names_key_and_remedy(schema, config, message):
    with pytest.raises(ValueError, match=r".") as caught:
        resolve_config(config, schema)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("patients", "response", "message"),
    [
        (PATIENTS.replace("response", "Response"), {}, "did you mean `Response`?"),
        (PATIENTS, {"responder": ["cr"], "non_responder": ["pd"]}, "(CR, PD); name them"),
        (PATIENTS, {"non_responder": ["PD", "CR"]}, "`CR` is in both `response.responder` and"),
    ],
)
def test_a_response_that_would_be_misread_is_refused(cohort, patients, response, message):
    with pytest.raises(ValueError, match=r".") as caught:
        read_samples(cohort(patients=patients, response=response))
    assert message in str(caught.value)
