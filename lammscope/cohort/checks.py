"""Checks of config, sheets, contrasts and matrices before anything is computed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lammscope.cohort.comparison import Comparison, compare
from lammscope.cohort.config import ConfigLines, bombs_in, check_config
from lammscope.cohort.contig_files import contig_mistakes
from lammscope.cohort.contrast_checks import contrast_mistakes, reason_for_none
from lammscope.cohort.contrast_config import DEFAULT, contrasts_from_config, primary_contrast
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.covariates import possible_codes, text_notes, used_columns
from lammscope.cohort.definition import definition_mistakes, replication_note, take_definition
from lammscope.cohort.definition_file import Definition
from lammscope.cohort.file_checks import file_mistakes
from lammscope.cohort.follow_up import Endpoint
from lammscope.cohort.identity import copied_matrices, samples_of_same_cells
from lammscope.cohort.last_run import LastRun, find_ingested, input_states, without_changed
from lammscope.cohort.multiverse import Multiverse, is_listed, read_multiverse
from lammscope.cohort.multiverse_checks import multiverse_mistakes
from lammscope.cohort.outside import outside_notes
from lammscope.cohort.pair_checks import axis_contrast_mistakes
from lammscope.cohort.parts import sizes_of
from lammscope.cohort.remote import LookUp, Remote, kinds_to_fetch, remote_states
from lammscope.cohort.sheets import check_sheets
from lammscope.cohort.sorts import label_mistakes
from lammscope.core.names import NO_SYMBOLS
from lammscope.core.words import near
from lammscope.ingest.matrices.barcodes import read_barcodes
from lammscope.ingest.matrices.read import describe_matrix, inspect_matrix, lacks_symbols

SAID = "is|names|lists|has|needs|repeats"  # after the key, in mistakes of the config
SIZE = "size"  # the default of `inputs.compare`, for a config with mistakes


@dataclass(frozen=True)
class Intake:
    """A checked run: the resolved config, the table of samples, the contrasts, and notes.

    `formats` gives the format of each matrix that was inspected, by sample, and `choices` what is
    read of files that hold several matrices. `inputs` has the state of each sample's files (see
    `input_states`), if they were looked at. `known` names the samples that the last run has read in
    from the same input, with the same thresholds. `definition` is of the first cohort, whose result
    this run replicates. `endpoints` are those of survival. `remote` are the matrices on servers.
    """

    config: dict[str, Any]
    samples: pd.DataFrame
    contrasts: list[Contrast]
    notes: list[str]
    formats: dict[str, str] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    definition: Definition | None = None
    endpoints: Sequence[Endpoint] = ()
    remote: Remote = field(default_factory=Remote)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """The contrasts applied to the samples; what a dry run needs of them is computed once."""
        return compare(self.samples, self.contrasts)

    @cached_property
    def multiverse(self) -> Multiverse | None:
        """Other choices of the analysis; None if the config lists none."""
        if not is_listed(self.config):
            return None
        contrast = primary_contrast(self.config, self.contrasts)
        return read_multiverse(self.config, adjust=contrast.adjust if contrast else ())


def check_run(
    config: Mapping[str, Any],
    *,
    sources: Sequence[str | Path] = (),
    look: bool = True,
    last: LastRun | None = None,
    look_up: LookUp | None = None,
) -> Intake:
    """Check config, sheets, contrasts and matrices, and report all mistakes together.

    Parameters
    ----------
    config
        The config as the user wrote it.
    sources
        The config files it was read from, used to name the line of a mistake.
    look
        Whether to check that matrices and lists of barcodes exist and can be read. Jobs need not
        repeat this.
    last
        Samples that an earlier run has read in: their matrices need not exist.
    look_up
        Asks servers for matrices that are named by an address, also in jobs.

    Raises
    ------
    ValueError
        One line per mistake: the file, the line or row, the column, the value, and the remedy.
    """
    if bombs := bombs_in(sources):
        raise ValueError("\n".join(bombs))
    config, definition, unread = take_definition(config)
    resolved, mistakes = check_config(config, sources=sources)
    faulty = bool(mistakes)
    lines = ConfigLines(sources)
    mistakes += [*unread, *file_mistakes(resolved, lines)]
    compare = resolved["inputs"]["compare"] if not faulty else SIZE
    last, changed = _still_valid(last, resolved, compare=compare) if look else (last, {})
    sheets = check_sheets(resolved, look=look, last=last, look_up=look_up)
    last, changed = sheets.last, {**changed, **sheets.changed}
    mistakes += _located(sheets.mistakes, lines)
    contrasts: list[Contrast] = []
    looked: dict[str, tuple[str, str]] = {}
    if sheets.samples is not None:
        mistakes += _located(_batch_mistakes(resolved, sheets.samples), lines)
        if not faulty:
            contrasts, found = _make_contrasts(resolved, sheets.samples, lines, definition)
            mistakes += found
            mistakes += _located(multiverse_mistakes(resolved, sheets.samples, contrasts), lines)
        if definition and look and not faulty:
            matrices, on_servers = _matrices_of(sheets.samples), sheets.remote.sizes
            sizes = list(sizes_of(matrices, records={}, remote=on_servers).values())
            mistakes += definition_mistakes(definition, resolved, contrasts, lines, sizes=sizes)
        used = used_columns(resolved, contrasts)
        mistakes += [text for column, text in sheets.alike.items() if column in used]
        if look:
            looked, found = _look_at_files(sheets.samples, resolved["samples"], last=last)
            mistakes += found
        if not mistakes:  # these checks need valid sheets and contrasts
            mistakes += _unanswerable(resolved, sheets.samples, contrasts, lines)
    if mistakes or sheets.samples is None:
        raise ValueError("\n".join(dict.fromkeys(mistakes)))
    known = find_ingested(sheets.samples, last)
    states = input_states(sheets.samples, last, compare=compare) if look else {}
    adjusted = dict.fromkeys(column for contrast in contrasts for column in contrast.adjust)
    notes = [
        *([replication_note(definition)] if definition else []),
        *outside_notes(resolved, sheets.samples),
        *sheets.notes,
        *(text for name, text in sheets.alike.items() if name not in used),
        *possible_codes(sheets.samples, adjusted).values(),
        *text_notes(sheets.samples, adjusted).values(),
        *_contrast_notes(sheets.samples, contrasts),
        *_change_notes(sheets.samples, changed, resolved["samples"]),
    ]
    return Intake(
        resolved,
        sheets.samples,
        contrasts,
        notes,
        formats={sample: kind for sample, (kind, _) in looked.items()}
        | kinds_to_fetch(sheets.samples[~known]),
        choices={sample: choice for sample, (_, choice) in looked.items() if choice},
        inputs=states | remote_states(sheets.samples, last, sheets.remote),
        known=frozenset(sheets.samples.loc[known, "sample"]),
        definition=definition,
        endpoints=sheets.endpoints,
        remote=sheets.remote,
    )


def _make_contrasts(
    config: Mapping[str, Any],
    samples: pd.DataFrame,
    lines: ConfigLines,
    definition: Definition | None,
) -> tuple[list[Contrast], list[str]]:
    """Return the contrasts, none if one is wrong, and mistakes in them and in labels of sorts."""
    unknown = label_mistakes(samples, config["sorts"])
    mistakes = [f"{config['samples']}: {text}" for text in unknown]
    try:
        made = contrasts_from_config(config["contrasts"], samples, sorts=config["sorts"])
    except ValueError as error:
        found = _located(str(error).splitlines(), lines)
        return [], mistakes + [text + _of_definition(text, definition) for text in found]
    return made, mistakes


def _matrices_of(samples: pd.DataFrame) -> dict[str, str]:
    """Return the matrix of each sample."""
    matrices = zip(samples["sample"], samples["counts"], strict=True)
    return {str(sample): path for sample, path in matrices if isinstance(path, str)}


def _unanswerable(
    config: Mapping[str, Any],
    samples: pd.DataFrame,
    contrasts: Sequence[Contrast],
    lines: ConfigLines,
) -> list[str]:
    """Find contrasts that these patients cannot answer; sheets and contrasts must be valid."""
    found = contrast_mistakes(samples, contrasts, primary=config["primary"], sorts=config["sorts"])
    mistakes = axis_contrast_mistakes(config, [contrast.name for contrast in contrasts], lines)
    is_default = config["contrasts"] == DEFAULT
    mistakes += [text + _of_default(text, is_default) for text in _located(found, lines)]
    if not contrasts and is_default:
        mistakes.append(f"config: {reason_for_none(samples, sorts=config['sorts'])}")
    return mistakes


def _of_default(mistake: str, is_default: bool) -> str:
    """Return the end of a message on a contrast that the config does not name."""
    if not is_default or "contrast `" not in mistake:
        return ""
    return " (a default contrast: name your own under `contrasts` in the config)"


def _of_definition(mistake: str, definition: Definition | None) -> str:
    """Return the end of a message on the contrast of a definition."""
    if definition is None or f"contrast `{definition.contrast}`" not in mistake:
        return ""
    return f" (the primary contrast of {definition.path})"


def _still_valid(
    last: LastRun | None, config: Mapping[str, Any], *, compare: str
) -> tuple[LastRun | None, dict[tuple[str, str], str]]:
    """Return what is still valid of the last run, and what changed in the files of its samples."""
    if last is None or last.qc != config.get("qc"):
        return None, {}
    return without_changed(last, compare=compare)


def _contrast_notes(samples: pd.DataFrame, contrasts: Sequence[Contrast]) -> list[str]:
    """Return what is worth knowing of the samples that contrasts use."""
    return [
        text
        for comparison in compare(samples, contrasts)
        for text in comparison.contrast.notes(comparison.used)
    ]


def _change_notes(
    samples: pd.DataFrame, changed: Mapping[tuple[str, str], str], sheet: str
) -> list[str]:
    """Say which samples are read in again, because their files changed."""
    return [
        f"{sheet}: sample `{sample}`: {counts} changed since it was read in "
        f"({changed[sample, counts]}); it is read in again"
        for sample, counts in zip(samples["sample"], samples["counts"], strict=True)
        if (sample, counts) in changed
    ]


def _same_libraries(samples: pd.DataFrame, sheet: str, *, last: LastRun | None) -> list[str]:
    """Find samples that are copies of one file, or that hold the same cells."""
    known = samples.loc[find_ingested(samples, last), "sample"].tolist()
    records = {} if last is None else last.records
    found = [*copied_matrices(samples), *samples_of_same_cells(known, records)]
    return [f"{sheet}: {text}" for text in found]


def _batch_mistakes(config: Mapping[str, Any], samples: pd.DataFrame) -> list[str]:
    """Find batch columns that do not exist, have empty values, or are the response."""
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
                f"{said}, but correcting for the response would remove the difference of interest; "
                "use another column"
            )
        elif name not in columns:
            mistakes.append(
                f"{said}, which is not a column of either sheet{near(name, columns)}; columns: "
                f"{', '.join(columns)}"
            )
        elif samples[name].isna().any():
            empty = samples.loc[samples[name].isna(), "sample"].dropna().tolist()
            mistakes.append(f"{said}, which is empty for {', '.join(empty)}; fill it in")
    return mistakes


def _located(mistakes: Sequence[str], lines: ConfigLines) -> list[str]:
    """Prefix mistakes in the config with their file and line."""
    located = []
    for text in mistakes:
        contrast = re.match(r"contrast `([^`]+)`", text)
        key = re.match(rf"config: `([\w.-]+)` (?:{SAID})|config: .* in both `([a-z_.]+)`", text)
        if contrast:
            located.append(f"{lines.place(('contrasts', contrast[1]))}: {text}")
        elif key:
            path = tuple((key[1] or key[2]).split("."))
            located.append(f"{lines.place(path)}: {text.removeprefix('config: ')}")
        else:
            located.append(text)
    return located


def _look_at_files(
    samples: pd.DataFrame, sheet: str, *, last: LastRun | None
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Return what `_inspect_inputs` does, and all mistakes in the files of samples."""
    looked, mistakes = _inspect_inputs(samples, sheet, last=last)
    mistakes = mistakes or _without_symbols(samples, sheet)
    mistakes += contig_mistakes(samples, sheet)
    return looked, mistakes + _same_libraries(samples, sheet, last=last)


