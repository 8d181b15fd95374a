"""Checks of both sheets, and one table with a row per sample."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from lammscope.cohort.config import as_label, read_schema
from lammscope.cohort.covariates import as_categories, category_mistakes, spelled_alike
from lammscope.cohort.follow_up import Endpoint, find_endpoints, follow_up_mistakes, follow_up_notes
from lammscope.cohort.identity import file_identity, listed
from lammscope.cohort.labels import label_mistakes
from lammscope.cohort.last_run import LastRun, find_ingested
from lammscope.cohort.remote import (
    LookUp,
    Remote,
    is_address,
    look_up_matrices,
    remote_notes,
    saved_address,
    unread_mistakes,
    without_changed_remote,
)
from lammscope.cohort.sheet_file import fill_defaults, read_sheet
from lammscope.core.names import ARMS, FILE_COLUMNS, PHASES, UNSTATED
from lammscope.core.words import near, shortened

OWN_NAMES = {"phase", "response_label", "arm", "side", "unit", "samples", "complete", "trend"}
OF_CHANNEL = ("expected_cells", "doublet_rate")  # columns that the samples of a channel share


@dataclass(frozen=True)
class Sheets:
    """Both sheets: the table of samples (None if it cannot be made), mistakes and notes.

    `alike` has a line for each column with levels that differ only in capitals or spaces, and
    `endpoints` the endpoints of survival. `remote` are the matrices on servers, `last` what is
    still valid of the last run, and `changed` says which of its remote files changed.
    """

    samples: pd.DataFrame | None
    mistakes: list[str]
    notes: list[str]
    alike: dict[str, str] = field(default_factory=dict)
    endpoints: Sequence[Endpoint] = ()
    remote: Remote = field(default_factory=Remote)
    last: LastRun | None = None
    changed: Mapping[tuple[str, str], str] = field(default_factory=dict)


class Paths(NamedTuple):
    """Paths of the two sheets."""

    samples: str
    patients: str


def read_samples(config: Mapping[str, Any]) -> pd.DataFrame:
    """Read both sheets as one table with a row per sample.

    Parameters
    ----------
    config
        From `config.resolve_config`: `samples`, `patients`, `response` and `timepoints`.

    Returns
    -------
    DataFrame
        `sample`, `patient`, `timepoint`, `counts`, `channel`, `batch`, `compartment`, `sort`, every
        other column of the sample sheet, then those of the patient sheet; `phase` (pre, post or
        missing) and `response` (responder, non_responder or missing; the sheet's own value is in
        `response_label`). Sorted by sample.

    Raises
    ------
    ValueError
        One line per mistake: the file, the row, the column, the value, and the remedy.
    """
    sheets = check_sheets(config)
    if sheets.mistakes or sheets.samples is None:
        raise ValueError("\n".join(sheets.mistakes))
    return sheets.samples


def check_sheets(
    config: Mapping[str, Any],
    *,
    look: bool = True,
    last: LastRun | None = None,
    look_up: LookUp | None = None,
) -> Sheets:
    """Read both sheets and return all mistakes in and between them, without raising.

    Only the paths of matrices are checked here, not their content. If both files are tables,
    `Sheets.samples` is returned despite mistakes, so that contrasts can be checked, too.

    Parameters
    ----------
    config
        The resolved config.
    look
        Whether to check that matrices and lists of barcodes exist.
    last
        Samples that an earlier run has read in: their files need not exist any more.
    look_up
        Asks servers for matrices that are named by an address.
    """
    named = _named_values(config)
    samples_sheet = read_sheet(config["samples"], schema=read_schema("samples"), keep=named)
    patients_sheet = read_sheet(config["patients"], schema=read_schema("patients"), keep=named)
    mistakes = [*samples_sheet.mistakes, *patients_sheet.mistakes, *_listed_twice(config)]
    samples, patients = samples_sheet.table, patients_sheet.table
    if samples is None or patients is None:
        return Sheets(None, mistakes, [])
    paths = Paths(samples_sheet.path, patients_sheet.path)
    samples, remote, told = look_up_matrices(samples, look_up)
    last, changed = without_changed_remote(samples, last, remote)
    known = find_ingested(samples, last)
    sought = samples[~known] if look else samples.iloc[:0]
    read_anew = samples if look else samples.iloc[:0]  # contigs are not kept in other files
    mistakes += [
        *(f"{paths.samples}: {text}" for text in _sample_mistakes(samples)),
        *(f"{paths.samples}: {text}" for text in told),
        *(f"{paths.samples}: {text}" for text in unread_mistakes(sought, remote)),
        *(f"{paths.samples}: {text}" for text in _path_mistakes(sought, "counts")),
        *(f"{paths.samples}: {text}" for text in _path_mistakes(sought, "barcodes")),
        *(f"{paths.samples}: {text}" for text in _path_mistakes(read_anew, "contigs")),
        *(f"{paths.samples}: {text}" for text in _shared_matrices(samples, look=look)),
        *(f"{paths.samples}: {text}" for text in _channel_mistakes(samples)),
        *(f"{paths.samples}: {text}" for text in label_mistakes(samples)),
        *(f"{paths.patients}: {text}" for text in _patient_mistakes(patients)),
        *_mistakes_between(samples, patients, paths=paths),
        *_label_mistakes(samples, patients, config, paths=paths),
    ]
    table = _joined(samples, patients, config)
    mistakes += category_mistakes(table, config["categories"])
    mistakes += follow_up_mistakes(patients, table, config, path=paths.patients)
    notes = [*samples_sheet.notes, *patients_sheet.notes, *_notes(table, patients, paths=paths)]
    notes += follow_up_notes(patients, table, config, path=paths.patients)
    labels = {
        **named,
        "compartment": read_schema("samples")["properties"]["compartment"]["examples"],
    }
    labels.pop("sort")
    alike = {
        column: f"{path}: {text}"
        for path, sheet in zip(paths, (samples, patients), strict=True)
        for column, text in spelled_alike(sheet, labels).items()
    }
    kept = [path for path in samples.loc[known, "counts"] if look and not is_address(path)]
    archived = [path for path in kept if not _exists(path)]
    if archived:
        notes.append(
            f"{paths.samples}: matrices that no longer exist: {len(archived)} (e.g. "
            f"{archived[0]}); data read from them by an earlier run are used"
        )
    notes += [f"{paths.samples}: {text}" for text in remote_notes(samples[known], remote) if look]
    endpoints = find_endpoints(config, list(patients.columns))
    return Sheets(table, mistakes, notes, alike, endpoints, remote, last, changed)


def _named_values(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values that the config names, by column."""
    return {
        "timepoint": [label for phase in PHASES for label in config["timepoints"][phase]],
        config["response"]["column"]: [label for arm in ARMS for label in config["response"][arm]],
        "sort": list(config["sorts"]),
    }


