"""Tests of gene sets within populations, with the patient as the unit."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.permutation import Permutations, permutation_p
from lammscope.core.gene_sets import GeneSet
from lammscope.core.verdicts import NOT_TESTABLE
from lammscope.expression.ambient_in_contrast import without_ambient
from lammscope.expression.engines import limma_fit
from lammscope.expression.models import FLAT, Model, Untested, plain_pseudobulks, population_model
from lammscope.expression.set_scores import patient_values, set_scores
from lammscope.expression.support import NO_EVIDENCE, judge
from lammscope.stats.camera import camera
from lammscope.stats.effect import effect_test
from lammscope.stats.influence import largest_p, leave_one_out
from lammscope.stats.multiplicity import benjamini_hochberg

COLUMNS = [
    *("cell_type", "gene_set", "n_genes", "n_missing", "direction", "mean_log2fc", "p", "fdr"),
    *("p_permutation", "p_floor", "influence_p_max", "influence_patient", "verdict", "doubts"),
    *("p_camera", "n_test", "n_reference", "status", "source"),
]


def test_gene_sets(
    pseudobulk: AnnData,
    comparison: Comparison,
    *,
    gene_sets: Sequence[GeneSet],
    min_cells: int,
    exclude: Sequence[str],
    max_ambient_share: float,
    min_genes: int,
    permutations: Permutations,
) -> pd.DataFrame:
    """Test whether the genes of each set differ more than the other genes, in every population.

    Pseudobulks, filter and normalization are those of the limma expression test. Each patient has
    one score per set (`set_scores.set_scores`), which is tested as abundance is
    (`stats.effect.effect_test`). Pairs and changes are differences within the patients who have
    both sides. camera (Wu and Smyth 2012, doi 10.1093/nar/gks461) is given for comparison: it
    counts genes, and takes their correlation to be 0.01.

    Parameters
    ----------
    pseudobulk, comparison, min_cells, exclude, max_ambient_share
        As in `genes.test_expression`.
    gene_sets
        Genes are symbols or Ensembl ids; case and versions of ids are ignored.
    min_genes
        Minimum tested genes in a set, and outside it; other sets are not tested.
    permutations
        Of the labels or signs of patients' scores.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, sorted by population and p. `n_genes` of the set were tested,
        `n_missing` were not (absent from the data, too low, excluded, or ambient RNA). `direction`
        is up or down in the test arm, relative to other genes. `mean_log2fc` is over the tested
        genes of the set, whatever other genes do. `fdr` is Benjamini-Hochberg over the sets of a
        population. `p_floor` is the smallest possible `p_permutation`, `influence_p_max` the
        largest p without one patient (nan if the model needs all). `verdict` and `doubts` are those
        of `support.judge`. `status` is ok,
        too_few_genes, too_few_patients (an arm has no residual degrees of freedom) or no_variation
        (the scores do not vary). A population that cannot be tested has one row without a set, with
        the status of `models.population_model`.
    """
    sums = plain_pseudobulks(pseudobulk, exclude=exclude)
    tables = []
    for population in sums.populations if gene_sets else []:
        model = population_model(
            sums, population, comparison, min_cells=min_cells, within_patients=True
        )
        if isinstance(model, Model):
            model = without_ambient(model, max_ambient_share=max_ambient_share)
        if isinstance(model, Untested):
            table = pd.DataFrame([{"gene_set": "", "source": "", "status": model.status}])
            table["verdict"] = NOT_TESTABLE
        else:
            table = _test_sets(
                model,
                comparison.contrast,
                gene_sets,
                min_genes=min_genes,
                permutations=permutations,
            )
        table = table.assign(
            cell_type=population, n_test=model.n_test, n_reference=model.n_reference
        )
        tables.append(table.reindex(columns=COLUMNS))
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    whole = {"n_genes": "Int64", "n_missing": "Int64"}
    return pd.concat([table.astype(whole) for table in tables], ignore_index=True)


def match_genes(
    gene_sets: Sequence[GeneSet], *, genes: np.ndarray, symbols: np.ndarray, level: np.ndarray
) -> dict[str, NDArray[np.int64]]:
    """Find the rows of the genes of each set, without duplicates.

    Parameters
    ----------
    genes, symbols
        Ids and symbols of the rows.
    level
        Expression of the rows. Of rows that share a symbol, the highest is used.
    """
    order = np.argsort(level, kind="stable")  # higher rows overwrite lower ones
    rows = {symbols[row].upper(): row for row in order}
    rows |= {plain_name(genes[row]): row for row in order}
    return {
        part.name: np.unique(
            np.array([rows[name] for gene in part.genes if (name := plain_name(gene)) in rows], int)
        )
        for part in gene_sets
    }


def _test_sets(
    model: Model,
    contrast: Contrast,
    gene_sets: Sequence[GeneSet],
    *,
    min_genes: int,
    permutations: Permutations,
) -> pd.DataFrame:
    design, fit = model.design.to_numpy(), limma_fit(model)
    change = fit.test.coefficients[:, 0]
    sets = match_genes(gene_sets, genes=model.genes, symbols=model.symbols, level=fit.test.mean)
    n_others = len(change) - min_genes
    testable = {name: rows for name, rows in sets.items() if min_genes <= len(rows) <= n_others}
    about = pd.DataFrame(
        {
            "gene_set": [part.name for part in gene_sets],
            "source": [part.source for part in gene_sets],
            "n_genes": [len(sets[part.name]) for part in gene_sets],
            "n_missing": [len(part.genes) - len(sets[part.name]) for part in gene_sets],
            "mean_log2fc": [_mean(change[sets[part.name]]) for part in gene_sets],
            "status": ["ok" if part.name in testable else "too_few_genes" for part in gene_sets],
        }
    )
    table = about.assign(direction=None, p=np.nan, p_camera=np.nan, **NO_EVIDENCE)
    table = table.set_index("gene_set")
    if testable:
        found = _test_scores(model, contrast, testable, permutations)
        found["p_camera"] = camera(fit.y, testable, design, model.at, weights=fit.weights)["p"]
        table.loc[found.index, list(found)] = found
    table["fdr"] = benjamini_hochberg(table["p"])
    table = pd.concat([table, judge(table)], axis=1)
    return table.reset_index().sort_values(["p", "gene_set"], kind="stable")


def _test_scores(
    model: Model,
    contrast: Contrast,
    sets: Mapping[str, NDArray[np.int64]],
    permutations: Permutations,
) -> pd.DataFrame:
    """Test the scores of patients; sets without a p have its reason as `status`."""
    patients = patient_values(model, contrast)
    scores = set_scores(patients, list(sets.values()))
    test = effect_test(scores, patients.design, patients.at)
    status = np.where(np.isnan(test.se), "too_few_patients", "ok").astype(object)
    status[test.se < FLAT] = "no_variation"
    ok = np.asarray(status == "ok")
    scheme = contrast.permutations(
        patients.units, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    index, p_permutation = pd.Index(sets), np.full(len(scores), np.nan)
    left_out = leave_one_out(scores, patients.design, patients.at).p
    largest, patient = largest_p(
        np.where(ok, left_out, np.nan), patients.units["patient"].to_numpy()
    )
    p_permutation[ok] = permutation_p(
        scores[ok], patients.design, patients.at, scheme, seed=permutations.seed
    )
    return pd.DataFrame(
        {
            "direction": pd.Series(np.where(test.estimate > 0, "up", "down"), index).where(
                ok, None
            ),
            "p": np.where(ok, test.p, np.nan),
            "p_permutation": p_permutation,
            "p_floor": np.where(ok, scheme.floor, np.nan),
            "influence_p_max": largest,
            "influence_patient": patient,
            "status": status,
        },
        index=index,
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


@lru_cache(maxsize=2**17)  # all populations have the same genes
def plain_name(gene: str) -> str:
    """Return the name of a gene in upper case, and an Ensembl id without version."""
    return re.sub(r"^(ENS[A-Z]*G\d+)\.\d+$", r"\1", gene.upper())
