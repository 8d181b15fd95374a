"""The genes of the mitochondrial genome."""

import pandas as pd

MITOCHONDRIAL = r"^MT-"  # HGNC symbols of all its genes

# Their human Ensembl ids, for matrices without symbols: 13 protein-coding genes and 2 rRNAs.
MITOCHONDRIAL_IDS = frozenset(
    f"ENSG00000{number}"
    for number in (
        *("198888", "198763", "198804", "198712", "228253", "198899", "198938", "198840"),
        *("212907", "198886", "198786", "198695", "198727", "211459", "210082"),
    )
)


def are_mitochondrial(genes: pd.DataFrame) -> pd.Series:
    """Test which genes (`gene`, `symbol`) are mitochondrial, by symbol or Ensembl id."""
    by_symbol = genes["symbol"].str.upper().str.match(MITOCHONDRIAL)
    return by_symbol | genes["gene"].isin(MITOCHONDRIAL_IDS)
