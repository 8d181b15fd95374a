"""Files that a config names, beside the sheets and the count matrices, and their checksums."""

from collections.abc import Iterator, Mapping
from typing import Any

from lammscope.core.digests import checksum
from lammscope.core.resources import find_resource

FILE_KEYS = (
    *(("annotation", "panel"), ("annotation", "celltypist_model")),
    *(("lamm", "references"), ("lamm", "state_genes")),
)
GENE_SET_KEYS = (("annotation", "states"), ("expression", "gene_sets"), ("axis", "states"))
PAIR_KEY = ("axis", "pairs")


def named_files(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the files that a resolved config names: the key that names it, and the path."""
    return [(key, path) for key, path in dict.fromkeys(_named(config)) if path]


def file_checksums(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of each file that a resolved config names, by its path in the config."""
    return {path: checksum(find_resource(path)) for _, path in named_files(config)}


def _named(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "definition", config["definition"]
    for section, key in FILE_KEYS:
        yield f"{section}.{key}", config[section][key]
    for section, key in (*GENE_SET_KEYS, PAIR_KEY):
        for path in config[section][key]:
            yield f"{section}.{key}", path
