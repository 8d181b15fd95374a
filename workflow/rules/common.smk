import ast
import re
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from lammscope import contrasts, design, sheets


def checked(function, *arguments):
    """Call a check of the user's input; a mistake ends the run with its message alone."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


config.update(
    checked(sheets.resolve_config, config, workflow.source_path("../schemas/config.schema.yaml"))
)
COHORT = {key: config[key] for key in ("samples", "patients", "response", "timepoints")}
SHEET = checked(sheets.read_samples, COHORT)
SAMPLES = SHEET["sample"].tolist()
CHANNELS = SHEET.groupby("channel")["sample"].agg(list).to_dict()
DEFINITIONS = checked(contrasts.contrasts_from_config, config["contrasts"], SHEET)
CONTRASTS = {contrast.name: asdict(contrast) for contrast in DEFINITIONS}
ALIASED = checked(design.aliased_contrasts, SHEET, DEFINITIONS)
UNMAPPED = sorted(set(SHEET.loc[SHEET["phase"].isna(), "timepoint"]))
if config["contrasts"] and config["primary"]["contrast"] not in CONTRASTS:
    raise WorkflowError(
        f"config: `primary.contrast` is {config['primary']['contrast']!r}, which is no contrast; "
        f"contrasts: {', '.join(CONTRASTS)}"
    )
PERMUTATION = {key: config["abundance"][key] for key in ("max_exact", "n_draws")}
LAMM_GENES = [
    *config["lamm"]["definers"],
    *(gene for veto in config["lamm"]["vetoes"].values() for gene in veto["genes"]),
]
JOINT_SPACE = (
    "<results>/joint/pca.npz"
    if config["integration"]["method"] == "none"
    else f"<results>/joint/{config['integration']['method']}.npz"
)


wildcard_constraints:
    sample="|".join(map(re.escape, SAMPLES)),
    channel="|".join(map(re.escape, CHANNELS)),
    contrast="|".join(map(re.escape, CONTRASTS)) or "none",


def matrix_of(wildcards):
    """The user's count matrix of a sample."""
    return SHEET.set_index("sample").at[wildcards.sample, "counts"]


def shards_of_channel(wildcards):
    """Shards of the samples that share a channel."""
    return expand("<results>/shards/{sample}.h5ad", sample=CHANNELS[wildcards.channel])


def qc_of_channel(wildcards):
    """QC tables of the samples that share a channel."""
    return expand("<results>/qc/{sample}.parquet", sample=CHANNELS[wildcards.channel])


def resource(path):
    """A file that the config names: the user's own, or the one that comes with the workflow."""
    return path if Path(path).exists() else workflow.source_path(f"../../{path}")


def contrast_of(wildcards):
    """Definition of a contrast as plain values."""
    return CONTRASTS[wildcards.contrast]


def memory(base, factor):
    """Memory in MB as a function of input size: `base` plus `factor` times the input, more at each retry."""

    def mem_mb(wildcards, input, attempt):
        return int((base + factor * input.size_mb) * attempt)

    return mem_mb


def announce_contrasts():
    """Say what will be compared, so that a contrast that is missing shows before computing."""
    names = ", ".join(CONTRASTS) or "none"
    phases = f"; neither before nor after infusion: {', '.join(UNMAPPED)}" if UNMAPPED else ""
    print(f"Contrasts: {names}{phases}", file=sys.stderr)


def refuse_aliased_contrasts():
    """Stop before any computing where a contrast's design cannot tell its arms apart."""
    if ALIASED:
        raise WorkflowError("\n".join(ALIASED.values()))


def code(script):
    """Source files that a script uses, found by its imports: as input they make an edit rerun the rule.

    `runtime` is left out, since it holds no science.
    """
    found, open_names = set(), set(package_imports(f"../scripts/{script}.py"))
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            open_names |= package_imports(f"../../lammscope/{name}.py")
    return [workflow.source_path(f"../../lammscope/{name}.py") for name in sorted(found)]


@cache
def package_imports(path):
    """Modules of the package that a source file imports."""
    tree = ast.parse(Path(workflow.source_path(path)).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "lammscope":
            names |= {alias.name for alias in node.names if not alias.name.startswith("_")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lammscope."):
            names.add(node.module.split(".")[1])
    return frozenset(names - {"runtime"})


SIGNATURES = ["resources/signatures/lamm.gmt", "resources/signatures/myeloid.gmt"]


def batches():
    """The batch of every sample, as plain values."""
    column = config["integration"]["batch"]
    return SHEET.set_index("sample")[column].astype(str).to_dict()
