"""Tables of V(D)J contigs: the formats that are read, and a check before anything runs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lammscope.core.files import named_errors, open_text
from lammscope.core.words import counted, shortened

GIVE = (
    "give Cell Ranger's filtered_contig_annotations.csv (or all_contig_annotations.csv), or an "
    "AIRR rearrangement table with cells (airr_rearrangement.tsv)"
)


@dataclass(frozen=True)
class ContigFormat:
    """A format of contig tables.

    Attributes
    ----------
    name
        The format in words.
    columns
        Names of a column by what it is; the first that a file has is read.
    optional
        What a file may lack. Of nucleotides and amino acids it needs one.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    optional: frozenset[str]

    def columns_in(self, header: Collection[str]) -> dict[str, str]:
        """Return the columns of a file to read: what each is, by its name in the file."""
        found = {role: [n for n in names if n in header] for role, names in self.columns.items()}
        return {names[0]: role for role, names in found.items() if names}

    def missing_in(self, header: Collection[str]) -> list[str]:
        """Return the columns that a file lacks, in words."""
        needed = [names for role, names in self.columns.items() if role not in self.optional]
        needed.append(sum((self.columns[role] for role in SEQUENCES), ()))
        return [
            " or ".join(f"`{name}`" for name in names)
            for names in needed
            if not set(names) & set(header)
        ]


SEQUENCES = ("nucleotides", "amino_acids")
# The junction of AIRR is what Cell Ranger calls the CDR3: both hold the conserved C and F or W.
CELL_RANGER = ContigFormat(
    "Cell Ranger's contig annotations",
    columns={
        **{"barcode": ("barcode",), "chain": ("chain",), "v": ("v_gene",), "j": ("j_gene",)},
        **{"nucleotides": ("cdr3_nt",), "amino_acids": ("cdr3",)},
        **{"productive": ("productive",), "umis": ("umis",)},
        **{"is_cell": ("is_cell",), "high_confidence": ("high_confidence",)},
    },
    optional=frozenset({*SEQUENCES, "is_cell", "high_confidence"}),
)
# Cell Ranger's AIRR table has no locus, which the J gene names, and its UMIs are `duplicate_count`.
AIRR = ContigFormat(
    "an AIRR rearrangement table with cells",
    columns={
        **{"barcode": ("cell_id",), "chain": ("locus",), "v": ("v_call",), "j": ("j_call",)},
        **{"nucleotides": ("junction",), "amino_acids": ("junction_aa",)},
        "productive": ("productive",),
        "umis": ("umi_count", "duplicate_count", "consensus_count"),
        "is_cell": ("is_cell",),
    },
    optional=frozenset({*SEQUENCES, "chain", "is_cell"}),
)


def read_contig_head(path: str | Path) -> tuple[str, dict[str, str]]:
    """Read the header of a table of contigs.

    Returns
    -------
    separator
        Between its columns: a tab or a comma.
    columns
        The columns to read: what each is (`barcode`, `v`, ...), by its name in the file.

    Raises
    ------
    ValueError
        If the file is empty, cannot be read, or lacks a column. The message starts with the path.
    """
    with named_errors(path):
        with open_text(Path(path)) as handle:
            line = handle.readline().strip("\r\n")
        if not line.strip():
            raise ValueError(f"is empty; {GIVE}, or leave the field empty")
        separator = "\t" if "\t" in line else ","
        header = [name.strip().strip('"') for name in line.split(separator)]
        kind = AIRR if "cell_id" in header and "barcode" not in header else CELL_RANGER
        if not {"barcode", "cell_id"} & set(header):
            raise ValueError(
                "names no cells: it has neither a column `barcode` nor `cell_id` (columns: "
                f"{shortened(header)}); {GIVE}"
            )
        missing = kind.missing_in(header)
        if missing:
            raise ValueError(
                f"lacks columns of {kind.name}: {', '.join(missing)} (columns: "
                f"{shortened(header, 12)}); {GIVE}"
            )
    return separator, kind.columns_in(header)


def contig_mistakes(samples: pd.DataFrame, sheet: str) -> list[str]:
    """Find tables of contigs, of those that exist, that cannot be read or lack columns."""
    if "contigs" not in samples:
        return []
    mistakes = []
    for sample, path in samples[["sample", "contigs"]].dropna().itertuples(index=False):
        if not Path(path).exists():
            continue
        try:
            read_contig_head(path)
        except ValueError as error:
            mistakes.append(f"{sheet}: sample `{sample}`: contigs {error}")
    return mistakes


def contig_line(samples: pd.DataFrame) -> str:
    """Return which samples have contigs, in a sentence for the plan; empty without any."""
    if "contigs" not in samples or samples["contigs"].isna().all():
        return ""
    without = samples.loc[samples["contigs"].isna(), "sample"].tolist()
    others = f" (without: {shortened(without)})" if without else ""
    n_with = len(samples) - len(without)
    return f"T-cell receptors: contigs of {n_with} of {counted(len(samples), 'samples')}{others}"