def _joined(
    samples: pd.DataFrame, patients: pd.DataFrame, config: Mapping[str, Any]
) -> pd.DataFrame:
    """Join the sheets: one row per sample with its patient's columns, phase and arm."""
    samples = fill_defaults(samples.assign(channel=_channels(samples)), read_schema("samples"))
    for column in FILE_COLUMNS:
        if column in samples:
            samples[column] = samples[column].map(_plain_path, na_action="ignore").astype("str")
    own = patients[[c for c in patients.columns if c == "patient" or c not in samples]]
    own = own.dropna(subset="patient").drop_duplicates("patient")
    table = samples.merge(own, on="patient", how="left", validate="many_to_one")
    table["phase"] = _mapped(table["timepoint"], config["timepoints"])
    column = config["response"]["column"]
    labels = table[column] if column in table else pd.Series(pd.NA, index=table.index, dtype="str")
    arms = {arm: config["response"][arm] for arm in ARMS}
    table = table.assign(response_label=labels, response=_mapped(labels, arms))
    table = as_categories(table, config["categories"])
    return table.sort_values("sample", kind="stable").reset_index(drop=True)


def _channels(samples: pd.DataFrame) -> pd.Series:
    """Return the channel of each sample; without one, samples of a matrix share that of the first.

    Missing only if the path of the matrix is missing, too.
    """
    paths = samples["counts"].map(_plain_path, na_action="ignore")  # `./a` becomes `a`
    shared = samples.groupby(paths)["sample"].transform("first")
    return samples["channel"].fillna(shared) if "channel" in samples else shared


def _channel_mistakes(samples: pd.DataFrame) -> Iterator[str]:
    """Find samples of one channel with different values in columns of the channel."""
    channels = _channels(samples).fillna(samples["sample"])
    for column in samples.columns.intersection(list(OF_CHANNEL)):
        given = pd.to_numeric(samples[column], errors="coerce").dropna()
        for channel, values in given.groupby(channels[given.index], sort=False):
            if values.nunique() > 1:
                rows = ", ".join(f"{value:g} (row {row})" for row, value in values.items())
                yield (
                    f"rows {', '.join(map(str, values.index))}: samples of channel `{channel}` "
                    f"differ in `{column}`: {rows}; give one value for the channel"
                )


