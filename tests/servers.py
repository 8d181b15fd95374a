"""Servers on loopback for tests: plain HTTP that counts requests, and S3 by moto."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

LOGIN = "Basic bWU6d29yZA=="  # `me` and `word`


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder.

    Below `private` nothing may be read, below `signed` HEAD is refused, below `cut` files end
    early, below `page` there are web pages, and below `locked` a name and a password are needed.
    """

    def do_GET(self) -> None:
        self._serve(super().do_GET)

    def do_HEAD(self) -> None:
        self._serve(super().do_HEAD)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def _serve(self, answer: Callable[[], None]) -> None:
        assert isinstance(self.server, CountingServer)
        self.server.asked[self.command] += 1
        kind = self.path.split("/")[1]
        if kind == "private" or (kind == "signed" and self.command == "HEAD"):
            self.send_error(403)
        elif kind == "locked" and self.headers.get("Authorization") != LOGIN:
            self.send_error(401)
        elif kind in ("cut", "page"):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.send_header("Content-Type", "text/html" if kind == "page" else "text/plain")
            self.end_headers()
            self.wfile.write(b"half" if self.command == "GET" else b"")
            self.close_connection = True
        else:
            answer()


class CountingServer(ThreadingHTTPServer):
    """Serves a folder over HTTP; `asked` has the number of requests by verb."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.asked = folder, Counter[str]()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer a request for a file of the folder."""
        Handler(request, client_address, self, directory=str(self.folder))

    @property
    def address(self) -> str:
        """The address of the folder."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def http_server(folder: Path) -> Iterator[CountingServer]:
    """Serve a folder until the block ends."""
    with CountingServer(folder) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@contextmanager
def s3_server() -> Iterator[tuple[str, Any]]:
    """Run moto's S3 until the block ends; yield its address and a client with a bucket `cohort`."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed (make setup-storage)")
    moto = pytest.importorskip("moto.server", reason="moto is not installed (make test)")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
        client.create_bucket(Bucket="cohort")
        yield address, client
    finally:
        server.stop()
