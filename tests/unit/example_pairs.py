"""Tables of ligand-receptor pairs of a small cohort, from the very functions of the workflow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lammscope.axis.groups import Groups
from lammscope.axis.pair_tests import test_pairs as run_tests
from lammscope.axis.question import Tables, ask
from lammscope.axis.values import patient_values
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.pairs import Pair, read_term
from lammscope.cohort.permutation import Permutations
from lammscope.report.axis_levels import Levels
from lammscope.report.figures.axis import AxisData
from tests.unit.example_results import sample_table

MYELOID = ("LAMM_macrophage_like", "monocytic")
ROLES = {"myeloid": list(MYELOID), "T": ["CD8", "CAR_T"], "other": ["B"]}
POPULATIONS = {
    "LAMM_macrophage_like": ("LAMM",),
    "monocytic": ("LAMM", "Classical_monocyte", "Nonclassical_monocyte"),
    "CD8": ("CD8_T",),
    "CAR_T": ("CAR_T",),
    "B": ("B",),
}
PRIMARY = {"pair": "PGE2", "sender": "LAMM_macrophage_like", "receiver": "CD8"}
PAIRS = [
    ("PGE2", "PTGS1|PTGS2+PTGES", "PTGER2|PTGER4", "myeloid", "T", "lipid", True),
    ("PGE2_cyclooxygenase", "PTGS1|PTGS2", "PTGER2|PTGER4", "myeloid", "T", "lipid", True),
    ("PGE2_PTGES3", "PTGES3", "PTGER2|PTGER4", "myeloid", "T", "lipid", False),
    ("PDL1_PD1", "CD274", "PDCD1", "myeloid", "T", "checkpoint", True),
    ("IFNG_IFNGR", "IFNG", "IFNGR1", "T", "myeloid", "secreted", True),
]
WHOLE = 2  # times as many monocytic cells as LAMM cells
UMI = 200_000  # of a group of cells in a sample
# UMIs of genes in the reference arm; others have 0
SENT = {"PTGS1": 20, "PTGS2": 40, "PTGES": 30, "PTGES3": 90, "CD274": 25, "IFNGR1": 60}
RECEIVED = {"PTGER2": 25, "PTGER4": 40, "PDCD1": 30, "IFNG": 35}


def make_pairs() -> list[Pair]:
    """Return the pairs of the example."""
    return [
        Pair(
            name, read_term(ligand), read_term(receptor), (sender,), (receiver,), kind,
            is_tested, "a paper",
        )
        for name, ligand, receptor, sender, receiver, kind, is_tested in PAIRS
    ]  # fmt: skip


def term_tables(
    samples: pd.DataFrame, *, higher: float = 4.0, without: Sequence[str] = (), seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make `axis/libraries.tsv` and `axis/terms.tsv.gz`.

    The genes of PGE2 and its receptors, and CD274 without its receptor, are `higher` in
    non-responders. The genes `without` have no UMI.
    """
    rng = np.random.default_rng(seed)
    moved = {"PTGS1", "PTGS2", "PTGES", "PTGER2", "PTGER4", "CD274"}
    sizes = {"ambient": 0.0, "is_limit": False}
    libraries, terms = [], []
    for row in samples.to_dict("records"):
        fold = higher if row["response"] == "non_responder" else 1.0
        for group in POPULATIONS:
            own = SENT if group in MYELOID else RECEIVED if group in ROLES["T"] else {}
            more = WHOLE if group == "monocytic" else 1  # LAMM cells, and as many others
            size = {"n_cells": 60 * more, "umi": UMI * more, "library": float(UMI * more)}
            libraries.append({"sample": row["sample"], "group": group, **sizes, **size})
            for gene in [*SENT, *RECEIVED]:
                level = own.get(gene, 0) * (fold if gene in moved else 1.0)
                level *= 0 if gene in without else rng.lognormal(0, 0.1) * (1.5 if more > 1 else 1)
                terms.append((row["sample"], group, gene, float(rng.poisson(level)), 0.0))
    columns = ["sample", "group", "gene", "count", "ambient"]
    return pd.DataFrame(libraries), pd.DataFrame(terms, columns=columns)