def _sample_mistakes(samples: pd.DataFrame) -> Iterator[str]:
    names = samples["sample"].dropna()
    yield from _repeated(names, "sample")
    folded = names[~names.duplicated()].str.lower()
    for row, value in folded[folded.duplicated()].items():
        name, twin = names.loc[[row, folded.index[folded == value][0]]]
        yield (
            f"row {row}: sample `{name}` differs from `{twin}` only in capitals, which many file "
            "systems do not distinguish; rename one"
        )
    for name in names[names.str.endswith(".moments")]:
        yield (
            f"row {names.index[names == name][0]}: sample `{name}`: names that end in `.moments` "
            "are reserved; rename it"
        )


def _path_mistakes(samples: pd.DataFrame, column: str) -> Iterator[str]:
    values = samples[column] if column in samples else pd.Series(dtype="str")
    for row, value in values.dropna().items():
        if is_address(value):
            if column != "counts":
                yield (
                    f"row {row}: `{column}` is `{saved_address(value)}`, but only `counts` may "
                    "name a file on a server; download this one and give its path"
                )
        elif not _exists(value):
            path = Path(value)
            folder = path.parent
            others = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
            yield (
                f"row {row}: `{column}` is `{value}`, which does not exist"
                f"{near(path.name, others)}; paths are relative to the folder where Snakemake runs"
            )


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return False


def _shared_matrices(samples: pd.DataFrame, *, look: bool) -> Iterator[str]:
    """Find samples of the same matrix without a list of barcodes, or with the same list.

    With `look`, links to a file and other spellings of its path are the same matrix.
    """
    known = samples.dropna(subset=["counts", "sample"])
    identity = file_identity if look else lambda value: Path(value).absolute().as_posix()
    paths = known["counts"].map(identity)
    barcodes = known.get("barcodes", pd.Series(pd.NA, index=known.index, dtype="str"))
    for _, rows in known.groupby(paths, sort=False):
        if len(rows) < 2:
            continue
        where = f"rows {', '.join(map(str, rows.index))}"
        spellings = rows["counts"].map(_plain_path).drop_duplicates().tolist()
        verb = "are" if len(spellings) > 2 else "is"
        same = f" ({listed(spellings[1:])} {verb} the same file)" if len(spellings) > 1 else ""
        without = rows.index[barcodes[rows.index].isna()]
        if len(without):
            yield (
                f"{where}: several samples have the same matrix `{rows['counts'].iloc[0]}`"
                f"{same}, so each cell would be counted several times; correct the paths, or list "
                "the cells of each sample in `barcodes` (missing in "
                f"{'rows' if len(without) > 1 else 'row'} {', '.join(map(str, without))})"
            )
        elif len(spellings) > 1:
            yield (
                f"{where}: several paths to one matrix ({listed(spellings)}); write the same path "
                "in all these rows"
            )
        for first, second in combinations(rows.index, 2):
            if barcodes[first] == barcodes[second]:
                yield (
                    f"rows {first} and {second}: the same matrix with the same `barcodes` "
                    f"`{barcodes[first]}`; each sample needs its own list"
                )


def _patient_mistakes(patients: pd.DataFrame) -> Iterator[str]:
    names = patients["patient"].dropna()
    for value in names[names.duplicated()].unique():
        rows = patients.loc[names.index[names == value]]
        differ = [c for c in rows.columns[1:] if rows[c].nunique(dropna=False) > 1]
        what = [f"{column} {' and '.join(map(str, rows[column]))}" for column in differ]
        with_what = f", with {'; '.join(what)}" if what else ""
        yield (
            f"rows {', '.join(map(str, rows.index))}: patient `{value}` appears "
            f"{len(rows)} times{with_what}; keep one row per patient"
        )


def _repeated(values: pd.Series, column: str) -> Iterator[str]:
    for row, value in values[values.duplicated()].items():
        first = values.index[values == value][0]
        yield f"row {row}: {column} `{value}` is also in row {first}; names must be unique"


def _mistakes_between(
    samples: pd.DataFrame, patients: pd.DataFrame, *, paths: Paths
) -> Iterator[str]:
    known = patients["patient"].dropna().tolist()
    for row, value in samples["patient"].dropna().items():
        if value not in set(known):
            yield (
                f"{paths.samples}: row {row}: patient `{value}` is not in {paths.patients}"
                f"{near(value, known)}; add a row there"
            )
    for name in samples.columns.intersection(patients.columns).difference(["patient"]):
        yield f"{paths.patients}: column `{name}` is also in {paths.samples}; keep it in one sheet"
    for path, sheet in zip(paths, (samples, patients), strict=True):
        for name in sheet.columns.intersection(sorted(OWN_NAMES)):
            yield f"{path}: column name `{name}` is reserved for the workflow; rename the column"


