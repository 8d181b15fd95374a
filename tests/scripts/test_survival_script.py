"""The script of survival: from counts and follow-up to tables and figures."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.indexed import read_table, write_table
from lammscope.report.figures.catalog import drawing_functions, figure_names
from tests.unit.outcome.cohorts import PFS, followed, settings


def test_survival_is_tested_and_drawn(run_script: Callable[..., str], tmp_path: Path) -> None:
    samples, counts, scores = followed(6)
    texts = dict.fromkeys(samples.select_dtypes(exclude="number"), "str")
    samples = samples.astype(texts)
    patients = samples[["patient", *PFS.columns]].drop_duplicates("patient")
    names = ("samples", "follow_up", "counts", "scores")
    paths = {name: tmp_path / f"{name}.tsv" for name in names}
    text = sample_table_text(samples.drop(columns=list(PFS.columns)))
    paths["samples"].write_text(text, encoding="utf-8")
    paths["follow_up"].write_text(sample_table_text(patients), encoding="utf-8")
    write_table(counts, paths["counts"])
    write_table(scores, paths["scores"])
    tables = ("tests", "patients", "excluded", "curves")
    pngs = [tmp_path / "figures" / f"{name}.png" for name in figure_names("survival")]
    output = {name: tmp_path / "outcome" / f"{name}.tsv" for name in tables}
    run_script(
        "test_survival",
        input=paths,
        output={**output, "pngs": pngs},
        params={
            "endpoints": [asdict(PFS)],
            "settings": asdict(settings()),
            "permutation": {"max_exact": 100, "n_draws": 200},
            "seed": 1,
            "dpi": 20,
            "figures": drawing_functions("survival"),
        },
    )
    tests = read_table(output["tests"])
    assert tests["role"].iloc[0] == "primary"
    assert set(tests["analysis"]) == {"baseline", "landmark"}
    assert len(read_table(output["patients"])) == 12 * (len(tests) + 1)
    assert all(png.stat().st_size > 1000 for png in pngs)
    assert all(png.with_suffix(".pdf").exists() for png in pngs)
