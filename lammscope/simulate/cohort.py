"""Simulated cohorts with a known truth: 10x matrices, sheets, a config, and the planted effects.

They serve the demo, tests and the planning of studies: `python -m lammscope.simulate --help`.
"""

import gzip
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import yaml

from lammscope.core.runtime import whole_file
from lammscope.simulate.droplets import feature_columns, simulate_library, write_library
from lammscope.simulate.effects import effect_table, gene_table
from lammscope.simulate.follow_up import RESPONSE_DAY, draw_follow_up
from lammscope.simulate.plan import (
    ARMS,
    PHASES,
    CohortSettings,
    capture_factors,
    draw_fractions,
    plan_library,
    plan_samples,
)
from lammscope.simulate.profiles import blend_lamm, read_programs


@dataclass(frozen=True)
class Cohort:
    """The tables that `simulate_cohort` wrote."""

    samples: pd.DataFrame
    patients: pd.DataFrame
    cells: pd.DataFrame
    composition: pd.DataFrame
    effects: pd.DataFrame
    lamm_genes: pd.DataFrame
    libraries: pd.DataFrame


def simulate_cohort(settings: CohortSettings, directory: str | Path, *, threads: int = 2) -> Cohort:
    """Simulate a cohort and write its files.

    `directory` gets `counts/{sample}.h5` (10x, v3 layout), `samples.tsv`, `patients.tsv`,
    `config.yaml`, and `truth/`: `cells.tsv.gz`, `composition.tsv`, `effects.tsv`, `lamm_genes.tsv`,
    `libraries.tsv`, `settings.yaml`. Paths in the files begin with `directory`, as given. The same
    settings give the same bytes for any number of `threads`.

    Raises
    ------
    ValueError
        If `directory` contains matrices of another cohort.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    directory = Path(directory)
    programs = read_programs()
    patients, samples = plan_samples(settings)
    samples["counts"] = [f"{directory.as_posix()}/counts/{name}.h5" for name in samples["sample"]]
    _refuse_other_cohort(directory, samples["sample"])
    fractions = draw_fractions(settings, programs, patients=patients, samples=samples)
    by_patient = patients.set_index("patient")
    programs = replace(
        programs, levels=blend_lamm(programs, distinctness=settings.lamm_distinctness)
    )
    features = feature_columns(programs)
    captures = capture_factors(settings, n_samples=len(samples))

    def make(number: int) -> pd.DataFrame:
        row = samples.iloc[number]
        plan = plan_library(
            settings,
            programs,
            patient=by_patient.loc[row["patient"]],
            sample=row,
            fractions=fractions.loc[row["sample"]].to_dict(),
            capture=float(captures[number]),
        )
        library = simulate_library(programs, plan)
        write_library(row["counts"], library, features=features)
        return library.truth

    with ThreadPoolExecutor(max_workers=threads) as pool:
        cells = pd.concat(pool.map(make, range(len(samples))), ignore_index=True)
    follow_up = draw_follow_up(settings, patients=patients, samples=samples, fractions=fractions)
    patients = pd.concat([patients, follow_up], axis="columns")
    own = ["patient", "response", "product", "sex", "age", "ldh", *follow_up.columns]
    cohort = Cohort(
        samples=samples[["sample", "patient", "timepoint", "counts", "compartment", "day"]],
        patients=patients[own],
        cells=cells,
        composition=_composition(cells, fractions),
        effects=effect_table(
            settings, programs, patients=patients, samples=samples, fractions=fractions
        ),
        lamm_genes=gene_table(settings, programs),
        libraries=pd.DataFrame({"sample": samples["sample"], "capture": captures}),
    )
    _write_cohort(cohort, settings, directory)
    return cohort


def summarize(cohort: Cohort) -> str:
    """Summarize a cohort in a few lines."""
    cells = cohort.cells
    healthy = cells[~(cells["is_doublet"] | cells["is_empty"] | cells["is_dying"])]
    counts = healthy["cell_type"].value_counts()
    planted = cohort.effects.dropna(subset=["planted", "realised"])
    lines = [
        f"{len(cohort.patients)} patients, {len(cohort.samples)} samples, {len(cells):,} barcodes: "
        f"{len(healthy):,} healthy single cells, {cells['is_doublet'].sum():,} doublets, "
        f"{cells['is_dying'].sum():,} dying, {cells['is_empty'].sum():,} empty",
        "cells: " + ", ".join(f"{name} {n:,}" for name, n in counts.items()),
        *(
            f"log odds of {row.population} among {row.denominator} cells, {row.contrast}: "
            f"planted {row.planted:+.2f}, realized {row.realised:+.2f}"
            for row in planted.itertuples()
        ),
        f"genes that differ inside LAMM cells: {int((cohort.lamm_genes['log2fc'] != 0).sum())}",
    ]
    return "\n".join(lines)


def _refuse_other_cohort(directory: Path, samples: pd.Series) -> None:
    present = sorted(path.stem for path in (directory / "counts").glob("*.h5"))
    others = sorted(set(present) - set(samples))
    if others:
        raise ValueError(
            f"{directory}/counts contains matrices of another cohort ({others[0]}.h5); "
            "remove that folder or choose another one"
        )


def _composition(cells: pd.DataFrame, fractions: pd.DataFrame) -> pd.DataFrame:
    """Tabulate expected fractions and counts of healthy single cells, per sample and type."""
    healthy = cells[~(cells["is_doublet"] | cells["is_empty"] | cells["is_dying"])]
    counts = pd.crosstab(healthy["sample"], healthy["cell_type"])
    counts = counts.reindex(index=fractions.index, columns=fractions.columns, fill_value=0)
    return pd.DataFrame(
        {
            "sample": fractions.index.repeat(fractions.shape[1]),
            "cell_type": list(fractions.columns) * len(fractions),
            "fraction": fractions.to_numpy().ravel(),
            "n_cells": counts.to_numpy().ravel(),
        }
    )


def _write_cohort(cohort: Cohort, settings: CohortSettings, directory: Path) -> None:
    """Write truth and sheets, then the config, so that a config means a complete cohort."""
    cells = cohort.cells.astype(dict.fromkeys(cohort.cells.filter(like="is_").columns, int))
    _write_table(cells, directory / "truth" / "cells.tsv.gz")
    for name in ("composition", "effects", "lamm_genes", "libraries"):
        _write_table(getattr(cohort, name), directory / "truth" / f"{name}.tsv")
    written = yaml.safe_dump(_plain(asdict(settings)), sort_keys=False)
    _write_text(written, directory / "truth" / "settings.yaml")
    _write_table(cohort.samples, directory / "samples.tsv")
    _write_table(cohort.patients, directory / "patients.tsv")
    config = {
        "samples": f"{directory.as_posix()}/samples.tsv",
        "patients": f"{directory.as_posix()}/patients.tsv",
        "response": {
            "column": "response",
            "responder": list(ARMS["responder"]),
            "non_responder": list(ARMS["non_responder"]),
        },
        "timepoints": {phase: [label] for phase, (label, _) in PHASES.items()},
        "survival": {"response_day": RESPONSE_DAY},
    }
    text = "# A simulated cohort; its truth is in truth/. All other keys have their defaults.\n"
    _write_text(text + yaml.safe_dump(config, sort_keys=False), directory / "config.yaml")


def _plain(settings: dict[str, object]) -> dict[str, object]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}


def _write_table(table: pd.DataFrame, path: Path) -> None:
    _write_text(table.to_csv(sep="\t", index=False, float_format="%.6g"), path)


def _write_text(text: str, path: Path) -> None:
    """Write text, gzipped without a time stamp if the suffix is `.gz`, for reproducible bytes."""
    with whole_file(path) as name:
        if path.suffix == ".gz":
            packed = io.BytesIO()
            with gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as file:
                file.write(text.encode())
            name.write_bytes(packed.getvalue())
        else:
            name.write_text(text, encoding="utf-8")
