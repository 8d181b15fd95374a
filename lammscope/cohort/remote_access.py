"""Access to files on servers, with the storage plugins of Snakemake and their options.

The main process asks the servers once, at the start, and saves what they say. Jobs read that, so
that all processes divide the samples alike and no job needs the network or a plugin. Snakemake
fetches a file just before its job, and removes the copy after it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lammscope.cohort.remote import Remote, RemoteFile, is_address, saved_address
from lammscope.cohort.servers import OTHER, SERVERS, Server, Unreadable
from lammscope.core.runtime import whole_file

PLUGINS = {"http": "http", "https": "http", "s3": "s3"}  # by scheme: what `make setup-storage` adds
OTHER_PLUGINS = {"gs": "gcs", "gcs": "gcs", "az": "azure", "ftp": "ftp", "sftp": "sftp"}
FOUND = "lammscope.json"  # what servers said at the start
AT_ONCE = 8  # servers are asked for this many files at a time
NAME = re.compile(r"[^A-Za-z0-9._+-]")


class RemoteAccess:
    """Files on servers in one run.

    Parameters
    ----------
    workflow
        The workflow of Snakemake.
    """

    def __init__(self, workflow: Any) -> None:
        self._workflow = workflow
        self._folder = Path(workflow.storage_settings.local_storage_prefix)
        self._servers: dict[str, tuple[Server, Any]] = {}

    def look_up(self, addresses: Mapping[str, str]) -> Mapping[str, RemoteFile | str]:
        """Ask the servers for files, given by their whole addresses; see `remote.LookUp`."""
        saved = self._folder / FOUND
        if not self._workflow.is_main_process:
            known = json.loads(saved.read_text(encoding="utf-8")) if saved.exists() else {}
            return {name: RemoteFile(**known[name]) for name in addresses if name in known}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = dict(zip(addresses, pool.map(self._ask, self._opened(addresses)), strict=True))
        if not self._workflow.dryrun:
            files = {name: asdict(f) for name, f in found.items() if isinstance(f, RemoteFile)}
            with whole_file(saved) as temporary:
                temporary.write_text(json.dumps(files, indent=1), encoding="utf-8")
        return found

    def local_copy(self, name: str, *, state: str) -> Path:
        """Return where the copy of a file lies: a place for each address and state."""
        digest = hashlib.sha256(f"{name} {state}".encode()).hexdigest()[:16]
        return self._folder / "lammscope" / digest / NAME.sub("_", name.rpartition("/")[2])[-100:]

    def as_input(self, name: str, *, state: str, remote: Remote) -> str:
        """Return a file, given by its saved address, as input of a rule; a path stays as it is.

        It is one that Snakemake fetches, unless it cannot be fetched or a job is given its copy.
        """
        if not is_address(name):
            return name
        copy = str(self.local_copy(name, state=state))
        file = remote.file(name)
        if file is None or not self._workflow.is_main_process:
            return copy
        from snakemake.io import flag

        server, provider = self._server(remote.addresses[name])

        def fetch(path: Path) -> None:
            fetch_whole(server, provider, remote.addresses[name], path, expected=file)

        flagged: str = flag(copy, "storage_object", _stored(copy, name, file, fetch, provider))
        return flagged

    def _opened(self, addresses: Mapping[str, str]) -> list[tuple[str, Server, Any] | str]:
        """Return the server of each address, or the reason why there is none."""
        opened: list[tuple[str, Server, Any] | str] = []
        for address in addresses.values():
            try:
                opened.append((address, *self._server(address)))
            except Unreadable as error:
                opened.append(str(error))
        return opened

    def _ask(self, opened: tuple[str, Server, Any] | str) -> RemoteFile | str:
        if isinstance(opened, str):
            return opened
        address, server, provider = opened
        try:
            return server.look(address, provider)
        except Unreadable as error:
            return str(error)

    def _server(self, address: str) -> tuple[Server, Any]:
        """Return how to talk to a server, and the plugin with the options of the command line."""
        scheme = saved_address(address).partition(":")[0]
        plugin = PLUGINS.get(scheme) or OTHER_PLUGINS.get(scheme)
        if plugin is None:
            known = ", ".join(f"`{name}://`" for name in (*PLUGINS, *OTHER_PLUGINS))
            raise Unreadable(f"`{scheme}://` is not supported ({known} are); give a path")
        if find_spec(f"snakemake_storage_plugin_{plugin}") is None:
            package = f"snakemake-storage-plugin-{plugin}"
            how = "run `make setup-storage`" if scheme in PLUGINS else f"install {package} in .venv"
            raise Unreadable(f"{package} is not installed: {how}, or download the file")
        if plugin not in self._servers:
            provider = self._workflow.storage_registry.register_storage(plugin)
            self._servers[plugin] = SERVERS.get(plugin, OTHER), provider
        return self._servers[plugin]


def fetch_whole(
    server: Server, provider: Any, address: str, path: Path, *, expected: RemoteFile
) -> None:
    """Fetch a file; raise an error, and leave none, if it is not the one that was looked up.

    Raises
    ------
    ValueError
        The address without secrets, the problem, and the remedy.
    """
    try:
        with whole_file(path) as temporary:
            server.fetch(address, temporary, provider)
            size = temporary.stat().st_size
            if size != expected.size:
                problem = f"{size:,} of {expected.size:,} bytes arrived"
                raise Unreadable(f"{problem}; run again, or download the file and give its path")
            now = server.look(address, provider)
            if now != expected:
                raise Unreadable("it changed during the run; run again when it is complete")
    except Unreadable as error:
        raise ValueError(f"{saved_address(address)}: {error}") from None


def _stored(
    copy: str, name: str, file: RemoteFile, fetch: Callable[[Path], None], provider: Any
) -> Any:
    """Return a file as Snakemake's storage object, which asks no server until it is fetched."""
    from snakemake_interface_storage_plugins.storage_object import StorageObjectRead

    class Stored(StorageObjectRead):  # type: ignore[misc, unused-ignore]
        """A file whose state is known. Its path is its query, which Snakemake records."""

        def __post_init__(self) -> None:
            self.print_query = name

        def is_valid_query(self) -> bool:
            return True

        def local_suffix(self) -> str:
            return Path(copy).name

        def local_path(self) -> Path:
            return Path(copy)

        async def inventory(self, cache: Any) -> None:
            """Nothing to ask for."""

        def get_inventory_parent(self) -> str | None:
            return None

        def cleanup(self) -> None:
            """Nothing to close."""

        def exists(self) -> bool:
            return True

        def mtime(self) -> float:
            """Return no time: the state is compared, as a param and in the path."""
            return 0.0

        def size(self) -> int:
            return file.size

        def retrieve_object(self) -> None:
            fetch(Path(copy))

    keep = provider.keep_local
    return Stored(query=copy, keep_local=keep, retrieve=True, provider=provider)
