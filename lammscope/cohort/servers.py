"""What servers say of a file, and how it is fetched, by plugin. To add a kind, write it here."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lammscope.cohort.remote import RemoteFile, saved_address

SECONDS = (15, 60)  # to connect, and between two parts of an answer
AWAY = "the server cannot be reached; check the address and the network, or run again later"
WHOLE = {"Accept-Encoding": "identity"}  # the bytes of the file itself, not compressed on the way
# Servers that refuse HEAD, or links signed for GET alone, are asked for the first byte.
QUESTIONS: dict[str, dict[str, str]] = {"HEAD": {}, "GET": {"Range": "bytes=0-0"}}
NO_HEAD = (400, 403, 405, 501)
HTTP_PROBLEMS = {
    **dict.fromkeys(
        (401, 403),
        "no permission (HTTP {}); put name and password in ~/.netrc, or ask for a new link if a "
        "signed one has expired",
    ),
    **dict.fromkeys((404, 410), "no such file on the server (HTTP {}); correct the address"),
}
S3_KEYS = "no permission: set SNAKEMAKE_STORAGE_S3_ACCESS_KEY and ..._SECRET_KEY, or ~/.aws"
S3_PROBLEMS = {
    "404": "no such file in the bucket; correct the address",
    "NoSuchBucket": "no such bucket; correct the address",
    "403": f"no such file, or {S3_KEYS}",
    "301": "the bucket is in another region; name it with `--storage-s3-region`",
}


class Unreadable(Exception):
    """A file that a server does not give; the message has the problem and the remedy."""


class Server(NamedTuple):
    """How to talk to a kind of server: with an address and the provider of the plugin."""

    look: Callable[[str, Any], RemoteFile]
    fetch: Callable[[str, Path, Any], None]


def _look_http(address: str, provider: Any) -> RemoteFile:
    for verb, more in QUESTIONS.items():
        with _http_reply(verb, address, provider, WHOLE | more) as reply:
            if verb == "HEAD" and reply.status_code in NO_HEAD:
                continue
            _refuse_http(reply)
            headers = reply.headers
            whole = headers.get("Content-Range", "").rpartition("/")[2]
            size = whole or headers.get("Content-Length", "")
            if size.isdigit():
                return RemoteFile(int(size), _version(headers))
    raise Unreadable("the server does not say how large it is; download it and give its path")


def _version(headers: Mapping[str, str]) -> str:
    """Return the ETag, or else the date: some servers change the date of files that stay."""
    if tag := headers.get("ETag"):
        return f"ETag {tag}"
    return f"of {date}" if (date := headers.get("Last-Modified")) else ""


def _fetch_http(address: str, path: Path, provider: Any) -> None:
    import urllib3

    with _http_reply("GET", address, provider, WHOLE) as reply:
        _refuse_http(reply)
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(reply.raw, file, 2**20)
        except urllib3.exceptions.HTTPError:
            raise Unreadable("the connection broke; run again") from None


def _http_reply(verb: str, address: str, provider: Any, headers: Mapping[str, str]) -> Any:
    """Send a request. Errors of `requests` are replaced, since they hold the whole address."""
    import requests

    settings = provider.settings
    try:
        return requests.request(
            verb,
            address,
            headers=dict(headers),
            auth=settings.auth,
            allow_redirects=settings.allow_redirects,
            timeout=SECONDS,
            stream=True,
        )
    except requests.exceptions.SSLError:
        raise Unreadable("its certificate is not valid; check the address") from None
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
        raise Unreadable(AWAY) from None
    except (requests.exceptions.RequestException, ValueError):
        raise Unreadable("it is not an address that can be asked for; correct it") from None


def _refuse_http(reply: Any) -> None:
    status = reply.status_code
    if status not in (200, 206):
        usual = "the server answers HTTP {}; run again later, or give another address"
        raise Unreadable(HTTP_PROBLEMS.get(status, usual).format(status))
    if reply.headers.get("Content-Type", "").startswith("text/html"):
        raise Unreadable("the server sends a web page, not a file; give the address of the file")


def _look_s3(address: str, provider: Any) -> RemoteFile:
    with _s3_problems():
        about = provider.s3c.meta.client.head_object(**_in_s3(address))
    return RemoteFile(about["ContentLength"], f"ETag {about['ETag']}")


def _fetch_s3(address: str, path: Path, provider: Any) -> None:
    with _s3_problems():
        provider.s3c.meta.client.download_file(**_in_s3(address), Filename=str(path))


def _in_s3(address: str) -> dict[str, str]:
    """Return bucket and key as boto3 names them."""
    bucket, _, key = saved_address(address).removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


@contextmanager
def _s3_problems() -> Iterator[None]:
    """Turn errors of boto3 into problems of one line."""
    from boto3.exceptions import Boto3Error
    from botocore import exceptions
    from s3transfer.exceptions import RetriesExceededError

    try:
        yield
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        usual = f"the server refuses it ({code}); check the address and the options of the plugin"
        raise Unreadable(S3_PROBLEMS.get(code, usual)) from None
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError):
        raise Unreadable(S3_KEYS) from None
    except (exceptions.ConnectionError, exceptions.HTTPClientError):
        raise Unreadable(AWAY) from None
    except (exceptions.BotoCoreError, Boto3Error, RetriesExceededError) as error:
        raise Unreadable(f"{type(error).__name__}; check the options, and run again") from None


def _look_other(address: str, provider: Any) -> RemoteFile:
    item = _object(address, provider)
    with _plugin_problems():
        if not item.exists():
            raise Unreadable("no such file on the server; correct the address")
        return RemoteFile(item.size(), f"of {item.mtime():.0f}")


def _fetch_other(address: str, path: Path, provider: Any) -> None:
    item = _object(address, provider)
    item.set_local_path(path)
    with _plugin_problems():
        item.retrieve_object()


def _object(address: str, provider: Any) -> Any:
    return provider.get_storage_object_cls()(
        query=address, keep_local=False, retrieve=True, provider=provider
    )


@contextmanager
def _plugin_problems() -> Iterator[None]:
    """Turn errors of any plugin into problems of one line, without the address."""
    try:
        yield
    except Unreadable:
        raise
    except Exception as error:  # of any kind, with the whole address in its text
        what = f"{type(error).__name__} in the storage plugin"
        raise Unreadable(f"{what}; check the address and the options of the plugin") from None


OTHER = Server(_look_other, _fetch_other)
SERVERS = {"http": Server(_look_http, _fetch_http), "s3": Server(_look_s3, _fetch_s3)}
