"""Matrices on servers, in whole runs: fetched once, and not needed again."""

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.core.shards import read_record, read_shard
from tests.servers import CountingServer, http_server, s3_server
from tests.workflow.conftest import Run, planned

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("snakemake_storage_plugin_http") is None
        or find_spec("snakemake_storage_plugin_s3") is None,
        reason="storage plugins are not installed (make setup-storage)",
    ),
]
# One job reads these samples and the others of their part.
REMOTE = ("P01_baseline", "P01_day_7", "P02_baseline")
TABLES = ("qc/{}.parquet", "qc/{}.moments.parquet", "qc/{}.contamination.tsv")
SAVED = ("results/design/samples.tsv", "results/config.yaml")  # what the next run looks at
SECRET = "X-Amz-Signature=0123abcd"


@pytest.fixture
def server(tmp_path: Path, sound_cohort: Path) -> Iterator[CountingServer]:
    """Serve the matrices over HTTP."""
    folder = Path(shutil.copytree(sound_cohort / "counts", tmp_path / "files"))
    with http_server(folder) as serving:
        yield serving


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Serve a bucket by S3, with the plugin's options in the environment; yield its client."""
    with s3_server() as (address, client):
        monkeypatch.setenv("SNAKEMAKE_STORAGE_S3_ENDPOINT_URL", address)
        for key in ("ACCESS_KEY", "SECRET_KEY"):
            monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{key}", "testing")
        yield client


@pytest.fixture
def run(snakemake: Callable[..., Run]) -> Callable[..., Run]:
    """Return a function that runs a cohort until the remote samples are read in.

    Snakemake refuses a target whose own input is missing, so the target is made from count files.
    """
    targets = ["results/doublets/P01_baseline.parquet", *SAVED]
    return lambda folder, *options: snakemake(folder, *targets, *options)


def name_addresses(folder: Path, **addresses: str) -> None:
    """Write addresses in the sample sheet, and remove the local files."""
    sheet = pd.read_csv(folder / "samples.tsv", sep="\t", index_col="sample")
    for sample, address in addresses.items():
        (folder / "counts" / f"{sample}.h5").unlink(missing_ok=True)
        sheet.loc[sample, "counts"] = address
    sheet.to_csv(folder / "samples.tsv", sep="\t")


def same_counts(first: Path, second: Path, sample: str) -> bool:
    """Test whether count file and tables of a sample agree in two cohorts."""
    shards = [read_shard(f / "results" / "shards" / f"{sample}.h5ad") for f in (first, second)]
    texts = [
        [(folder / "results" / table.format(sample)).read_bytes() for table in TABLES]
        for folder in (first, second)
    ]
    one, two = shards
    return (
        texts[0] == texts[1] and (one.counts != two.counts).nnz == 0 and one.genes.equals(two.genes)
    )


def test_remote_matrices_give_the_same_tables_and_are_fetched_once_until_they_change(
    relative_cohort: Path,
    tmp_path: Path,
    server: CountingServer,
    bucket: Any,
    run: Callable[..., Run],
) -> None:
    there = Path(shutil.copytree(relative_cohort, tmp_path / "there"))
    assert run(relative_cohort).code == 0
    bucket.upload_file(str(there / "counts" / "P02_baseline.h5"), "cohort", "a b/P02.h5")
    name_addresses(
        there,
        P01_baseline=f"{server.address}/P01_baseline.h5?{SECRET}",
        P01_day_7=f"{server.address}/P01_day_7.h5",
        P02_baseline="s3://cohort/a b/P02.h5",
    )

    first = run(there)
    assert first.code == 0, first.text[-3000:]
    assert "from servers, looked into once fetched (3)" in first.text
    assert all(same_counts(relative_cohort, there, sample) for sample in REMOTE)
    assert server.asked["GET"] == 2
    assert not list((there / ".snakemake" / "storage").rglob("*.h5"))
    written = [path for path in there.rglob("*") if path.is_file() and path.name != "samples.tsv"]
    written += [there / "results" / "design" / "samples.tsv"]
    assert not [path for path in written if b"0123abcd" in path.read_bytes()]
    assert "0123abcd" not in first.text

    again = run(there)
    assert "Nothing to be done" in again.text
    assert server.asked["GET"] == 2

    record = read_record(there / "results" / "shards" / "P01_day_7.h5ad")
    assert record is not None
    assert record.remote.startswith(f"{record.size} bytes, of ")
    shutil.copy2(server.folder / "P03_baseline.h5", server.folder / "P01_day_7.h5")
    changed = run(there, "--dry-run")
    assert planned(changed.text)["ingest_samples"] == 1
    assert "P01_day_7.h5 changed since it was read in" in " ".join(changed.text.split())

    server.shutdown()
    server.server_close()
    away = run(there, "--dry-run")
    assert "Nothing to be done" in away.text, away.text[-3000:]
    assert "the server cannot be reached" in away.text


def test_what_cannot_be_fetched_stops_the_run_before_it_begins(
    relative_cohort: Path, server: CountingServer, bucket: Any, run: Callable[..., Run]
) -> None:
    name_addresses(
        relative_cohort,
        P01_baseline=f"{server.address}/nothing.h5?{SECRET}",
        P01_day_7=f"{server.address}/private/P01_day_7.h5",
        P02_baseline="s3://cohort/nothing.h5",
        P02_day_7="s3://nobody/P02.h5",
        P03_baseline="http://127.0.0.1:9/P03.h5",
        P03_day_7="gopher://127.0.0.1/P03.h5",
    )
    refused = run(relative_cohort)
    assert refused.code == 1
    assert "6 errors" in refused.text
    for sample, words in {
        "P01_baseline": r"nothing.h5`: no such file on the server (HTTP 404); correct the address",
        "P01_day_7": "no permission (HTTP 403); put name and password in ~/.netrc",
        "P02_baseline": "no such file in the bucket; correct the address",
        "P02_day_7": "no such file in the bucket; correct the address",
        "P03_baseline": "the server cannot be reached; check the address and the network",
        "P03_day_7": "`gopher://` is not supported",
    }.items():
        line = next(text for text in refused.text.splitlines() if f"`{sample}`" in text)
        assert words in line
    assert "0123abcd" not in refused.text
    assert not (relative_cohort / "results").exists()
