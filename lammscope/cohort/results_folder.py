"""The folder of results: whose it is, and what in it is out of date."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.words import counted, shortened

WILDCARD = re.compile(r"\{(\w+)\}")
SUBFOLDERS = {
    *("abundance", "annotation", "axis", "benchmarks", "design", "doublets", "expression"),
    *("figures", "joint", "logs", "multiverse", "outcome", "qc", "records", "shards"),
}
OTHER_COHORT = "lammscope: the results folder belongs to another cohort; nothing was run:"
KINDS = {  # wildcards whose files become out of date, and what they stand for
    "sample": "samples that are not in the sample sheet",
    "channel": "channels that are not in the sample sheet",
    "part": "groups of samples that do not exist",
    "contrast": "contrasts that are not in the config",
    "folder": "choices that `multiverse` in the config does not list",
}


def suggest_results(folder: str | Path) -> str:
    """Return a folder of results for the cohort whose config is in `folder`: `results/NAME`.

    Names of subfolders of `results/`, the default, get an ending.

    Examples
    --------
    >>> suggest_results("studies/CAR-T 2024 (a)")
    'results/CAR-T_2024_a'
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(folder).resolve().name).strip("._-")
    ending = "_cohort" if name.lower() in SUBFOLDERS else ""
    return f"results/{name or 'cohort'}{ending}"


def other_cohort(results: str | Path, samples: pd.DataFrame) -> list[str]:
    """Return the samples of a folder of results if it is of another cohort, else an empty list.

    It is of another cohort if it has no sample in common with this run: neither a name nor a
    matrix (with its list of barcodes).

    Parameters
    ----------
    results
        The folder of results.
    samples
        The samples of this run: `sample`, `counts`, and `barcodes` if they share matrices.
    """
    table = _saved_samples(Path(results))
    names = [str(name) for name in table["sample"]]
    if set(names) & set(samples["sample"]) or set(_matrices(table)) & set(_matrices(samples)):
        return []
    return names


def refuse_other_cohort(results: str | Path, samples: pd.DataFrame, *, sheet: str | Path) -> None:
    """Stop before the results of another cohort are overwritten.

    Raises
    ------
    ValueError
        The folder, its samples, the sheet of this run, and the remedy.
    """
    names = other_cohort(results, samples)
    if names:
        raise ValueError(
            f"{results}: holds the results of another cohort: none of its samples "
            f"({shortened(names, 3)}) is in {sheet}; give this cohort a folder of its own, e.g. "
            f"`pathvars: {{results: {suggest_results(Path(sheet).parent)}}}` in the config, or "
            f"remove {results}"
        )


def out_of_date(
    results: str | Path, *, patterns: Iterable[str], present: Mapping[str, Collection[str]]
) -> list[str]:
    """Name the files of samples and contrasts that this run does not have; none is removed.

    Parameters
    ----------
    results
        The folder of results.
    patterns
        Paths of all kinds of results below the folder, with wildcards such as `{sample}`.
    present
        Names of this run by wildcard: those of `KINDS`.

    Returns
    -------
    list
        A note for each kind of name.
    """
    patterns = sorted(patterns, key=lambda path: -len(WILDCARD.sub("", path)))
    current = [as_regex(path, present) for path in patterns]
    found: dict[str, dict[str, list[str]]] = {kind: {} for kind in KINDS}
    for path in sorted(_files(Path(results), patterns)):
        if any(regex.fullmatch(path) for regex in current):
            continue
        matches = (as_regex(pattern, {}).fullmatch(path) for pattern in patterns)
        names = next((match.groupdict() for match in matches if match), {})
        for kind in [kind for kind in KINDS if names.get(kind, "") not in ("", *present[kind])]:
            found[kind].setdefault(names[kind], []).append(path)
    return [
        f"{results}: holds files of {KINDS[kind]}: "
        + shortened([f"{name} ({counted(len(paths), 'files')})" for name, paths in named.items()])
        + f"; they are not updated, so remove them (e.g. {next(iter(named.values()))[0]})"
        for kind, named in found.items()
        if named
    ]


def _saved_samples(results: Path) -> pd.DataFrame:
    """Return the samples of an earlier run; only their names if it ended early."""
    try:
        return read_sample_table(results / "design" / "samples.tsv").dropna(subset="sample")
    except (OSError, ValueError, KeyError):
        names = sorted(path.stem for path in (results / "shards").glob("*.h5ad"))
        return pd.DataFrame({"sample": names, "counts": ""})


def _matrices(samples: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the matrix of each sample with its list of barcodes, as absolute paths."""
    table = samples.reindex(columns=["counts", "barcodes"]).astype("str").fillna("")
    for counts, barcodes in table.itertuples(index=False):
        if counts:
            yield Path(counts).absolute().as_posix(), Path(barcodes).absolute().as_posix()


def _files(results: Path, patterns: Iterable[str]) -> set[str]:
    """Return the files below a folder that match a pattern with a name of this run or another.

    A pattern that ends with a slash is that of a folder.
    """
    return {
        path.relative_to(results).as_posix() + "/" * pattern.endswith("/")
        for pattern in patterns
        if set(WILDCARD.findall(pattern)) & set(KINDS)
        for path in results.glob(WILDCARD.sub("*", pattern))
    }


def as_regex(pattern: str, names: Mapping[str, Collection[str]]) -> re.Pattern[str]:
    """Return a pattern whose wildcards stand for `names`, or for any name."""
    text = ""
    for place, part in enumerate(WILDCARD.split(pattern)):
        if place % 2 == 0:
            text += re.escape(part)
        elif part in names:
            text += f"(?P<{part}>{'|'.join(map(re.escape, names[part])) or '(?!)'})"
        else:
            text += f"(?P<{part}>{'[A-Za-z0-9_-]+' if part == 'contrast' else '[^/]+'})"
    return re.compile(text)
