"""Genomes in front of the names of genes, and the species of a matrix."""

import re
from collections.abc import Sequence

import pandas as pd

from lammscope.core.names import ENSEMBL
from lammscope.core.runtime import logger
from lammscope.ingest.gene_names.columns import (
    ID,
    MAJORITY,
    MARKS,
    SEPARATORS,
    are_distinct,
    mostly_ensembl,
)

# Genomes as reference builds name them, with a version or `premrna`. Other names of genomes are
# found in front of Ensembl ids only.
BUILD = r"(?:GRC[a-z]\d+|hg\d\d|mm\d\d?|rn\d|T2T|CHM13|human|mouse|homo_sapiens|mus_musculus)"
PART = rf"(?:[-_.](?:p\d+|premrna|CHM13\w*|v?\d+(?:\.\d+)*(?:-[A-Z])?)(?=[{MARKS}]))"
GENOME = rf"(?i:{BUILD}{PART}*)"

HUMAN = "human"
# codes in Ensembl ids, https://www.ensembl.org/info/genome/stable_ids/prefixes.html
SPECIES = {
    **{"": HUMAN, "MUS": "mouse", "RNO": "rat", "MMU": "rhesus macaque", "SSC": "pig"},
    **{"MFA": "crab-eating macaque", "DAR": "zebrafish", "CAF": "dog", "PTR": "chimpanzee"},
}
MIN_SPECIES = 0.05  # of the ids; a second species in a reference has more; our choice
MIN_STEMS = (
    10  # distinct beginnings of symbols in lower case; `gene1`, `gene2` have one; our choice
)


def genome_of_each(features: pd.DataFrame) -> pd.Series:
    """Return the genome of each feature by its name, `GRCh38` for `GRCh38_ENSG...`.

    Parameters
    ----------
    features
        `gene` and `symbol`.

    Returns
    -------
    Series of str
        The genome, or empty text. If no name has a genome in front, but ids are of several species,
        these are the genomes (`human`, `mouse`).
    """
    names = features["gene"]
    others = names[~names.str.startswith("ENS")]  # few in most files, which saves time
    found = others.str.extract(rf"^(\w[\w.-]*?){SEPARATORS}{ENSEMBL}", expand=False).dropna()
    if found.empty or are_distinct(found):
        names = features["symbol"]
        found = names.str.extract(rf"^({GENOME}){SEPARATORS}(?=\S)", expand=False).dropna()
        if len(found) <= MAJORITY * len(names):
            return _species_of_each(features["gene"])
    genomes = "|".join(map(re.escape, sorted(found.unique(), key=len, reverse=True)))
    return names.str.extract(rf"^({genomes}){SEPARATORS}", expand=False).fillna("")


def without_genomes(features: pd.DataFrame, genomes: Sequence[str]) -> pd.DataFrame:
    """Return features without the given genomes, or names of builds, in front of their names."""
    given = "|".join(map(re.escape, sorted(genomes, key=len, reverse=True))) or "(?!)"
    names = features[["gene", "symbol"]].copy()
    for column, texts in names.items():
        for pattern in (rf"^(?:{given}){SEPARATORS}(?=\S)", rf"^{GENOME}{SEPARATORS}(?=\S)"):
            if texts.str.match(pattern).mean() > MAJORITY:
                names[column] = names[column].str.replace(pattern, "", regex=True)
        names[column] = names[column].str.replace(rf"^(?:{given})_+(?=\S)", "", regex=True)
        names[column] = _without_build_behind(names[column])
    return features.assign(gene=names["gene"], symbol=names["symbol"])


def _without_build_behind(names: pd.Series) -> pd.Series:
    """Remove a build behind most names, such as `ACTB_GRCh38`, if all have the same."""
    pattern = rf"[{MARKS}]+({BUILD})$"
    builds = names.str.extract(pattern, expand=False, flags=re.IGNORECASE).dropna()
    if len(builds) <= MAJORITY * len(names) or builds.str.lower().nunique() > 1:
        return names
    return names.str.replace(pattern, "", regex=True, flags=re.IGNORECASE)