def axis_data(
    contrast: Contrast,
    *,
    n_patients: int = 8,
    samples: pd.DataFrame | None = None,
    **changes: Any,
) -> AxisData:
    """Test the pairs in a contrast, and return what its figures are drawn from."""
    samples = sample_table(n_patients) if samples is None else samples
    libraries, terms = term_tables(samples, **changes)
    comparison = Comparison(samples, contrast)
    question = ask(
        make_pairs(),
        Groups(ROLES, POPULATIONS),
        Tables(libraries, terms, cell_counts(samples)),
        comparison,
        min_cells=10,
        max_ambient_share=0.25,
        exclude_pre_post=[],
        sorts={},
    )
    permutations = Permutations(max_exact=1000, n_draws=100, seed=0)
    return AxisData(
        Levels(comparison, libraries, terms, min_cells=10),
        run_tests(question, permutations=permutations, primary=PRIMARY),
        patient_values(question),
        groups=ROLES,
        primary=PRIMARY,
    )


def cell_counts(samples: pd.DataFrame) -> pd.DataFrame:
    """Make `abundance/counts.tsv`: 60 cells of each population in each sample."""
    lineages = {"LAMM": "monocytic", "Classical_monocyte": "monocytic", "CD8_T": "T", "CAR_T": "T"}
    rows = [
        (sample, population, lineage, 60, population != "LAMM")
        for sample in samples["sample"]
        for population, lineage in lineages.items()
    ]
    columns = ["sample", "population", "lineage", "n_cells", "partition"]
    return pd.DataFrame(rows, columns=columns)


def state_table(*, status: str = "ok") -> pd.DataFrame:
    """Make rows of `axis/states.{contrast}.tsv`."""
    keys = [
        ("CAR_T", "CAR_T_dysfunction_NK_like", "mean"),
        ("CAR_T", "exhausted", "fraction"),
        ("CD4_T", "T_memory", "mean"),
        ("T", "PGE2_response_T_proxy", "mean"),
        ("T", "memory", "fraction"),
        ("T", "CAR_T", "fraction"),
    ]
    table = pd.DataFrame(keys, columns=["population", "measure", "kind"])
    table = table.assign(
        scale=table["kind"].map({"mean": "mean", "fraction": "logit"}),
        estimate=[0.3, 1.2, 0.1, -0.05, 0.4, -0.9], ci_low=[0.1, 0.2, -0.2, -0.2, -0.6, -1.7],
        ci_high=[0.5, 2.2, 0.4, 0.1, 1.4, -0.1], p=[0.01, 0.03, 0.5, 0.4, 0.4, 0.04],
        mean_test=0.2, mean_reference=0.1, n_test=4, n_reference=4, status=status, reason="",
        verdict=["supported", "suggestive", *["inconclusive"] * 3, "suggestive"], words="",
    )  # fmt: skip
    if status != "ok":
        table[["estimate", "ci_low", "ci_high", "p"]] = np.nan
    return table


def association_tables(n_patients: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make `axis/associations.tsv` and `axis/associations_patients.tsv.gz`: two correlations.

    The second one was not computed.
    """
    keys = {"when": "pre", "compartment": "blood", "lamm_measure": "LAMM_score"}
    keys |= {"t_population": "CAR_T", "t_kind": "mean"}
    measures = ["T_memory", "T_naive"]
    rows = pd.DataFrame({**keys, "t_measure": measures, "n": n_patients, "n_covariates": 3})
    rows = rows.assign(
        rho=[0.8, np.nan], ci_low=[0.2, np.nan], ci_high=[0.96, np.nan], p=[0.02, np.nan],
        p_permutation=[0.03, np.nan], p_floor=[0.001, np.nan], fdr=[0.02, np.nan],
        status=["ok", "too_few_patients"], reason=["", "too few"], words="",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    names = [f"P{i:02d}" for i in range(1, n_patients + 1)]
    arms = np.where(np.arange(n_patients) % 2, "non_responder", "responder")
    patients = [
        pd.DataFrame({"patient": names, "arm": arms, **keys, "t_measure": measure}).assign(
            **{
                name: rng.normal(size=n_patients)
                for name in ("lamm_value", "t_value", "lamm_log_umis", "t_log_umis")
            }
        )
        for measure in measures
    ]
    return rows, pd.concat(patients, ignore_index=True)
