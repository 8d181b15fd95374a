"""Draft a config and both sheets from the count matrices below a folder.

`python -m lammscope.new_cohort FOLDER` takes sample, patient, time point, compartment and sorting
from file names, never a response, and lists what remains to be filled in.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from shlex import quote

import pandas as pd

from lammscope.cohort.results_folder import other_cohort, suggest_results
from lammscope.core.names import NO_SYMBOLS, UNSTATED
from lammscope.core.runtime import whole_file
from lammscope.core.words import counted, shortened
from lammscope.ingest.matrices.find import find_libraries
from lammscope.ingest.matrices.formats import without_suffixes
from lammscope.ingest.matrices.read import inspect_matrix, lacks_symbols

NO_NAME = re.compile(
    r"outs|count|counts|matrix|matrices|raw|filtered|sample|per_sample_outs|Solo\.out|Gene|GeneFull"
    r"|(raw|filtered|sample_filtered|sample_raw)_(feature|gene)_bc_matri(x|ces)(_h5|_mex)?"
    r"|counts_(un)?filtered|cells_x_genes|quants_mat|alevin|GRCh3[78].*|hg(19|38).*|mm(9|10|39).*",
    re.IGNORECASE,
)
NO_TOKEN = re.compile(
    r"rna|gex|scrna(seq)?|matrix|mtx|counts?|umis?|raw|filtered|feature|features|gene|bc|h5|dense"
    r"|expression|expr|data|sample|processed|10x|GSM\d+",
    re.IGNORECASE,
)
# spaces, points and hyphens, but not those in 7.5, D-7 and CD3-
SEPARATORS = re.compile(r"(?: |\.(?!\d)|(?<!\bd)-(?!$|[ +]))+", re.IGNORECASE)
COMPARTMENTS = {
    "blood": r"pb|pbmcs?|blood",
    "marrow": r"bm|bmmcs?|marrow",
    "product": r"ip|prod|product|infusion",
    "tumour": r"tumou?r|fna|biopsy|ln|node",
}
SORT = r"cart|car\+|carpos|cd\d+[+-]?(cd\d+[+-]?)*|cd3\+?cat\+?"
SORT += r"|live|unsorted|nosort|noso"
PRE = r"pre(ld|tx|treatment|infusion)?|baseline|bl|screening|d-\d+"
PRE += r"|leuka(pheresis)?|(leuk)?apheresis|aph"
POST = r"post|relapse|progression|d(ay)?0*[1-9]\d*|\d+(d|days?|wks?|weeks?|mos?|months?)"
POST += r"|(w|wk|week|m|mo|month)0*[1-9]\d*(\.\d+)?"
OTHER_TIMES = r"ip|prod|product|infusion|d(ay)?0+"
UNITS = {"d": 1, "w": 7, "m": 30}
TO_FILL = {  # columns of the sample sheet that may stay empty, and what that means
    "compartment": f"blood, marrow, tumour or product; empty is `{UNSTATED}`, a group of its own",
    "sort": "how cells were sorted, such as CD3+; empty is unsorted",
    "day": "days from infusion, negative before; empty is unknown",
    "batch": "what was processed together, such as a run; empty is a batch per sample",
}


@dataclass(frozen=True)
class Guess:
    """A sample's properties from its file name; unknown ones are empty."""

    sample: str
    patient: str
    timepoint: str
    phase: str
    compartment: str
    sort: str
    day: float | None


def guess_sample(name: str) -> Guess:
    """Guess patient, time point, compartment and sorting from a sample's name.

    Examples
    --------
    >>> guess_sample("Patient6-Baseline").timepoint
    'Baseline'
    """
    joined = re.sub(r"\b(day|week|month)[ _.-](\d+)\b", r"\1\2", name.replace("_", " "), flags=re.I)
    rest, times, compartment, sort, phase = [], [], "", "", ""
    for token in SEPARATORS.split(joined):
        found = next((c for c, p in COMPARTMENTS.items() if _is(p, token)), "")
        is_time = _is(f"{PRE}|{POST}|{OTHER_TIMES}", token)
        if found:
            compartment = found
        elif _is(SORT, token):
            sort = token
        if is_time:
            times.append(token)
            phase = "pre" if _is(PRE, token) else "post" if _is(POST, token) else phase
        elif not found and token != sort and not _is(NO_TOKEN.pattern, token):
            rest.append(token)
    timepoint = "_".join(times)
    clean = re.sub(r"[^A-Za-z0-9._+-]+", "_", name).lstrip("._+-")
    return Guess(clean, "-".join(rest), timepoint, phase, compartment, sort, _day(timepoint, phase))


