"""Genes of chromosome Y and of the inactive X, which differ between patients with their sex."""

import re

import pandas as pd

from lammscope.core.resources import find_resource

PATH = "resources/genes/sex_genes.tsv"


def sex_gene_pattern() -> str:
    """Return a regular expression that matches their symbols and Ensembl ids."""
    table = pd.read_csv(
        find_resource(PATH), sep="\t", comment="#", dtype=str, keep_default_na=False
    )
    names = dict.fromkeys(name for name in (*table["gene"], *table["symbol"]) if name)
    return "|".join(map(re.escape, names))