def refuse_other_species(features: pd.DataFrame) -> None:
    """Refuse matrices of other species: markers, LAMM definers, QC and gene sets are human.

    Parameters
    ----------
    features
        `gene` and `symbol`, those of one genome.

    Raises
    ------
    ValueError
        If the symbols are not human, or if the ids are of another species and there are no symbols.
    """
    name = _species(features)
    if name == HUMAN or _has_human_symbols(features, name):
        return
    symbols = _lower(features)
    if not name and (shows_human(features) or not named_in_lower_case(features)):
        return
    example = ", ".join([*features["gene"][:1], *symbols[:1]] if name else symbols[:2])
    whose = f"those of {name}" if name else "in lower case, as in mouse and rat"
    raise ValueError(
        f"genes are {whose} (e.g. {example}), but the marker panel, LAMM definers, mitochondrial "
        "genes and gene sets are human: give a matrix counted against a human reference, or name "
        "the genes by their human one-to-one orthologs"
    )


def warn_of_other_ids(features: pd.DataFrame) -> None:
    """Warn of ids of another species with human symbols.

    They are accepted: someone has named the genes by their human orthologs, or the symbols of the
    species are those of man, as in macaques.
    """
    name = _species(features)
    if _has_human_symbols(features, name):
        logger.warning(
            "gene ids are of %s (e.g. %s), but symbols are in upper case as human ones (e.g. %s): "
            "they are used as human genes",
            *(name, features["gene"].iloc[0], features["symbol"].iloc[0]),
        )


def _species(features: pd.DataFrame) -> str:
    """Return the species of most ids, or empty text if genes have no Ensembl ids."""
    if not mostly_ensembl(features["gene"]):
        return ""
    return str(_species_of_ids(features["gene"]).mode()[0])


def _has_human_symbols(features: pd.DataFrame, species: str) -> bool:
    """Test whether genes with ids of another species have symbols in upper case."""
    has_symbols = (features["symbol"] != features["gene"]).mean() > MAJORITY
    is_upper = len(_lower(features)) <= MAJORITY * len(features)
    return bool(species not in ("", HUMAN) and has_symbols and is_upper)


def named_in_lower_case(features: pd.DataFrame) -> bool:
    """Test whether most symbols have lower case letters, as in mouse and rat."""
    symbols = _lower(features)
    stems = symbols.str.extract(r"^([A-Za-z]+)", expand=False)
    n_symbols = (~features["symbol"].str.contains(ID)).sum()
    return bool(len(symbols) > MAJORITY * n_symbols and stems.nunique() >= MIN_STEMS)


def shows_human(features: pd.DataFrame) -> bool:
    """Test whether genes are human by their ids, or else by their symbols.

    Genes of the HLA are human. So are symbols in lower case throughout, which some software
    writes; those of mouse and rat begin with a capital.
    """
    ids = _species_of_ids(features["gene"])
    if (ids != "").mean() > MAJORITY:
        return bool((ids == HUMAN).sum() > MAJORITY * (ids != "").sum())
    symbols = features["symbol"]
    has_hla = symbols.str.match(r"(?i:HLA[-_.](?:[A-G]|D[A-Z]+\d?)$)").any()
    return bool(has_hla or symbols.str.fullmatch("[^A-Z]+").mean() > MAJORITY)


def _lower(features: pd.DataFrame) -> pd.Series:
    """Return the symbols with lower case letters, without human `C1orf112`."""
    symbols = features["symbol"]
    return symbols[symbols.str.match(r"[A-Za-z]*[a-z]") & ~symbols.str.match(r"C[\dXY]+orf")]


def _species_of_ids(ids: pd.Series) -> pd.Series:
    """Return the species of Ensembl ids; of others an empty text."""
    codes = ids.str.extract(r"(?<![A-Za-z0-9])ENS([A-Z]*)G\d{6,}", expand=False)
    names = {code: SPECIES.get(code, f"ENS{code}") for code in codes.dropna().unique()}
    return pd.Series([names.get(code, "") for code in codes], index=ids.index, dtype=str)


def _species_of_each(ids: pd.Series) -> pd.Series:
    species = _species_of_ids(ids)
    shares = species[species != ""].value_counts(normalize=True)
    return (
        species if (shares >= MIN_SPECIES).sum() > 1 else pd.Series("", index=ids.index, dtype=str)
    )
