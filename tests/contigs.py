"""Tables of V(D)J contigs, as Cell Ranger writes them and in the AIRR format."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

BASES = np.array(list("ACGT"))


def chain(barcode: str, clone: int, *, locus: str = "TRB", umis: int = 5) -> dict[str, object]:
    """Make a chain of a clone, whose genes and CDR3 follow from its number."""
    rng = np.random.default_rng([clone, locus == "TRA"])
    nucleotides = "TGT" + "".join(rng.choice(BASES, 36)) + "TTT"
    return {
        "barcode": barcode,
        "chain": locus,
        "v": f"{locus}V{1 + clone % 7}-1",
        "j": f"{locus}J1-{1 + clone % 5}",
        "nucleotides": nucleotides,
        "amino_acids": f"C{''.join(chr(65 + b % 20) for b in nucleotides.encode()[3:15])}F",
        "umis": umis,
        "productive": True,
    }


def chains_of(barcodes: Sequence[str], clones: Sequence[int]) -> list[dict[str, object]]:
    """Make an alpha and a beta chain of each cell."""
    return [
        chain(barcode, clone, locus=locus)
        for barcode, clone in zip(barcodes, clones, strict=True)
        for locus in ("TRA", "TRB")
    ]


def write_cell_ranger(chains: Sequence[dict[str, object]], path: Path) -> Path:
    """Write `all_contig_annotations.csv`; with the suffix `.gz`, compressed."""
    table = pd.DataFrame(chains)
    lines = pd.DataFrame(
        {
            "barcode": table["barcode"],
            "is_cell": table.get("is_cell", True),
            "contig_id": [f"{b}_contig_{i}" for i, b in enumerate(table["barcode"])],
            "high_confidence": table.get("high_confidence", True),
            "chain": table["chain"],
            "v_gene": table["v"],
            "d_gene": "None",
            "j_gene": table["j"],
            "productive": table["productive"],
            "cdr3": table["amino_acids"],
            "cdr3_nt": table["nucleotides"],
            "reads": 100,
            "umis": table["umis"],
        }
    )
    lines.to_csv(path, index=False)
    return path


def write_airr(chains: Sequence[dict[str, object]], path: Path) -> Path:
    """Write `airr_rearrangement.tsv` as Cell Ranger does: without a locus, with T and F."""
    table = pd.DataFrame(chains)
    lines = pd.DataFrame(
        {
            "cell_id": table["barcode"],
            "clone_id": "",
            "sequence_id": [f"{b}_contig_{i}" for i, b in enumerate(table["barcode"])],
            "productive": np.where(table["productive"].astype(bool), "T", "F"),
            "v_call": table["v"] + "*01",
            "j_call": table["j"],
            "junction": table["nucleotides"],
            "junction_aa": table["amino_acids"],
            "consensus_count": 100,
            "duplicate_count": table["umis"],
            "is_cell": "T",
        }
    )
    lines.to_csv(path, sep="\t", index=False)
    return path