def sample_names(matrices: Sequence[Path], folder: Path) -> list[str]:
    """Name each matrix by its path below `folder`, without words that describe its format."""
    named = []
    for path in matrices:
        parts = list(path.relative_to(folder).parts) if path != folder else [folder.name]
        parts[-1] = without_suffixes(parts[-1])
        kept = [_bare(part) for part in parts if not NO_NAME.fullmatch(part)]
        kept = [part for part in kept if part] or [_bare(folder.name) or "sample"]
        named.append(list(dict.fromkeys(kept)))
    names = ["_".join(parts) for parts in _without_leading(named)]
    twice = {name for name, n in Counter(name.lower() for name in names).items() if n > 1}
    return [f"{n}_{i}" if n.lower() in twice else n for i, n in enumerate(names, start=1)]


def _without_leading(named: Sequence[list[str]]) -> list[list[str]]:
    """Remove leading folders that all names share, as long as each still names a patient."""
    kept = [list(parts) for parts in named]
    while all(len(parts) > 1 and parts[0] == kept[0][0] for parts in kept):
        rest = [parts[1:] for parts in kept]
        if not all(guess_sample("_".join(parts)).patient for parts in rest):
            break
        kept = rest
    return kept


def new_cohort(folder: Path, output: Path) -> list[str]:
    """Write `samples.tsv`, `patients.tsv` and `config.yaml` for the matrices below a folder.

    Parameters
    ----------
    folder
        The folder of the count matrices. Paths in the sheet begin with it, as given.
    output
        The folder for the three files.

    Returns
    -------
    list
        Lines to print: what was found, and what remains to be filled in.

    Raises
    ------
    ValueError
        If the folder does not exist or has no matrix, or if one of the three files exists already.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    there = [name for name in ("samples.tsv", "patients.tsv", "config.yaml")
             if (output / name).exists()]  # fmt: skip
    if there:
        raise ValueError(
            f"{output / there[0]} already exists; remove it, or choose another folder with --output"
        )
    formats, several, found = Counter[str](), [], []
    skipped: dict[str, list[Path]] = {}
    libraries, pooled = find_libraries(folder)
    left_out = [f"Left out, because its name says that it combines several: {p}" for p in pooled]
    for library in libraries:
        path = library.path
        if library.others:
            others = ", ".join(map(str, library.others))
            left_out.append(f"Taken: {path}; other forms of this library, left out: {others}")
        try:
            formats[inspect_matrix(path)] += 1
        except ValueError as error:
            if "several genomes" not in str(error):
                skipped.setdefault(str(error).removeprefix(f"{path}: "), []).append(path)
                continue
            formats["several genomes"] += 1
            several.append(path)
        found.append(path)
    left_out += [f"Skipped: {shortened(paths)}: {why}" for why, paths in skipped.items()]
    if not found:
        usable = " can be used" if skipped else ""
        raise ValueError(
            "\n".join([f"{folder}: no count matrix in this folder{usable}", *left_out])
        )
    guesses = [guess_sample(name) for name in sample_names(found, folder)]
    samples, patients = _sheets(found, guesses, several)
    phases = {
        phase: sorted({g.timepoint for g in guesses if g.phase == phase})
        for phase in ("pre", "post")
    }
    _write(output / "samples.tsv", samples.to_csv(sep="\t", index=False))
    _write(output / "patients.tsv", patients.to_csv(sep="\t", index=False))
    results = _results_folder(output, samples)
    _write(output / "config.yaml", _config(output, phases, results=results))
    kinds = ", ".join(f"{kind}: {n}" for kind, n in sorted(formats.items()))
    config = quote(str(output / "config.yaml"))
    return [
        f"Found {len(found)} count {'matrix' if len(found) == 1 else 'matrices'} in {folder} "
        f"({kinds}).",
        *left_out,
        f"Wrote samples.tsv ({len(samples)} rows), patients.tsv ({len(patients)} rows) and "
        f"config.yaml to {output}. Results will be in {results}.",
        *([f"Note: {NO_SYMBOLS}"] if not several and all(map(lacks_symbols, found)) else []),
        "To fill in:",
        *(f"  {line}" for line in _to_do(samples, patients, phases, several)),
        f"Then: python -m lammscope.check {config}  # prints the plan",
        f"and:  snakemake --cores 8 --configfile {config}",
    ]


def _is(pattern: str, token: str) -> bool:
    return re.fullmatch(pattern, token, re.IGNORECASE) is not None


def _day(timepoint: str, phase: str) -> float | None:
    """Return the days from infusion that a label states."""
    number = re.search(r"-?\d+(\.\d+)?", timepoint)
    unit = re.search(r"[dwm]", timepoint.lower())
    return float(number[0]) * UNITS[unit[0]] if phase and number and unit else None


def _bare(part: str) -> str:
    """Remove an accession at the start and words of the format at the end of a part of a path."""
    tokens = re.split(r"[_ .]+", re.sub(r"[._]Solo\.out$", "", part))
    while tokens and NO_TOKEN.fullmatch(tokens[-1]):
        tokens.pop()
    while tokens and re.fullmatch(r"GSM\d+", tokens[0]):
        tokens.pop(0)
    return "_".join(tokens)


def _sheets(
    paths: Sequence[Path], guesses: Sequence[Guess], several: Sequence[Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    samples = pd.DataFrame(
        {
            "sample": [guess.sample for guess in guesses],
            "patient": [guess.patient for guess in guesses],
            "timepoint": [guess.timepoint for guess in guesses],
            "counts": [path.as_posix() for path in paths],
            "compartment": [guess.compartment for guess in guesses],
            "sort": [guess.sort for guess in guesses],
            "day": [guess.day for guess in guesses],
            "batch": "",
        }
    )
    if several:
        samples["genome"] = ""
    names = sorted(set(samples["patient"]) - {""})
    return samples, pd.DataFrame({"patient": names, "response": "", "product": ""})


def _results_folder(output: Path, samples: pd.DataFrame) -> str:
    """Return a folder of results that is not that of another cohort."""
    name = suggest_results(output)
    names = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return next(folder for folder in names if not other_cohort(folder, samples))


def _config(output: Path, phases: dict[str, list[str]], *, results: str) -> str:
    pre, post = (", ".join(map(_as_yaml, phases[phase])) for phase in ("pre", "post"))
    samples, patients = (output / f"{name}.tsv" for name in ("samples", "patients"))
    return f"""\
