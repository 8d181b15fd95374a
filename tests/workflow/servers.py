"""Servers on loopback that count requests: plain HTTP, and S3 by moto."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; counts requests by verb, and refuses what lies below `private`."""

    asked = Counter[str]()

    def do_GET(self) -> None:
        self._serve("GET", super().do_GET)

    def do_HEAD(self) -> None:
        self._serve("HEAD", super().do_HEAD)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def _serve(self, verb: str, answer: Any) -> None:
        self.asked[verb] += 1
        if "/private/" in self.path:
            self.send_error(403)
        else:
            answer()


@contextmanager
def http_server(folder: Path) -> Iterator[tuple[str, Counter[str]]]:
    """Serve a folder; yield its address and the number of requests by verb."""
    Handler.asked = Counter()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", Handler.asked
        finally:
            server.shutdown()


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """Run moto's server; yield its address and a client, and set the options of the plugin."""
    boto3 = pytest.importorskip("boto3", reason="needs `make setup-storage`")
    moto = pytest.importorskip("moto.server", reason="needs moto")
    for key in ("ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{key}", "testing")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address = "http://127.0.0.1:{1}".format(*server.get_host_and_port())
        monkeypatch.setenv("SNAKEMAKE_STORAGE_S3_ENDPOINT_URL", address)
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        yield address, boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
    finally:
        server.stop()
