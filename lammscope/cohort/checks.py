"""Everything that a run is told, checked in one go before anything is computed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lammscope.cohort.config import ConfigLines, check_config
from lammscope.cohort.contrast_checks import contrast_mistakes
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.gene_sets import read_gene_sets
from lammscope.cohort.last_run import LastRun, find_ingested
from lammscope.cohort.sheets import check_sheets
from lammscope.core.resources import find_resource
from lammscope.core.words import near
from lammscope.ingest.matrices.barcodes import read_barcodes
from lammscope.ingest.matrices.read import inspect_matrix

FILE_KEYS = (("annotation", "panel"), ("annotation", "celltypist_model"), ("lamm", "references"))
GENE_SET_KEYS = (("annotation", "states"), ("expression", "gene_sets"))
NO_FILE = "which does not exist; paths are relative to the folder where Snakemake runs"


@dataclass(frozen=True)
class Intake:
    """A run as it was asked for: the resolved config, one row per sample, the contrasts, notes."""

    config: dict[str, Any]
    samples: pd.DataFrame
    contrasts: list[Contrast]
    notes: list[str]


def check_run(
    config: Mapping[str, Any],
    *,
    sources: Sequence[str | Path] = (),
    look: bool = True,
    last: LastRun | None = None,
) -> Intake:
    """Check config, sheets, contrasts and matrices, and find every mistake at once.

    Parameters
    ----------
    config
        What the user wrote.
    sources
        The config files it was read from, to name the line of a mistake.
    look
        Whether to look for the matrices and the lists of barcodes and into them, which a job of a
        cluster need not do again.
    last
        What an earlier run has read in: the matrices of these samples are not looked for.

    Raises
    ------
    ValueError
        One line per mistake: the file, the line or row, the column, the value, and the remedy.
    """
    resolved, mistakes = check_config(config, sources=sources)
    faulty = bool(mistakes)
    lines = ConfigLines(sources)
    mistakes += _missing_files(resolved, lines) + _gene_set_mistakes(resolved, lines)
    if last and last.qc != resolved.get("qc"):
        last = None
    sheets = check_sheets(resolved, look=look, last=last)
    mistakes += _located(sheets.mistakes, lines)
    contrasts: list[Contrast] = []
    if sheets.samples is not None:
        mistakes += _located(_batch_mistakes(resolved, sheets.samples), lines)
        if not faulty:
            try:
                contrasts = contrasts_from_config(resolved["contrasts"], sheets.samples)
            except ValueError as error:
                mistakes += _located(str(error).splitlines(), lines)
        if look:
            mistakes += _unreadable_inputs(sheets.samples, resolved["samples"], last=last)
        if not mistakes:  # what depends on who is compared with whom says nothing before
            found = contrast_mistakes(
                sheets.samples, contrasts, primary=resolved["primary"], sorts=resolved["sorts"]
            )
            mistakes += _located(found, lines)
    if mistakes or sheets.samples is None:
        raise ValueError("\n".join(dict.fromkeys(mistakes)))
    return Intake(resolved, sheets.samples, contrasts, sheets.notes)


def _missing_files(config: Mapping[str, Any], lines: ConfigLines) -> list[str]:
    """Files that neither the user has nor the workflow brings."""
    return [
        f"{lines.place((section, key))}: `{section}.{key}` is `{config[section][key]}`, {NO_FILE}"
        for section, key in FILE_KEYS
        if config[section][key] and _find_file(config[section][key]) is None
    ]


def _gene_set_mistakes(config: Mapping[str, Any], lines: ConfigLines) -> list[str]:
    """GMT files that are not there, and what is wrong in those that are."""
    mistakes: list[str] = []
    for section, key in GENE_SET_KEYS:
        found = []
        for i, path in enumerate(config[section][key]):
            file = _find_file(path)
            if file is not None:
                found.append(file)
                continue
            place = lines.place((section, key, i))
            mistakes.append(f"{place}: `{section}.{key}` names `{path}`, {NO_FILE}")
        try:
            read_gene_sets(found)
        except ValueError as error:
            mistakes += str(error).splitlines()
    return list(dict.fromkeys(mistakes))


def _find_file(path: str) -> Path | None:
    """The user's own file, or the one that comes with the workflow."""
    try:
        return find_resource(path)
    except FileNotFoundError:
        return None


