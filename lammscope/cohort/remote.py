"""Count matrices named by an address (`https://...`, `s3://...`) instead of a path.

What a server says of a file (its size, and an ETag or a date) is its state. It is compared with the
record in the per-sample count file, so an unchanged file is not fetched again. Addresses are saved
without user name, password and all that follows `?`, which may hold a signature.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from lammscope.cohort.last_run import LastRun, find_ingested
from lammscope.core.words import counted

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(?:[^/?#]*@)?([^?#]*)")
# Formats of which one file is not the whole matrix, by the end of the name.
SEVERAL_FILES = re.compile(r"\.(mtx(\.gz)?|zarr|tar|tar\.\w+|tgz)$|^(barcodes|features|genes)\.tsv")
ONE_FILE = (
    "only single files are read from a server (10x `.h5`, `.h5ad`, `.loom`, `.rds`, `.zarr.zip`, a "
    "dense table)"
)

TO_FETCH = "from servers, looked into once fetched"


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server: its size in bytes, and what tells its versions apart, if anything."""

    size: int
    version: str = ""

    @property
    def state(self) -> str:
        """The state of the file, as Snakemake compares it."""
        return ", ".join(filter(None, [f"{self.size} bytes", self.version]))


# From whole addresses by the saved ones: what the server says of each, or why it says nothing.
LookUp = Callable[[Mapping[str, str]], Mapping[str, RemoteFile | str]]


@dataclass(frozen=True)
class Remote:
    """The matrices on servers.

    Attributes
    ----------
    addresses
        Whole addresses by the saved ones.
    found
        What the servers say of them, by the saved address: the file, or why it cannot be read.
    """

    addresses: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, RemoteFile | str] = field(default_factory=dict)

    def file(self, counts: object) -> RemoteFile | None:
        """Return the file of a saved address; None if it cannot be read, and for paths."""
        file = self.found.get(str(counts))
        return file if isinstance(file, RemoteFile) else None

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of the files by saved address."""
        return {name: file.size for name, file in self.found.items() if not isinstance(file, str)}


def is_address(path: object) -> bool:
    """Test whether a value of `counts` names a file on a server, and not a path."""
    return isinstance(path, str) and ADDRESS.match(path) is not None


def saved_address(address: str) -> str:
    """Return an address without what may be secret, as it is saved and printed.

    Examples
    --------
    >>> saved_address("https://me:word@host.org/a/P01.h5?X-Amz-Signature=0a")
    'https://host.org/a/P01.h5'
    """
    match = ADDRESS.match(address)
    return f"{match[1].lower()}://{match[2]}" if match else address


def look_up_matrices(
    samples: pd.DataFrame, look_up: LookUp | None
) -> tuple[pd.DataFrame, Remote, list[str]]:
    """Look up the addresses in `counts`.

    Parameters
    ----------
    samples
        The sample sheet, with rows numbered as in the file.
    look_up
        Asks the servers; None if they are not asked.

    Returns
    -------
    samples
        The sheet with saved addresses.
    remote
        Their whole addresses, and what the servers say.
    mistakes
        Addresses that cannot be used, whatever the servers say, without the name of the sheet.
    """
    whole = samples.loc[samples["counts"].map(is_address).astype(bool), "counts"]
    if whole.empty:
        return samples, Remote(), []
    saved = whole.map(saved_address)
    counts = samples["counts"].where(~samples.index.isin(whole.index), saved.reindex(samples.index))
    mistakes = [*_address_mistakes(saved), *_ambiguous(whole, saved)]
    addresses = dict(zip(saved, whole, strict=True))
    found = look_up(addresses) if look_up and not mistakes else {}
    return samples.assign(counts=counts.astype("str")), Remote(addresses, found), mistakes


def without_changed_remote(
    samples: pd.DataFrame, last: LastRun | None, remote: Remote
) -> tuple[LastRun | None, dict[tuple[str, str], str]]:
    """Leave out samples whose remote files changed since they were read in.

    Returns the last run without them, and what changed, as `last_run.without_changed`. Files that
    cannot be looked up now are not compared.
    """
    if last is None or not remote.found:
        return last, {}
    changed = {}
    rows = samples[find_ingested(samples, last)]
    for sample, counts in zip(rows["sample"], rows["counts"], strict=True):
        file, record = remote.file(counts), last.records.get(sample)
        if file is not None and record is not None and record.remote != file.state:
            changed[sample, counts] = f"{record.remote or 'unknown'} then, {file.state} now"
    gone = last.samples["sample"].isin([sample for sample, _ in changed])
    return replace(last, samples=last.samples[~gone]), changed


def remote_states(samples: pd.DataFrame, last: LastRun | None, remote: Remote) -> dict[str, str]:
    """Return the state of each sample's remote file: the present one, or that of the last run."""
    records = {} if last is None else last.records
    states = {}
    for sample, counts in zip(samples["sample"], samples["counts"], strict=True):
        if file := remote.file(counts):
            states[sample] = file.state
        elif is_address(counts) and sample in records:
            states[sample] = records[sample].remote
    return states


def kinds_to_fetch(samples: pd.DataFrame) -> dict[str, str]:
    """Return, for the plan, what kind of matrix samples have that are to be fetched."""
    rows = zip(samples["sample"], samples["counts"], strict=True)
    return {str(sample): TO_FETCH for sample, counts in rows if is_address(counts)}


def unread_mistakes(samples: pd.DataFrame, remote: Remote) -> Iterator[str]:
    """Yield why remote files that are to be read cannot be."""
    for row, sample, counts in zip(
        samples.index, samples["sample"], samples["counts"], strict=True
    ):
        problem = remote.found.get(counts)
        if isinstance(problem, str):
            yield f"row {row}: sample `{sample}`: `counts` is `{counts}`: {problem}"


def remote_notes(known: pd.DataFrame, remote: Remote) -> Iterator[str]:
    """Yield notes on addresses: what is not saved of them, and servers that were not asked.

    `known` has the samples that the last run has read in.
    """
    away = [c for c in dict.fromkeys(known["counts"]) if isinstance(remote.found.get(c), str)]
    if away:
        yield (
            f"remote matrices that cannot be looked up: {len(away)} (e.g. {away[0]}: "
            f"{remote.found[away[0]]}); data read from them by an earlier run are used"
        )
    if any("?" in address or "@" in address.split("/")[2] for address in remote.addresses.values()):
        yield (
            "what follows `?` in an address, and names and passwords before `@`, may be secret, so "
            "they are in no result, log or message; the sheet itself keeps them"
        )
    if remote.addresses and not remote.found:
        number = counted(len(remote.addresses), "matrices")
        yield f"{number} on servers: they are looked up when the workflow starts"


def _address_mistakes(saved: pd.Series) -> Iterator[str]:
    for row, address in saved.items():
        name = address.rpartition("/")[2]
        where = f"row {row}: `counts` is `{address}`"
        if "{" in address or "}" in address:
            yield f"{where}: braces in an address are not supported; rename the file"
        elif not name or address.count("/") < 3 or SEVERAL_FILES.search(name.lower()):
            yield f"{where}: {ONE_FILE}; download all files of this matrix and give their path"


def _ambiguous(whole: pd.Series, saved: pd.Series) -> Iterator[str]:
    """Find addresses that would be saved alike."""
    for address, rows in whole.groupby(saved):
        if rows.nunique() > 1:
            yield (
                f"rows {', '.join(map(str, rows.index))}: the addresses differ only after "
                f"`{address}`, in what is not saved because it may be secret; give addresses that "
                "differ before `?`, or download the files and give their paths"
            )
