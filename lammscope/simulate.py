"""Simulated cohorts with planted truth: 10x matrices, sheets, a config, and what was planted.

For the demo, for tests, and for planning a study: `python -m lammscope.simulate --help`.
"""

import argparse
import gzip
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import yaml

from lammscope.cohorts import (
    ARMS,
    MYELOID_TYPES,
    PHASES,
    CohortSettings,
    draw_fractions,
    effect_table,
    gene_table,
    plan_library,
    plan_samples,
)
from lammscope.core.runtime import whole_file
from lammscope.droplets import DropletSettings, feature_columns, simulate_library, write_library
from lammscope.programmes import LAMM, blend_lamm, read_programmes


@dataclass(frozen=True)
class Cohort:
    """What `simulate_cohort` wrote, as tables."""

    samples: pd.DataFrame
    patients: pd.DataFrame
    cells: pd.DataFrame
    composition: pd.DataFrame
    effects: pd.DataFrame
    lamm_genes: pd.DataFrame


def simulate_cohort(settings: CohortSettings, directory: str | Path, *, threads: int = 2) -> Cohort:
    """Draw a cohort and write it.

    `directory` receives `counts/{sample}.h5` (10x, v3 layout), `samples.tsv`, `patients.tsv`,
    `config.yaml`, and `truth/`: `cells.tsv.gz`, `composition.tsv`, `effects.tsv`, `lamm_genes.tsv`,
    `settings.yaml`. Paths inside begin with `directory` as it was given. The same settings give the
    same bytes, whatever `threads` is.

    Raises
    ------
    ValueError
        If `directory` holds matrices of another cohort.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    directory = Path(directory)
    programmes = read_programmes()
    patients, samples = plan_samples(settings)
    samples["counts"] = [f"{directory.as_posix()}/counts/{name}.h5" for name in samples["sample"]]
    _refuse_other_cohort(directory, samples["sample"])
    fractions = draw_fractions(settings, programmes, patients=patients, samples=samples)
    by_patient = patients.set_index("patient")
    programmes = replace(
        programmes, levels=blend_lamm(programmes, distinctness=settings.lamm_distinctness)
    )
    features = feature_columns(programmes)

    def make(number: int) -> pd.DataFrame:
        row = samples.iloc[number]
        plan = plan_library(
            settings,
            programmes,
            patient=by_patient.loc[row["patient"]],
            sample=row,
            fractions=fractions.loc[row["sample"]].to_dict(),
        )
        library = simulate_library(programmes, plan, settings=settings.droplets)
        write_library(row["counts"], library, features=features)
        return library.truth

    with ThreadPoolExecutor(max_workers=threads) as pool:
        cells = pd.concat(pool.map(make, range(len(samples))), ignore_index=True)
    cohort = Cohort(
        samples=samples[["sample", "patient", "timepoint", "counts", "compartment", "day"]],
        patients=patients[["patient", "response", "product", "sex", "age", "ldh"]],
        cells=cells,
        composition=_composition(cells, fractions),
        effects=effect_table(
            settings, programmes, patients=patients, samples=samples, fractions=fractions
        ),
        lamm_genes=gene_table(settings, programmes),
    )
    _write_cohort(cohort, settings, directory)
    return cohort


def summarise(cohort: Cohort) -> str:
    """What was written, in a few lines."""
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
            f"log odds of LAMM among monocytic cells, {row.contrast}: planted {row.planted:+.2f}, "
            f"realised {row.realised:+.2f}"
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
            f"{directory}/counts holds matrices of another cohort ({others[0]}.h5); "
            "remove that folder or choose another one"
        )


def _composition(cells: pd.DataFrame, fractions: pd.DataFrame) -> pd.DataFrame:
    """Expected fractions and counts of healthy single cells, per sample and type."""
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
    """Write truth and sheets, and the config last: where it stands, the cohort is whole."""
    cells = cohort.cells.astype(dict.fromkeys(cohort.cells.filter(like="is_").columns, int))
    _write_table(cells, directory / "truth" / "cells.tsv.gz")
    for name in ("composition", "effects", "lamm_genes"):
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
    }
    text = "# A simulated cohort; truth/ holds what was planted. Other keys have their defaults.\n"
    _write_text(text + yaml.safe_dump(config, sort_keys=False), directory / "config.yaml")


def _plain(settings: dict[str, object]) -> dict[str, object]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}


def _write_table(table: pd.DataFrame, path: Path) -> None:
    _write_text(table.to_csv(sep="\t", index=False, float_format="%.6g"), path)


def _write_text(text: str, path: Path) -> None:
    """Write text, compressed by suffix, with no time stamp: equal content gives equal bytes."""
    with whole_file(path) as name:
        if path.suffix == ".gz":
            packed = io.BytesIO()
            with gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as file:
                file.write(text.encode())
            name.write_bytes(packed.getvalue())
        else:
            name.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a cohort from the command line; see `--help`."""
    parser = _parser()
    given = parser.parse_args(arguments)
    without = (LAMM,) if given.no_lamm else ()
    try:
        settings = CohortSettings(
            patients_per_arm=given.patients,
            cells=given.cells,
            lamm_log_odds=0.0 if given.null else given.lamm_log_odds,
            change_log_odds=0.0 if given.null else given.change_log_odds,
            lamm_fraction=given.lamm_fraction,
            patient_sd=given.patient_sd,
            sample_sd=given.sample_sd,
            gene_effect=0.0 if given.null else given.gene_effect,
            lamm_distinctness=given.lamm_distinctness,
            batch_strength=given.batch_strength,
            patient_strength=given.patient_strength,
            without=MYELOID_TYPES if given.no_myeloid else without,
            missing_post=given.missing_post,
            unpaired=given.unpaired,
            seed=given.seed,
            droplets=DropletSettings(
                doublet_fraction=given.doublets,
                empty_fraction=given.empty,
                ambient_fraction=given.ambient,
                depth=given.depth,
            ),
        )
        cohort = simulate_cohort(settings, given.directory, threads=given.threads)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    print(summarise(cohort))
    folder = Path(given.directory).as_posix()
    print(
        f"Run it: snakemake --cores 2 --configfile {folder}/config.yaml "
        f"--config pathvars='{{results: {folder}/results}}'"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults, droplets = CohortSettings(), DropletSettings()
    parser = argparse.ArgumentParser(
        prog="python -m lammscope.simulate",
        description=(
            "Simulate a CAR-T cohort with a planted rise of LAMM cells in non-responders: 10x h5 "
            "matrices, sample and patient sheets, a config, and the truth."
        ),
        epilog="Cell types, levels and effects are invented: for trials and for planning only.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("directory", help="folder to write, made if absent")
    add = parser.add_argument
    add("--patients", type=int, default=defaults.patients_per_arm, help="patients per arm")
    add("--cells", type=int, default=defaults.cells, help="healthy single cells per sample")
    add(
        "--lamm-log-odds",
        type=float,
        default=defaults.lamm_log_odds,
        help="log-odds difference of LAMM among monocytic cells, non-responders minus responders",
    )
    add(
        "--change-log-odds",
        type=float,
        default=defaults.change_log_odds,
        help="what infusion adds to that in non-responders",
    )
    add(
        "--lamm-fraction",
        type=float,
        default=defaults.lamm_fraction,
        help="LAMM among the monocytic cells of a typical responder",
    )
    add(
        "--patient-sd",
        type=float,
        default=defaults.patient_sd,
        help="standard deviation between patients of an arm, log odds of LAMM",
    )
    add(
        "--sample-sd",
        type=float,
        default=defaults.sample_sd,
        help="standard deviation between samples of a patient, log odds of LAMM",
    )
    add(
        "--gene-effect",
        type=float,
        default=defaults.gene_effect,
        help="multiplies the planted log2 fold changes inside LAMM cells",
    )
    add(
        "--lamm-distinctness",
        type=float,
        default=defaults.lamm_distinctness,
        help="1: LAMM cells as in the programmes; 0: they look like classical monocytes",
    )
    add(
        "--batch-strength",
        type=float,
        default=defaults.batch_strength,
        help="standard deviation of a library's gene effects, natural log",
    )
    add(
        "--patient-strength",
        type=float,
        default=defaults.patient_strength,
        help="standard deviation of a patient's gene effects, natural log",
    )
    add(
        "--doublets",
        type=float,
        default=droplets.doublet_fraction,
        help="doublets, as a fraction of the healthy cells",
    )
    add(
        "--empty",
        type=float,
        default=droplets.empty_fraction,
        help="empty droplets, as a fraction of the healthy cells",
    )
    add(
        "--ambient",
        type=float,
        default=droplets.ambient_fraction,
        help="ambient molecules, as a fraction of a cell's UMI",
    )
    add(
        "--depth",
        type=float,
        default=droplets.depth,
        help="multiplies the UMI of every cell (1: a median of about 3,400)",
    )
    add("--seed", type=int, default=defaults.seed, help="same seed, same files")
    add("--threads", type=int, default=2, help="samples made at the same time; changes no result")
    add("--null", action="store_true", help="plant no effect that involves LAMM cells")
    add("--no-lamm", action="store_true", help="make no LAMM cells")
    add(
        "--no-myeloid",
        action="store_true",
        help="make no monocytes, macrophages, cDC, DC3, neutrophils",
    )
    add(
        "--missing-post",
        type=int,
        default=defaults.missing_post,
        help="patients per arm without a sample after infusion",
    )
    add("--unpaired", action="store_true", help="one sample per patient: before or after infusion")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
