"""`python -m lammscope.simulate`: write a simulated cohort with its sheets, config and truth."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lammscope.simulate.cohort import simulate_cohort, summarize
from lammscope.simulate.droplets import DropletSettings
from lammscope.simulate.plan import MYELOID_TYPES, CohortSettings
from lammscope.simulate.profiles import LAMM


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a cohort from the command line and return the exit code; see `--help`."""
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
    print(summarize(cohort))
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
            "Simulate a CAR-T cohort with more LAMM cells in non-responders: 10x HDF5 matrices, "
            "sample and patient sheets, a config, and the truth."
        ),
        epilog="Cell types, levels and effects are invented, for trials and planning only.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("directory", help="folder to write, created if it does not exist")
    add = parser.add_argument
    add("--patients", type=int, default=defaults.patients_per_arm, help="patients per arm")
    add("--cells", type=int, default=defaults.cells, help="healthy single cells per sample")
    add(
        "--lamm-log-odds",
        type=float,
        default=defaults.lamm_log_odds,
        help="difference in log odds of LAMM among monocytic cells before infusion, "
        "non-responders minus responders",
    )
    add(
        "--change-log-odds",
        type=float,
        default=defaults.change_log_odds,
        help="added to this difference after infusion",
    )
    add(
        "--lamm-fraction",
        type=float,
        default=defaults.lamm_fraction,
        help="fraction of LAMM cells among the monocytic cells of a typical responder",
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
        help="1: LAMM cells as defined in the gene programs; 0: like classical monocytes",
    )
    add(
        "--batch-strength",
        type=float,
        default=defaults.batch_strength,
        help="standard deviation of gene effects between libraries, natural log",
    )
    add(
        "--patient-strength",
        type=float,
        default=defaults.patient_strength,
        help="standard deviation of gene effects between patients, natural log",
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
        help="ambient RNA, as a fraction of the UMIs of a cell",
    )
    add(
        "--depth",
        type=float,
        default=droplets.depth,
        help="multiplies the UMIs of every cell (1: a median of about 3,400)",
    )
    add("--seed", type=int, default=defaults.seed, help="the same seed gives the same files")
    add("--threads", type=int, default=2, help="samples simulated in parallel; same results")
    add("--null", action="store_true", help="simulate no effects on LAMM cells")
    add("--no-lamm", action="store_true", help="simulate no LAMM cells")
    add(
        "--no-myeloid",
        action="store_true",
        help="simulate no monocytes, macrophages, LAMM cells, cDC, DC3 or neutrophils",
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
