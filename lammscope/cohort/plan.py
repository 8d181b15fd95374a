"""The plan of a run, printed before anything is computed: cohort, contrasts, notes."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from lammscope.cohort.audit import audit_design
from lammscope.cohort.checks import Intake
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contig_files import contig_line
from lammscope.cohort.contrast_config import default_contrasts
from lammscope.cohort.multiverse import plan_line
from lammscope.cohort.parts import divide_samples, join_parts, sizes_of
from lammscope.cohort.selection import USED, takes_part
from lammscope.core.names import ARM_WORDS
from lammscope.core.words import as_text, counted, denominator_words, shortened

WIDTH = 100
PHASES = {"pre": "before infusion", "post": "after infusion"}
MANY_CONTRASTS = 4  # above this number, details of contrasts are left to the audit
MOST_CONTRASTS = 12
LONGEST = 180  # characters of a message of the audit or of a note
MOST_DETAILS = 2  # of a contrast
MOST_NOTES = 8
MOST_LABELS = 6  # of a column, and kinds of matrices
SERIOUS = ("confounded", "survivorship", "warning")
P_UNNEEDED = ("aliased", "too_few_patients", "no_permutation")  # verdicts without a p, or with it
IN_VERDICT = r"verdict|p_floor|late_.+"  # items that the verdict states


def plan_text(run: Intake) -> str:
    """Return the plan of a checked run as text of about one screen.

    It has the cohort (patients and samples by phase and arm), which matrices are read, each
    contrast with its patients, verdict and smallest attainable p, the primary result, samples in no
    contrast, and notes. Long lists are shortened; `design/audit.tsv` has all.
    """
    config = run.config
    permutation = {key: config["abundance"][key] for key in ("max_exact", "n_draws")}
    audit = audit_design(run.samples, run.comparisons, sorts=config["sorts"], **permutation)
    lines = [
        f"Plan: {config['report']['title']}",
        *_cohort_lines(run.samples),
        *_matrix_lines(run),
        *filter(None, [contig_line(run.samples)]),
        *_contrast_lines(run, audit),
        _primary_line(run),
        *_multiverse_lines(run),
        *_left_out_lines(run.comparisons),
        *_note_lines(run, audit),
    ]
    return "\n".join(_wrapped(lines))


def _wrapped(lines: Iterable[str]) -> list[str]:
    """Wrap lines; the rest of a line is indented further than its start."""
    wrapped = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        wrapped += textwrap.wrap(
            line,
            WIDTH,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return wrapped


def _cohort_lines(samples: pd.DataFrame) -> list[str]:
    n_patients = samples["patient"].nunique()
    lines = [f"Cohort: {counted(n_patients, 'patients')}, {counted(len(samples), 'samples')}"]
    lines += [
        f"  {column}: {_tally(as_text(samples[column]).fillna('empty'))}"
        for column in ("compartment", "sort")
    ]
    phases = {words: samples[samples["phase"] == phase] for phase, words in PHASES.items()}
    lines += [f"  {words}: {_by_arm(part)}" for words, part in phases.items()]
    both = set.intersection(*(set(part["patient"]) for part in phases.values()))
    first = samples[samples["patient"].isin(both)].drop_duplicates("patient")
    lines.append(f"  both phases: {_by_arm(first, with_samples=False)}")
    neither = samples[samples["phase"].isna()]
    if len(neither):
        labels = _tally(as_text(neither["timepoint"]).fillna("empty"))
        lines.append(f"  neither phase: {counted(len(neither), 'samples')} ({labels})")
    return lines


def _by_arm(samples: pd.DataFrame, *, with_samples: bool = True) -> str:
    """Count patients and samples by arm; `all` patients if no response is known."""
    if samples.empty:
        return "no patients"
    arms = samples["response"].map(ARM_WORDS).fillna("patients of neither arm")
    if samples["response"].isna().all():
        arms = pd.Series("patients without a response", index=samples.index)
    parts = []
    for words in (*ARM_WORDS.values(), *sorted(set(arms) - set(ARM_WORDS.values()))):
        part = samples[arms == words]
        if len(part):
            n_samples = f" ({counted(len(part), 'samples')})" if with_samples else ""
            parts.append(counted(part["patient"].nunique(), words) + n_samples)
    return ", ".join(parts)


def _matrix_lines(run: Intake) -> list[str]:
    """List the kinds of matrices, and which matrix is read of files with several."""
    if not run.formats:
        return []
    kinds = pd.Series(run.formats)
    n_others = len(run.samples) - len(kinds)
    others = f", read by an earlier run ({n_others})" if n_others else ""
    lines = [f"Matrices: {_tally(kinds, form='{} ({})')}{others}"]
    read = pd.Series(list(run.choices), index=list(run.choices.values()), dtype="str")
    for choice, samples in list(read.groupby(level=0, sort=False))[:MOST_LABELS]:
        lines.append(f"  {_cut(f'{shortened(samples, 3)}: reads {choice}')}")
    return lines


def _contrast_lines(run: Intake, audit: pd.DataFrame) -> list[str]:
    if not run.contrasts:
        return _no_contrast_lines(run)
    lines = [f"Contrasts: {len(run.contrasts)}"]
    for contrast in run.contrasts[:MOST_CONTRASTS]:
        rows = audit[audit["contrast"] == contrast.name].set_index("item")
        verdict = str(rows.at["verdict", "message"])
        if "p_floor" in rows.index and rows.at["verdict", "value"] not in P_UNNEEDED:
            floor = float(str(rows.at["p_floor", "value"]))
            verdict += f" Smallest p of a permutation test: {floor:.2g}."
        name = contrast.name
        if name == run.config["primary"]["contrast"]:
            name += " (primary)"
        lines.append(f"  {name}: {verdict}")
        if len(run.contrasts) <= MANY_CONTRASTS:
            lines += _details(rows)
    if len(run.contrasts) > MOST_CONTRASTS:
        lines.append(
            f"  {shortened([c.name for c in run.contrasts[MOST_CONTRASTS:]])}: see the audit"
        )
    return lines


def _no_contrast_lines(run: Intake) -> list[str]:
    lines = ["Contrasts: none (`contrasts: {}` in the config), so nothing is compared"]
    possible = [c.name for c in default_contrasts(run.samples, sorts=run.config["sorts"])]
    if possible:
        names = shortened(possible)
        lines.append(f"  Without this line of the config, these are made: {names}")
    return lines


def _details(rows: pd.DataFrame) -> list[str]:
    """Return the most serious messages of a contrast that its verdict does not state."""
    told = rows.index.astype(str).str.fullmatch(IN_VERDICT)
    unused = rows.index.astype(str).str.startswith("unused")
    wanted = rows["status"].isin(SERIOUS) | (unused & (rows["status"] == "note"))
    found = rows[wanted & ~told]
    rank = {status: i for i, status in enumerate(SERIOUS)}
    order = found["status"].map(rank).fillna(len(rank)).sort_values(kind="stable").index
    messages = [str(text) for text in found.loc[order, "message"]]
    lines = [f"    {_cut(text)}" for text in messages[:MOST_DETAILS]]
    if len(messages) > MOST_DETAILS:
        lines.append(f"    and {len(messages) - MOST_DETAILS} more in the audit")
    return lines


def _primary_line(run: Intake) -> str:
    primary = run.config["primary"]
    name, names = primary["contrast"], [contrast.name for contrast in run.contrasts]
    if name in names:
        whole = denominator_words(primary["denominator"]).removesuffix(" cells")
        return f"Primary result: LAMM cells as a fraction {whole} cells in `{name}`"
    if not names:
        return "Primary result: none, since there is no contrast"
    return (
        f"Primary result: none, since `{name}` is not among the contrasts; set `primary.contrast` "
        f"to one of {shortened(names, MOST_LABELS)}"
    )


def _multiverse_lines(run: Intake) -> list[str]:
    if run.multiverse is None:
        return []
    samples = run.samples["sample"].tolist()
    matrices = dict(zip(samples, run.samples["counts"], strict=True))
    sizes = sizes_of(matrices, records={}, remote=run.remote.sizes)
    parts = join_parts(divide_samples(samples, sizes=sizes), sizes=sizes)
    labels = bool(run.config["annotation"]["celltypist_model"])
    return [plan_line(run.multiverse, n_parts=len(parts), labels=labels)]


def _left_out_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """List the samples that no contrast uses, by reason."""
    used: set[str] = set()
    reasons: dict[str, list[str]] = {}
    for comparison in comparisons:
        selection = comparison.selection
        taken = takes_part(selection, comparison.contrast)
        used |= set(selection.loc[taken, "sample"])
        others = selection[~taken & (selection["use"] != USED)]
        for name, reason in zip(others["sample"], others["reason"], strict=True):
            reasons.setdefault(str(name), []).append(str(reason))
    by_reason: dict[str, list[str]] = {}
    for name, found in reasons.items():
        if name not in used:
            found.sort(key=lambda reason: reason.endswith("not asked for"))
            by_reason.setdefault(found[0], []).append(name)
    if not by_reason:
        return []
    n_samples = counted(sum(map(len, by_reason.values())), "samples")
    return [
        f"In no contrast: {n_samples} (they are still clustered and annotated)",
        *(f"  {reason}: {len(names)} ({shortened(names)})" for reason, names in by_reason.items()),
    ]


def _note_lines(run: Intake, audit: pd.DataFrame) -> list[str]:
    """Return notes of the sheets, and warnings of the audit on the whole cohort."""
    cohort = audit[audit["contrast"] == "cohort"]
    is_number = cohort["item"].astype(str).str.startswith("number_")
    found = cohort.loc[cohort["status"].isin(SERIOUS) | is_number, "message"].astype(str)
    lines = []
    for messages, longest, where in (
        (run.notes, 2 * LONGEST, "on the sheets"),
        ([text for text in found if text not in run.notes], LONGEST, "in the design audit"),
    ):
        lines += [f"Note: {_cut(text, longest)}" for text in messages[:MOST_NOTES]]
        if len(messages) > MOST_NOTES:
            lines.append(f"Note: {len(messages) - MOST_NOTES} more {where}")
    return lines


def _tally(values: pd.Series, *, form: str = "{} {}") -> str:
    """Count values, the most frequent first, each written as `form` with its number."""
    counts = Counter(values.tolist()).most_common()
    return shortened([form.format(value, n) for value, n in counts], MOST_LABELS)


def _cut(text: str, longest: int = LONGEST) -> str:
    return textwrap.shorten(text, longest, placeholder=" ...")