def _listed_twice(config: Mapping[str, Any]) -> Iterator[str]:
    for section, (first, second) in (("timepoints", PHASES), ("response", ARMS)):
        for value in sorted(set(config[section][first]) & set(config[section][second])):
            yield (
                f"config: `{value}` is in both `{section}.{first}` and `{section}.{second}`; "
                "keep it in one"
            )


def _label_mistakes(
    samples: pd.DataFrame, patients: pd.DataFrame, config: Mapping[str, Any], *, paths: Paths
) -> Iterator[str]:
    """Find responses and time points that differ from the config, probably by mistake."""
    column = config["response"]["column"]
    timepoints = [label for phase in PHASES for label in config["timepoints"][phase]]
    for text in _miswritten(samples["timepoint"], timepoints, section="timepoints"):
        yield f"{paths.samples}: {text}"
    if column in samples and column not in patients:
        yield (
            f"{paths.samples}: column `{column}` holds the response, which belongs to the patient; "
            f"move it to {paths.patients}"
        )
        return
    if column not in patients:
        others = patients.columns.difference(list(read_schema("patients")["properties"]))
        hint = near(column, [c for c in others if c.lower()[:4] == column.lower()[:4]])
        if hint or column != "response":
            yield (
                f"{paths.patients}: no column `{column}`{hint}, which is `response.column` of the "
                f"config; columns: {', '.join(patients.columns)}"
            )
        return
    labels = [label for arm in ARMS for label in config["response"][arm]]
    for text in _miswritten(patients[column], labels, section="response"):
        yield f"{paths.patients}: {text}"
    found = sorted(set(patients[column].dropna().map(as_label)))
    if found and not set(labels) & set(found):
        yield (
            f"{paths.patients}: no value of `{column}` ({', '.join(found)}) is listed in the "
            "config; list them in `response.responder` and `response.non_responder`"
        )


def _miswritten(values: pd.Series, labels: list[str], *, section: str) -> Iterator[str]:
    """Find values that differ from a label of the config only in capitals, spaces or hyphens."""
    plain = {_bare(label): label for label in labels}
    for row, value in values.dropna().items():
        label = as_label(value)
        if label not in labels and _bare(label) in plain:
            yield (
                f"row {row}: `{values.name}` is `{label}`, but `{section}` of the config lists "
                f"`{plain[_bare(label)]}`; use the same spelling in both"
            )


def _bare(label: str) -> str:
    return "".join(letter for letter in label.lower() if letter.isalnum() or letter in "+-.")


def _notes(samples: pd.DataFrame, patients: pd.DataFrame, *, paths: Paths) -> Iterator[str]:
    """Yield notes that are not mistakes but worth reading before a long run."""
    unused = sorted(set(patients["patient"].dropna()) - set(samples["patient"].dropna()))
    if unused:
        yield f"{paths.patients}: patients without a sample, not used: {', '.join(unused)}"
    unmapped = sorted(set(samples.loc[samples["phase"].isna(), "timepoint"].dropna()))
    if unmapped:
        yield (
            f"time points neither before nor after infusion: {', '.join(unmapped)} (see "
            "`timepoints` in the config)"
        )
    unstated = samples.loc[samples["compartment"] == UNSTATED, "sample"].dropna().tolist()
    if unstated:
        rest = len(samples) - len(unstated)
        apart = ", not with the other samples" if rest else ""
        yield (
            f"{paths.samples}: `compartment` is empty for {shortened(unstated)}; they are compared "
            f"with each other{apart}, as `{UNSTATED}` (blood, marrow, tumour or product?)"
        )
    labels = samples.drop_duplicates("patient")
    other = labels.loc[labels["response"].isna(), "response_label"].dropna()
    if len(other):
        counts = ", ".join(f"{value} ({n})" for value, n in other.value_counts().items())
        yield f"patients whose response is in neither arm: {counts}"


def _plain_path(path: str) -> str:
    return path if is_address(path) else Path(path).as_posix()


def _mapped(values: pd.Series, groups: Mapping[str, list[str]]) -> pd.Series:
    """Return the group that lists each value, or a missing value."""
    names = {value: group for group, members in groups.items() for value in members}
    return values.map(lambda value: names.get(as_label(value))).astype("str")
