"""Terms of the CELLxGENE schema in `cohort.h5ad`, from the sheets and for the cell types.

The schema [1]_ describes every cell by terms of ontologies. The sheets give those of samples and
patients; the types of the marker panel have theirs in `resources/markers/cell_ontology.tsv`. Names
that the schema reserves for labels (`cell_type`, `sex`, `feature_name`, ...) are kept, as in the
files that CELLxGENE publishes; `cellxgene-schema remove-labels` removes them before validation.

References
----------
.. [1] https://github.com/chanzuckerberg/single-cell-curation, version 7.1
"""

import logging
from collections.abc import Mapping
from typing import cast

import anndata
import pandas as pd

from lammscope.core.resources import find_resource
from lammscope.joint.verdicts import SEXES

log = logging.getLogger(__name__)

CELL_ONTOLOGY = "resources/markers/cell_ontology.tsv"
ORGANISM = "organism_ontology_term_id"
HUMAN = "NCBITaxon:9606"
HUMAN_GENE = r"ENSG\d{11}"
PRIMARY = "is_primary_data"
# Without these the schema cannot be met: nothing else tells them.
NEEDED = (
    *("tissue_ontology_term_id", "tissue_type", "assay_ontology_term_id"),
    *("disease_ontology_term_id", "suspension_type", PRIMARY),
)
# Here the schema allows "unknown".
OR_UNKNOWN = (
    *("sex_ontology_term_id", "self_reported_ethnicity_ontology_term_id"),
    "development_stage_ontology_term_id",
)
UNKNOWN = "unknown"
SEX_TERMS = {"female": "PATO:0000383", "male": "PATO:0000384"}


def read_cell_ontology() -> dict[str, str]:
    """Return the Cell Ontology term of each type of the marker panel."""
    path = find_resource(CELL_ONTOLOGY)
    table = pd.read_csv(path, sep="\t", comment="#", dtype="str", index_col="cell_type")
    return {str(name): str(term) for name, term in table["term"].items()}


def add_schema_terms(
    cohort: anndata.AnnData, *, cell_types: Mapping[str, str], title: str
) -> list[str]:
    """Add the terms of the schema to `obs` and `uns` in place.

    Parameters
    ----------
    cohort
        From `describe_cohort`: `obs` has `patient`, `cell_type` and the columns of the sheets.
    cell_types
        The Cell Ontology term of each cell type; other types are `unknown`.
    title
        Title of the report, which becomes that of the data set.

    Returns
    -------
    list of str
        Columns that the schema needs and that the sheets do not have, or not for all samples. They
        are named in the log.
    """
    obs = cast("pd.DataFrame", cohort.obs)
    cohort.uns.update({"title": title, "default_embedding": "X_umap"})
    organism = _take_organism(obs, genes=cohort.var_names)
    if organism:
        cohort.uns[ORGANISM] = organism
    obs["donor_id"] = obs["patient"]
    obs["cell_type_ontology_term_id"] = _mapped(obs["cell_type"], cell_types)
    if "sex_ontology_term_id" not in obs and "sex" in obs:
        terms = {word: SEX_TERMS[sex] for word, sex in SEXES.items()}
        obs["sex_ontology_term_id"] = _mapped(obs["sex"].astype("str").str.lower(), terms)
    for column in OR_UNKNOWN:
        given = obs[column] if column in obs else pd.Series(pd.NA, index=obs.index, dtype="str")
        obs[column] = given.astype("str").fillna(UNKNOWN).astype("category")
    missing = [name for name in NEEDED if name not in obs or obs[name].isna().any()]
    if PRIMARY in obs and PRIMARY not in missing:
        obs[PRIMARY] = obs[PRIMARY].astype(bool)
    missing += [ORGANISM] * (not organism)
    if missing:
        log.info("not for submission to CELLxGENE: the sheets lack %s", ", ".join(missing))
    return missing


def _take_organism(obs: pd.DataFrame, *, genes: pd.Index) -> str:
    """Take the organism out of `obs`, where the schema forbids it; human genes tell it, too."""
    given = obs.pop(ORGANISM).dropna().unique().tolist() if ORGANISM in obs else []
    if not given and genes.str.fullmatch(HUMAN_GENE).any():
        return HUMAN
    return str(given[0]) if len(given) == 1 else ""


def _mapped(values: pd.Series, terms: Mapping[str, str]) -> pd.Series:
    found = values.astype("str").map(dict(terms))
    return found.astype("str").fillna(UNKNOWN).astype("category")
