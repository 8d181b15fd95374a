"""`python -m lammscope.simulate`: write a simulated cohort with its sheets, config and truth."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lammscope.simulate.cohort import simulate_cohort, summarize
from lammscope.simulate.droplets import DropletSettings
from lammscope.simulate.plan import MYELOID_TYPES, CohortSettings
from lammscope.simulate.profiles import LAMM

# Numbers of the settings that the command line takes: field, option, help.
COHORT_OPTIONS = (
    ("patients_per_arm", "--patients", "patients per arm"),
    ("cells", "--cells", "healthy single cells per sample"),
    (
        "lamm_log_odds",
        "--lamm-log-odds",
        "difference in log odds of LAMM among monocytic cells before infusion, "
        "non-responders minus responders",
    ),
    (
        "change_log_odds",
        "--change-log-odds",
        "added to this difference after infusion",
    ),
    (
        "lamm_fraction",
        "--lamm-fraction",
        "fraction of LAMM cells among the monocytic cells of a typical responder",
    ),
    (
        "monocytic_log_odds",
        "--monocytic-log-odds",
        "difference in log odds of monocytic cells (LAMM positive) among immune cells before and "
        "after infusion, non-responders minus responders",
    ),
    (
        "patient_sd",
        "--patient-sd",
        "standard deviation between patients of an arm, log odds of LAMM",
    ),
    (
        "sample_sd",
        "--sample-sd",
        "standard deviation between samples of a patient, log odds of LAMM",
    ),
    (
        "hazard_log_ratio",
        "--hazard",
        "log hazard ratio of progression per unit of the log odds of LAMM",
    ),
    (
        "gene_effect",
        "--gene-effect",
        "multiplies the planted log2 fold changes inside LAMM cells",
    ),
    (
        "lamm_distinctness",
        "--lamm-distinctness",
        "1: LAMM cells as defined in the gene programs; 0: like classical monocytes",
    ),
    (
        "batch_strength",
        "--batch-strength",
        "standard deviation of gene effects between libraries, natural log",
    ),
    (
        "patient_strength",
        "--patient-strength",
        "standard deviation of gene effects between patients, natural log",
    ),
    (
        "capture_range",
        "--capture-range",
        "capture of defining and state genes, the best library relative to the worst (1: equal)",
    ),
    (
        "capture_sd",
        "--capture-sd",
        "standard deviation of the capture of single such genes between libraries, natural log",
    ),
    ("first_patient", "--first-patient", "number of the first patient"),
    ("seed", "--seed", "the same seed gives the same files"),
    ("missing_post", "--missing-post", "patients per arm without a sample after infusion"),
    (
        "poor_libraries",
        "--poor",
        "samples that are poor libraries: 50 cells of about 1,500 UMIs among 4,600 barcodes, the "
        "others with 300 to 900 UMIs of ambient RNA",
    ),
)
DROPLET_OPTIONS = (
    (
        "doublet_fraction",
        "--doublets",
        "doublets, as a fraction of the healthy cells; larger in libraries with more cells",
    ),
    (
        "dying_overlap",
        "--dying-overlap",
        "overlap of the mitochondrial percentages of dying and living cells (1: the same)",
    ),
    ("empty_fraction", "--empty", "empty droplets, as a fraction of the healthy cells"),
    ("ambient_fraction", "--ambient", "ambient RNA, as a fraction of the UMIs of a typical cell"),
    ("depth", "--depth", "multiplies the UMIs of every cell (1: a median of about 3,400)"),
)
# What --null leaves out.
PLANTED = (
    *("lamm_log_odds", "change_log_odds", "monocytic_log_odds", "gene_effect"),
    "hazard_log_ratio",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a cohort from the command line and return the exit code; see `--help`."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        cohort = simulate_cohort(_settings(given), given.directory, threads=given.threads)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    print(summarize(cohort))
    folder = Path(given.directory).as_posix()
    print(
        f"Run it: snakemake --cores 2 --configfile {folder}/config.yaml "
        f"--config pathvars='{{results: {folder}/results}}'"
    )
    return 0


def _settings(given: argparse.Namespace) -> CohortSettings:
    values = {name: getattr(given, name) for name, _, _ in COHORT_OPTIONS}
    values |= dict.fromkeys(PLANTED, 0.0) if given.null else {}
    without = MYELOID_TYPES if given.no_myeloid else (LAMM,) if given.no_lamm else ()
    droplets = {name: getattr(given, name) for name, _, _ in DROPLET_OPTIONS}
    return CohortSettings(
        **values, without=without, unpaired=given.unpaired, droplets=DropletSettings(**droplets)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lammscope.simulate",
        description=(
            "Simulate a CAR-T cohort with more monocytes and more LAMM cells among them in "
            "non-responders: 10x HDF5 matrices, sample and patient sheets, a config, and the truth."
        ),
        epilog="Cell types, levels and effects are invented, for trials and planning only.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("directory", help="output folder, created if it does not exist")
    add = parser.add_argument
    defaults = CohortSettings()
    for settings, options in ((defaults, COHORT_OPTIONS), (defaults.droplets, DROPLET_OPTIONS)):
        for name, option, text in options:
            default = getattr(settings, name)
            add(option, dest=name, metavar="N", type=type(default), default=default, help=text)
    add("--threads", type=int, default=2, help="samples simulated in parallel; same results")
    add("--null", action="store_true", help="simulate no effects on LAMM cells")
    add("--no-lamm", action="store_true", help="simulate no LAMM cells")
    add(
        "--no-myeloid",
        action="store_true",
        help="simulate no monocytes, macrophages, LAMM cells, cDC, DC3 or neutrophils",
    )
    add("--unpaired", action="store_true", help="one sample per patient: before or after infusion")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