# Paths are relative to the folder where Snakemake runs. Every key and its default: config/README.md
samples: {_as_yaml(samples.as_posix())}
patients: {_as_yaml(patients.as_posix())}
pathvars: {{results: {results}}}

response:
  column: response           # of the patient sheet
  responder: [CR, PR]
  non_responder: [SD, PD]    # patients with any other value are in neither arm

timepoints:                  # labels of the column `timepoint`
  pre: [{pre}]
  post: [{post}]

contrasts: {{}}                # none while no response is known. Fill in patients.tsv, then remove
                             # this line for the default contrasts, or name your own

primary:                     # the one pre-specified result
  contrast: baseline         # non-responders against responders before infusion
  denominator: monocytic
"""


def _as_yaml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # YAML reads it as the same text


def _to_do(
    samples: pd.DataFrame,
    patients: pd.DataFrame,
    phases: dict[str, list[str]],
    several: Sequence[Path],
) -> list[str]:
    lines = []
    missing = {column: samples[column] == "" for column in ("patient", "timepoint")}
    missing["genome"] = samples["counts"].isin([path.as_posix() for path in several])
    missing |= {column: samples[column].replace("", None).isna() for column in TO_FILL}
    for column, rows in missing.items():
        empty = samples.loc[rows, "sample"].tolist()
        of = "all samples" if len(empty) == len(samples) else shortened(empty)
        meaning = f": {TO_FILL[column]}" if column in TO_FILL else ""
        lines += [f"samples.tsv: `{column}` of {of}{meaning}" for _ in empty[:1]]
    lines += [
        "samples.tsv: check the values taken from file names, above all `patient`",
        "samples.tsv: `channel` if several samples shared a 10x lane, and `barcodes` if they "
        "share a matrix",
        f"patients.tsv: `response` of {counted(len(patients), 'patients')}, and covariates (age, "
        "sex, ldh)",
        "patients.tsv: `product`: the CAR-T product of each patient; empty is unknown",
        "config.yaml: `response`: the values of responders and of non-responders",
        "config.yaml: remove `contrasts: {}` when patients have a response: it means no comparison",
    ]
    words = [f"{phase}: {', '.join(labels) or 'none'}" for phase, labels in phases.items()]
    other = sorted(set(samples["timepoint"]) - {"", *phases["pre"], *phases["post"]})
    rest = f"; neither: {', '.join(other)}" if other else ""
    return [*lines, f"config.yaml: check `timepoints` ({'; '.join(words)}{rest})"]


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lammscope.new_cohort", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with count matrices, at any depth")
    parser.add_argument(
        "--output", type=Path, help="folder for the three files (default: that of the matrices)"
    )
    options = parser.parse_args(arguments)
    try:
        lines = new_cohort(options.folder, options.output or options.folder)
    except (ValueError, OSError) as error:
        print(f"new_cohort: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
