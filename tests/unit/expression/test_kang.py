"""Real pairs: interferon-stimulated monocytes of three donors (Kang 2018)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.sums import sum_groups
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.permutation import Permutations
from lammscope.core.gene_sets import read_gene_sets
from lammscope.core.shards import Shard
from lammscope.expression.gene_sets import test_gene_sets as run_sets
from lammscope.expression.genes import test_expression as run_test
from lammscope.expression.models import plain_pseudobulks, population_model, sum_replicates
from lammscope.expression.pseudobulk import build_pseudobulk
from lammscope.stats import linear
from lammscope.stats.voom import voom

pytestmark = pytest.mark.real_data
MONOCYTES = "CD14+ Monocytes"


@pytest.fixture
def pseudobulk(real_data: Callable[[str], Path]) -> anndata.AnnData:
    """Sum counts per donor, condition and cell type with the functions of the workflow."""
    cells: Any = anndata.read_h5ad(real_data("kang_ifnb") / "kang_ifnb_2000.h5ad")
    genes = pd.DataFrame({"gene": cells.var_names, "symbol": cells.var_names}, dtype="str")
    donor, stim, kind = (cells.obs[name].astype(str) for name in ("donor", "stim", "kang_cell"))
    known = (donor != "NA") & (kind != "NA")
    samples = (donor + "_" + stim).where(known)
    sums = []
    for name in sorted(samples.dropna().unique()):
        of_sample = (samples == name).to_numpy()
        shard = Shard(
            sparse.csr_array(cells.X[of_sample]), cells.obs_names[of_sample].to_numpy(), genes
        )
        positions = np.arange(of_sample.sum())
        labels = kind[of_sample].to_numpy()
        sums.append((name, sum_groups(shard, positions=positions, labels=labels)))
    return build_pseudobulk(sums, genes=genes.sort_values("gene", ignore_index=True))


@pytest.fixture
def samples(pseudobulk: anndata.AnnData) -> pd.DataFrame:
    names = sorted(pseudobulk.obs["sample"].unique())
    parts = pd.Series(names).str.split("_", expand=True)
    table: Any = pd.DataFrame({"sample": names, "patient": parts[0], "stim": parts[1]})
    return table.assign(timepoint="day 0", compartment="blood", sort="none", phase=pd.NA)


@pytest.fixture
def contrast(samples: pd.DataFrame) -> Contrast:
    entry = {"kind": "paired", "column": "stim", "test": "stim", "reference": "ctrl"}
    return contrasts_from_config({"stimulation": entry}, samples)[0]


@pytest.fixture
def top_genes(real_data: Callable[[str], Path]) -> pd.Series:
    """Return published top genes, all upregulated."""
    return pd.read_csv(real_data("kang_ifnb") / "reference_top20_CD14Mono_stim_vs_ctrl.csv")["gene"]


@pytest.mark.parametrize("engine", ["limma_voom", pytest.param("pydeseq2", marks=pytest.mark.slow)])
def test_top_genes_that_can_be_tested_rise(
    pseudobulk: anndata.AnnData,
    samples: pd.DataFrame,
    contrast: Contrast,
    top_genes: pd.Series,
    engine: str,
) -> None:
    monocytes = pseudobulk[pseudobulk.obs["population"] == MONOCYTES].copy()
    table = run_test(
        monocytes,
        Comparison(samples, contrast),
        min_cells=10,
        exclude=[],
        max_ambient_share=0.25,
        engine=engine,
        threads=1,
        permutations=None,
    )
    assert set(table["n_test"]) == {3}
    found = table[table["symbol"].isin(top_genes)]
    assert len(found) == 6  # the others have too few counts in 181 cells
    assert (found["log2fc"] > 4).all()
    assert (found["fdr"] < 0.01).all()
    assert (found.index < 40).all()  # rows are sorted by p


def test_every_top_gene_of_the_data_has_the_right_sign(
    pseudobulk: anndata.AnnData, samples: pd.DataFrame, contrast: Contrast, top_genes: pd.Series
) -> None:
    """Fit the model without the filter: 19 of 20, since CFB is not in these data."""
    sums = plain_pseudobulks(pseudobulk)
    comparison = Comparison(samples, contrast)
    model = population_model(sums, MONOCYTES, comparison, min_cells=10, within_patients=True)
    counts = sum_replicates(sums, MONOCYTES, comparison.sides)
    weighted = voom(counts, model.design, norm_factors=model.norm_factors)
    fit = linear.lm_fit(weighted.y, model.design, weights=weighted.weights)
    change = pd.Series(fit.coefficients[:, model.at], index=sums.symbols)
    present = top_genes[top_genes.isin(change.index)]
    assert set(top_genes) - set(present) == {"CFB"}
    assert (change[present] > 0).sum() == 19


def test_interferon_sets_rise_in_stimulated_monocytes(
    pseudobulk: anndata.AnnData, samples: pd.DataFrame, contrast: Contrast, repository: Path
) -> None:
    paths = sorted((repository / "resources" / "signatures").glob("*.gmt"))
    table: Any = run_sets(
        pseudobulk,
        Comparison(samples, contrast),
        gene_sets=read_gene_sets(paths),
        min_cells=10,
        exclude=[],
        max_ambient_share=0.25,
        min_genes=3,
        permutations=Permutations(max_exact=1000, n_draws=200, seed=1),
    )
    rows = table[table["cell_type"] == MONOCYTES].set_index("gene_set")
    found = rows.loc["Interferon_type_I"]
    assert (found["status"], found["direction"]) == ("ok", "up")
    assert found["p"] < 0.02  # of three pairs
    assert found["p_permutation"] == found["p_floor"] == 0.25
    assert rows["p"].rank()["Interferon_type_I"] <= 5
