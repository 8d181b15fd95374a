"""Matrices named by an address: what is asked, compared, saved and refused."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml

from lammscope.cohort import remote_access
from lammscope.cohort.checks import Intake, check_run
from lammscope.cohort.last_run import LastRun
from lammscope.cohort.remote import RemoteFile, saved_address
from lammscope.cohort.remote_access import RemoteAccess, fetch_whole
from lammscope.cohort.servers import OTHER, SERVERS, Unreadable
from lammscope.core.shards import InputRecord
from lammscope.provenance.run import without_secrets
from tests.servers import CountingServer, http_server, s3_server

FILE = RemoteFile(5000, 'ETag "a1"')
ADDRESS = "https://host.org/runs/P01.h5"
HTTP = SimpleNamespace(settings=SimpleNamespace(auth=None, allow_redirects=True))
Check = Callable[..., tuple[Intake | None, str]]


@pytest.fixture
def checked(relative_cohort: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Check the sound cohort with values in the row of its first sample."""
    monkeypatch.chdir(relative_cohort)

    def check(found: Any = FILE, *, last: LastRun | None = None, **values: str) -> Any:
        sheet = pd.read_csv("samples.tsv", sep="\t")
        for column, value in values.items():
            sheet[column] = [value] + (sheet[column].tolist()[1:] if column in sheet else [""] * 11)
        sheet.to_csv("samples.tsv", sep="\t", index=False)
        config = yaml.safe_load(Path("config.yaml").read_text())

        def look_up(addresses: Mapping[str, str]) -> Mapping[str, RemoteFile | str]:
            return dict.fromkeys(addresses, found)

        try:
            return check_run(config, look_up=look_up, last=last), ""
        except ValueError as error:
            return None, str(error)

    return check


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CountingServer]:
    for name in ("P01.h5", "signed/P01.h5", "locked/P01.h5"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"counts" * 100)
    with http_server(tmp_path) as serving:
        yield serving


def after_a_run(samples: pd.DataFrame, qc: Mapping[str, Any], remote: str) -> LastRun:
    """Make the last run of these samples, whose first was fetched in a given state."""
    first = samples["sample"].iloc[0]
    return LastRun(qc, samples, {first: InputRecord("size", 5000, "c", "d", remote)})


@pytest.mark.parametrize(
    ("address", "saved"),
    [
        (f"{ADDRESS}?X-Amz-Signature=0a&b=/c", ADDRESS),
        ("HTTPS://me:word@host.org/runs/P01.h5#part", ADDRESS),
        ("s3://bucket/a@b/P01.h5", "s3://bucket/a@b/P01.h5"),
    ],
)
def test_addresses_are_saved_without_secrets(address: str, saved: str) -> None:
    assert saved_address(address) == saved


def test_options_of_plugins_are_hidden_in_the_saved_command() -> None:
    command = [
        "-n",
        "--storage-s3-secret-key",
        "a:x",
        "b:y",
        "--cores",
        "2",
        "--storage-http-auth=z",
    ]
    shown = [
        "-n",
        "--storage-s3-secret-key",
        "***",
        "***",
        "--cores",
        "2",
        "--storage-http-auth=***",
    ]
    assert without_secrets(command) == shown


def test_a_remote_matrix_is_looked_up_and_saved_without_its_query(checked: Check) -> None:
    run, _ = checked(counts=f"{ADDRESS}?token=0a")
    assert run is not None
    first = run.samples.iloc[0]
    assert first["counts"] == ADDRESS
    assert run.inputs[first["sample"]] == '5000 bytes, ETag "a1"'
    assert run.formats[first["sample"]] == "from servers, looked into once fetched"
    assert run.remote.addresses == {ADDRESS: f"{ADDRESS}?token=0a"}
    assert [note for note in run.notes if "may be secret" in note and "0a" not in note]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"counts": "https://host.org/runs/"}, "only single files are read from a server"),
        ({"counts": "s3://bucket/P01/matrix.mtx.gz"}, "download all files of this matrix"),
        ({"counts": "https://host.org/P01.zarr"}, "download all files of this matrix"),
        ({"counts": "https://host.org/{P01}.h5"}, "braces in an address are not supported"),
        (
            {"barcodes": "https://host.org/a.tsv?sig=0a"},
            "only `counts` may name a file on a server",
        ),
        ({"contigs": "s3://bucket/a.csv"}, "only `counts` may name a file on a server"),
    ],
)
def test_what_is_not_one_file_on_a_server_is_refused(
    checked: Check, values: dict[str, str], words: str
) -> None:
    run, mistakes = checked(**values)
    assert run is None
    assert mistakes.startswith("samples.tsv: row 2: ")
    assert words in mistakes
    assert "0a" not in mistakes


def test_addresses_that_differ_in_their_query_alone_are_refused(checked: Check) -> None:
    sheet = pd.read_csv("samples.tsv", sep="\t")
    sheet.loc[1, "counts"] = f"{ADDRESS}?id=2"
    sheet.to_csv("samples.tsv", sep="\t", index=False)
    assert "the addresses differ only after" in checked(counts=f"{ADDRESS}?id=1")[1]


def test_a_file_that_cannot_be_read_stops_only_a_sample_that_is_not_read_in(checked: Check) -> None:
    run, _ = checked(counts=ADDRESS)
    assert run is not None
    last = after_a_run(run.samples, run.config["qc"], FILE.state)
    again, mistakes = checked("the server is away", last=last)
    assert mistakes == ""
    assert again is not None
    assert again.inputs[run.samples["sample"].iloc[0]] == FILE.state
    assert [note for note in again.notes if "the server is away" in note]
    _, mistakes = checked("the server is away", last=None)
    assert f"`counts` is `{ADDRESS}`: the server is away" in mistakes


