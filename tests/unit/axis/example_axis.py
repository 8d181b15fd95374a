"""Made-up counts of terms, for tests of pairs."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.axis.batches import AxisQuestion
from lammscope.axis.groups import Groups
from lammscope.axis.question import Tables, ask
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.pairs import Pair, read_term
from lammscope.cohort.permutation import Permutations

GROUPS = Groups(
    {"myeloid": ["LAMM_positive", "monocytic"], "T": ["CD8"]},
    {"LAMM_positive": ("LAMM",), "monocytic": ("Monocyte",), "CD8": ("CD8_T",)},
)
PERMUTATIONS = Permutations(max_exact=1000, n_draws=200, seed=0)
PRIMARY = {"pair": "pair", "sender": "LAMM_positive", "receiver": "CD8"}
SETTINGS: dict[str, Any] = {
    **{"min_cells": 10, "max_ambient_share": 0.25, "exclude_pre_post": [], "sorts": {}},
}


def pair(
    ligand: str = "LIG", receptor: str = "REC", name: str = "pair", *, use: bool = True
) -> Pair:
    return Pair(name, read_term(ligand), read_term(receptor), ("myeloid",), ("T",), "", use, "")


def tables(
    samples: pd.DataFrame,
    levels: dict[str, dict[str, Any]],
    *,
    n_cells: int | dict[str, Any] = 100,
    umi: float = 3e5,
    ambient: dict[str, float] | None = None,
    seed: int = 3,
) -> Tables:
    """Draw counts; `levels` has expected UMIs by group and gene, one number or one per sample.

    `ambient` has the expected share of a gene's UMIs that is ambient RNA, in all groups.
    """
    rng = np.random.default_rng(seed)
    names, n = samples["sample"].to_numpy(), len(samples)
    libraries, terms = [], []
    for group in ("LAMM_positive", "monocytic", "CD8"):
        own = levels.get(group, levels["LAMM_positive"])
        cells = n_cells.get(group, 100) if isinstance(n_cells, dict) else n_cells
        sizes = {"n_cells": cells, "umi": umi, "library": umi, "ambient": 0.01 * umi}
        about = {"sample": names, "group": group}
        libraries.append(pd.DataFrame(about | sizes | {"is_limit": False}))
        for gene in ("LIG", "LIG2", "REC"):
            mean = np.broadcast_to(np.asarray(own.get(gene, 0.0), dtype=float), n)
            drawn = rng.poisson(np.nan_to_num(mean) * rng.lognormal(0, 0.2, n))
            count = np.where(np.isnan(mean), np.nan, drawn)
            share = (ambient or {}).get(gene, 0.0)
            one = about | {"gene": gene}
            terms.append(pd.DataFrame(one | {"count": count, "ambient": share * count}))
    cells = [
        pd.DataFrame(
            {"sample": names, "population": name, "lineage": lineage, "n_cells": number}
            | {"partition": name != "LAMM"}
        )
        for name, lineage, number in (
            ("LAMM", "monocytic", 100),
            ("Monocyte", "monocytic", 150),
            ("CD8_T", "T", 100),
            ("B", "B", 500),
        )
    ]
    return Tables(pd.concat(libraries), pd.concat(terms), pd.concat(cells))


def question(
    samples: pd.DataFrame, contrast: Contrast, made: Tables, *pairs: Pair, **settings: Any
) -> AxisQuestion:
    comparison = Comparison(samples, contrast)
    return ask(list(pairs or [pair()]), GROUPS, made, comparison, **{**SETTINGS, **settings})