def _batch_mistakes(config: Mapping[str, Any], samples: pd.DataFrame) -> list[str]:
    """Columns to correct for that are unknown, empty for a sample, or what is to be found."""
    integration = config["integration"]
    named = [("batch", "is", integration["batch"])]
    named += [
        (f"{method}.covariates", "names", name)
        for method, settings in integration.items()
        if isinstance(settings, dict)
        for name in settings.get("covariates", [])
    ]
    response = {"response", "response_label", config["response"]["column"]}
    columns = [name for name in samples.columns if name not in response]
    mistakes = []
    for key, verb, name in named:
        said = f"config: `integration.{key}` {verb} `{name}`"
        if name in response:
            mistakes.append(
                f"{said}, and correcting for the response would remove what is looked for; take "
                "another column"
            )
        elif name not in columns:
            mistakes.append(
                f"{said}, no column of the sheets{near(name, columns)}; columns: "
                f"{', '.join(columns)}"
            )
        elif samples[name].isna().any():
            empty = samples.loc[samples[name].isna(), "sample"].dropna().tolist()
            mistakes.append(f"{said}, which is empty for {', '.join(empty)}; fill it in")
    return mistakes


def _located(mistakes: Sequence[str], lines: ConfigLines) -> list[str]:
    """Mistakes in what the config says, with the file and line where it says so."""
    located = []
    for text in mistakes:
        contrast = re.match(r"contrast `([^`]+)`", text)
        key = re.match(r"config: `([a-z_.]+)` (?:is|names)|config: .* in both `([a-z_.]+)`", text)
        if contrast:
            located.append(f"{lines.place(('contrasts', contrast[1]))}: {text}")
        elif key:
            path = tuple((key[1] or key[2]).split("."))
            located.append(f"{lines.place(path)}: {text.removeprefix('config: ')}")
        else:
            located.append(text)
    return located


def _unreadable_inputs(
    samples: pd.DataFrame, sheet: str, *, last: LastRun | None = None
) -> list[str]:
    """Matrices that are none, and lists of barcodes that are none or share cells."""
    mistakes = []
    barcodes = samples.get("barcodes", pd.Series(pd.NA, index=samples.index, dtype="str"))
    genomes = samples.get("genome", pd.Series(pd.NA, index=samples.index, dtype="str"))
    lists: dict[tuple[str, str], set[str]] = {}
    known = find_ingested(samples, last)
    inputs = zip(samples["sample"], samples["counts"], barcodes, genomes, known, strict=True)
    for sample, counts, listed, genome, is_known in inputs:
        if isinstance(counts, str) and not is_known and Path(counts).exists():
            try:
                inspect_matrix(counts, genome=genome if isinstance(genome, str) else None)
            except ValueError as error:
                mistakes.append(f"{sheet}: sample `{sample}`: counts {error}")
        if isinstance(listed, str) and Path(listed).exists():
            try:
                own = set(read_barcodes(listed).tolist())
            except ValueError as error:
                mistakes.append(f"{sheet}: sample `{sample}`: barcodes {error}")
                continue
            for (other, matrix), cells in lists.items():
                if matrix == counts and own & cells:
                    mistakes.append(
                        f"{sheet}: samples `{other}` and `{sample}`: their `barcodes` share "
                        f"{len(own & cells)} cells of {counts} (e.g. {min(own & cells)}); a cell "
                        "belongs to one sample"
                    )
            lists[sample, counts] = own
    return mistakes