def test_a_changed_file_is_to_be_read_again(checked: Check) -> None:
    run, _ = checked(counts=ADDRESS)
    assert run is not None
    first = run.samples["sample"].iloc[0]
    last = after_a_run(run.samples, run.config["qc"], FILE.state)
    same, _ = checked(last=last)
    changed, _ = checked(RemoteFile(5000, 'ETag "b2"'), last=last)
    assert same is not None
    assert changed is not None
    assert first in same.known
    assert first not in changed.known
    assert [note for note in changed.notes if 'ETag "a1" then, 5000 bytes, ETag "b2" now' in note]


def test_http_is_asked_for_size_and_version_without_reading_the_file(
    server: CountingServer, tmp_path: Path
) -> None:
    look, fetch = SERVERS["http"]
    file = look(f"{server.address}/P01.h5", HTTP)
    assert file.size == 600
    assert file.version.startswith("of ")
    assert server.asked == {"HEAD": 1}
    fetch(f"{server.address}/P01.h5", tmp_path / "copy", HTTP)
    assert (tmp_path / "copy").read_bytes() == b"counts" * 100


def test_a_link_that_allows_no_head_is_asked_for_a_byte(server: CountingServer) -> None:
    assert SERVERS["http"].look(f"{server.address}/signed/P01.h5?sig=0a", HTTP).size == 600
    assert server.asked == {"HEAD": 1, "GET": 1}


def test_a_name_and_password_are_taken_from_netrc(
    server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(netrc))
    address = f"{server.address}/locked/P01.h5"
    with pytest.raises(Unreadable, match="HTTP 401"):
        SERVERS["http"].look(address, HTTP)
    netrc.write_text("machine 127.0.0.1 login me password word\n")
    netrc.chmod(0o600)
    assert SERVERS["http"].look(address, HTTP).size == 600


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing.h5", "HTTP 404"),
        ("private/P01.h5", "HTTP 403"),
        ("page/login", "a web page, not a file"),
    ],
)
def test_http_problems_are_said_without_the_query(
    server: CountingServer, path: str, words: str
) -> None:
    with pytest.raises(Unreadable, match=words) as raised:
        SERVERS["http"].look(f"{server.address}/{path}?sig=0a", HTTP)
    assert "0a" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "size", "words"),
    [
        ("cut/P01.h5", 1000, "the connection broke; run again"),
        ("P01.h5", 900, "600 of 900 bytes arrived"),
        ("P01.h5", 600, "it changed during the run"),
    ],
)
def test_a_file_that_does_not_arrive_whole_is_not_left(
    server: CountingServer, tmp_path: Path, path: str, size: int, words: str
) -> None:
    copy = tmp_path / "copies" / "P01.h5"
    address, expected = f"{server.address}/{path}?sig=0a", RemoteFile(size, "of old")
    with pytest.raises(ValueError, match=words) as raised:
        fetch_whole(SERVERS["http"], HTTP, address, copy, expected=expected)
    assert str(raised.value).startswith(f"{server.address}/{path}: ")
    assert list(copy.parent.iterdir()) == []


def test_s3_is_asked_and_fetched_by_bucket_and_key(tmp_path: Path) -> None:
    look, fetch = SERVERS["s3"]
    with s3_server() as (_, client):
        provider = SimpleNamespace(s3c=SimpleNamespace(meta=SimpleNamespace(client=client)))
        client.put_object(Bucket="cohort", Key="a b/P01.h5", Body=b"counts")
        file = look("s3://cohort/a b/P01.h5", provider)
        assert file.size == 6
        assert file.version.startswith('ETag "')
        fetch("s3://cohort/a b/P01.h5", tmp_path / "copy", provider)
        assert (tmp_path / "copy").read_bytes() == b"counts"
        with pytest.raises(Unreadable, match="no such file in the bucket"):
            look("s3://cohort/nothing", provider)


def test_a_file_of_another_plugin_is_read_by_the_interface_of_all(tmp_path: Path) -> None:
    class Item:
        def __init__(self, query: str, **_: Any) -> None:
            self.query, self.path = query, tmp_path

        def exists(self) -> bool:
            if "broken" in self.query:
                raise RuntimeError(self.query)
            return "nothing" not in self.query

        def size(self) -> int:
            return 6

        def mtime(self) -> float:
            return 12.0

        def set_local_path(self, path: Path) -> None:
            self.path = path

        def retrieve_object(self) -> None:
            self.path.write_bytes(b"counts")

    provider = SimpleNamespace(get_storage_object_cls=lambda: Item)
    assert OTHER.look("gs://bucket/a", provider) == RemoteFile(6, "of 12")
    OTHER.fetch("gs://bucket/a", tmp_path / "copy", provider)
    assert (tmp_path / "copy").read_bytes() == b"counts"
    for address, words in {
        "gs://b/nothing": "no such file",
        "gs://b/broken?0a": "RuntimeError",
    }.items():
        with pytest.raises(Unreadable, match=words) as raised:
            OTHER.look(address, provider)
        assert "0a" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (ADDRESS, "snakemake-storage-plugin-http is not installed: run `make setup-storage`"),
        ("gs://bucket/a", "install snakemake-storage-plugin-gcs in .venv"),
        ("file:///a/b", "`file://` is not supported"),
    ],
)
def test_a_missing_plugin_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, words: str
) -> None:
    monkeypatch.setattr(remote_access, "find_spec", lambda _: None)
    workflow = SimpleNamespace(
        storage_settings=SimpleNamespace(local_storage_prefix=tmp_path / "storage"),
        is_main_process=True,
        dryrun=True,
    )
    found = RemoteAccess(workflow).look_up({address: address})
    assert words in str(found[address])
    assert not (tmp_path / "storage").exists()  # a dry run saves nothing