def _inspect_inputs(
    samples: pd.DataFrame, sheet: str, *, last: LastRun | None = None
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Return by sample the format of its matrix and what is read of several; and mistakes.

    Mistakes are matrices and lists of barcodes that cannot be read, and lists that share barcodes.
    """
    looked, mistakes = {}, []
    barcodes = samples.get("barcodes", pd.Series(pd.NA, index=samples.index, dtype="str"))
    genomes = samples.get("genome", pd.Series(pd.NA, index=samples.index, dtype="str"))
    layers = samples.get("layer", pd.Series(pd.NA, index=samples.index, dtype="str"))
    lists: dict[tuple[str, str], set[str]] = {}
    known = find_ingested(samples, last)
    chosen = zip(genomes, layers, strict=True)
    inputs = zip(samples["sample"], samples["counts"], barcodes, chosen, known, strict=True)
    for sample, counts, listed, (genome, layer), is_known in inputs:
        if isinstance(counts, str) and not is_known and Path(counts).exists():
            try:
                how = {
                    "genome": genome if isinstance(genome, str) else None,
                    "layer": layer if isinstance(layer, str) else None,
                }
                kind = inspect_matrix(counts, **how)
                looked[str(sample)] = kind, describe_matrix(counts, **how)
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
                        f"{sheet}: samples `{other}` and `{sample}`: their `barcodes` overlap in "
                        f"{counts} (shared: {len(own & cells)}, e.g. {min(own & cells)}); a "
                        "barcode can belong to one sample only"
                    )
            lists[sample, counts] = own
    return looked, mistakes


def _without_symbols(samples: pd.DataFrame, sheet: str) -> list[str]:
    """Refuse a cohort in which every matrix names genes by id only; one with symbols is enough."""
    chosen = samples.reindex(columns=["counts", "genome", "layer"]).astype(object)
    for counts, genome, layer in chosen.itertuples(index=False):
        how = {
            name: value if isinstance(value, str) else None
            for name, value in (("genome", genome), ("layer", layer))
        }
        is_there = isinstance(counts, str) and Path(counts).exists()
        if not is_there or not lacks_symbols(counts, **how):
            return []
    return [f"{sheet}: {NO_SYMBOLS}"]


def refusal(error: ValueError) -> tuple[str, list[str]]:
    """Return a heading for the mistakes of `check_run`, and one line for each."""
    mistakes = str(error).splitlines()
    number = "1 error" if len(mistakes) == 1 else f"{len(mistakes)} errors"
    where = "in the config, the sheets or the matrices"
    return f"lammscope: {number} {where}; nothing was run:", mistakes
