"""Mean expression profiles of the simulated cell types, built from `resources/simulation`.

All levels are invented for simulation and must not be used as a reference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.core.resources import HOME
from lammscope.core.yaml_text import load_yaml

RESOURCES = HOME / "resources" / "simulation"
PER_CELL = 10_000.0
LAMM = "LAMM"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Factor:
    """A source of variation between cells of one type: log level += loading x z."""

    name: str
    loadings: Floats  # one per gene
    cell_sd: float
    library_sd: float
    patient_sd: float
    share: Mapping[str, float]  # of cells with z = 1, by type; if empty, z is normal


@dataclass(frozen=True)
class AmbientRNA:
    """How ambient RNA differs from the mean of the cells."""

    gene_factors: Floats  # one per gene
    type_factors: Floats  # one per cell type
    levels: Floats  # UMIs per 10,000 from cells that are not in the library, one per gene
    lineage_sd: float  # between libraries, natural log units
    level_sd: float


@dataclass(frozen=True)
class Programs:
    """Profiles of all types over all genes.

    `genes` has the columns `gene` (Ensembl id) and `symbol`; CAR transcripts come last. `position`
    is the row of a symbol (the first row, for the few symbols of two genes). `levels` (types x
    genes) are mean UMIs per 10,000; each row sums to 10,000. `types` has the columns `lineage`,
    `depth` (median UMIs of a cell), `depth_sd` (between cells, natural log units) and `fraction`
    (share within its group, monocytic types or all others, before infusion; NaN for LAMM).
    """

    genes: pd.DataFrame
    position: Mapping[str, int]
    types: pd.DataFrame
    levels: Floats
    named: NDArray[np.bool_]  # genes with a given level; all others are the tail
    mitochondrial: NDArray[np.bool_]
    factors: tuple[Factor, ...]
    drift: Mapping[str, Mapping[str, float]]  # type: {other type: mean shift towards it, 0 to 1}
    drift_concentration: float
    drift_exempt: NDArray[np.bool_]
    captured: NDArray[np.bool_]  # genes whose capture differs most between libraries
    sex: Mapping[str, Mapping[str, float]]
    car: Mapping[str, str]
    car_level: float
    lamm_response: Mapping[str, float]
    ambient: AmbientRNA


def read_programs(folder: str | Path = RESOURCES) -> Programs:
    """Read the gene table and the gene programs, and build the profile of every type.

    Parameters
    ----------
    folder
        Contains `genes.tsv.gz` (columns `gene`, `symbol`) and `programmes.yaml`.

    Raises
    ------
    ValueError
        If the programs name a gene or a block that does not exist, or leave no room for the tail.
    """
    folder = Path(folder)
    source = folder / "programmes.yaml"
    written = load_yaml(source.read_text(encoding="utf-8"))
    genes = pd.read_csv(folder / "genes.tsv.gz", sep="\t", dtype=str, keep_default_na=False)
    car = pd.DataFrame({"gene": list(written["car"].values())}).drop_duplicates()
    genes = pd.concat([genes, car.assign(symbol=car["gene"])], ignore_index=True)
    index = {symbol: i for i, symbol in reversed(list(enumerate(genes["symbol"])))}
    _check_names(written, index, source=source)

    def mask(symbols: Iterable[str]) -> NDArray[np.bool_]:
        return np.isin(np.arange(len(genes)), [index[symbol] for symbol in symbols])

    named = mask(_named_genes(written))
    types = pd.DataFrame.from_dict(written["types"], orient="index")
    tail = _tail_levels(
        written["tail"], genes["symbol"], named=named, lineages=types["lineage"].tolist()
    )
    levels = np.empty((len(types), len(genes)))
    for row, (name, spec) in enumerate(written["types"].items()):
        levels[row] = np.where(named, _named_levels(written, spec, index, len(genes)), tail[row])
        levels[row] = fill_to_total(levels[row], named, what=f"{source}: type {name}")
    return Programs(
        genes=genes,
        position=index,
        types=types[["lineage", "depth", "depth_sd", "fraction"]].astype(
            dict.fromkeys(["depth", "depth_sd", "fraction"], float)
        ),
        levels=levels,
        named=named,
        mitochondrial=mask(written["mitochondrial"]),
        factors=tuple(
            _read_factor(name, spec, written=written, index=index, n_genes=len(genes))
            for name, spec in written["factors"].items()
        ),
        drift={name: spec.get("drift", {}) for name, spec in written["types"].items()},
        drift_concentration=float(written["drift_concentration"]),
        drift_exempt=mask(written["drift_exempt"]),
        captured=mask(written["captured"]),
        sex=written["sex"],
        car=written["car"],
        car_level=float(written["car_level"]),
        lamm_response=written["lamm_response"],
        ambient=_read_ambient(written, index, n_genes=len(genes)),
    )


def fill_to_total(levels: Floats, named: NDArray[np.bool_], *, what: str) -> Floats:
    """Scale the tail so that a profile sums to 10,000; the given levels do not change."""
    room = PER_CELL - levels[named].sum()
    if room <= 0:
        raise ValueError(
            f"{what}: the given levels sum to {PER_CELL - room:.0f}; lower them below 10,000"
        )
    return np.where(named, levels, levels * (room / levels[~named].sum()))


def lamm_profiles(programs: Programs, *, scale: float) -> dict[str, Floats]:
    """Return the profiles of LAMM cells in responders and non-responders.

    Parameters
    ----------
    scale
        Factor of the planted log2 fold changes; 0 for none.
    """
    row = programs.types.index.get_loc(LAMM)
    profiles = {}
    for arm, half in (("responder", -0.5), ("non_responder", 0.5)):
        levels = programs.levels[row].copy()
        for symbol, log2fc in programs.lamm_response.items():
            levels[programs.position[symbol]] *= 2 ** (half * scale * log2fc)
        profiles[arm] = fill_to_total(levels, programs.named, what=f"LAMM of {arm}")
    return profiles


def blend_lamm(programs: Programs, *, distinctness: float) -> Floats:
    """Return levels with LAMM cells that are only partly distinct from classical monocytes.

    Parameters
    ----------
    distinctness
        1 for the given levels of LAMM, 0 for those of classical monocytes; in between, levels are
        interpolated on the log scale.
    """
    levels = programs.levels.copy()
    lamm = programs.types.index.get_loc(LAMM)
    plain = levels[programs.types.index.get_loc("Classical_monocyte")]
    levels[lamm] = levels[lamm] ** distinctness * plain ** (1 - distinctness)
    levels[lamm] = fill_to_total(levels[lamm], programs.named, what="blended LAMM")
    return levels


def _named_levels(
    written: Mapping[str, Any], spec: Mapping[str, Any], index: Mapping[str, int], n_genes: int
) -> Floats:
    """Return the levels of the named genes in one type; see the comments in `programmes.yaml`."""
    levels = np.full(n_genes, float(written["background"]))
    for symbol, level in written["common"].items():
        levels[index[symbol]] += spec["scale"] * level
    for group in ("ribosomal", "mitochondrial"):
        total = sum(written[group].values())
        for symbol, proportion in written[group].items():
            levels[index[symbol]] += spec[group] * proportion / total
    for block, weight in spec["blocks"].items():
        for symbol, level in written["blocks"][block].items():
            levels[index[symbol]] += weight * level
    for symbol, level in spec.get("levels", {}).items():
        levels[index[symbol]] = level
    levels[index["MALAT1"]] = spec["MALAT1"]
    for symbol in _planted_later(written):  # per patient or per sample, not per type
        levels[index[symbol]] = 0.0
    return levels


def _tail_levels(
    tail: Mapping[str, Any], symbols: pd.Series, *, named: NDArray[np.bool_], lineages: list[str]
) -> Floats:
    """Return levels (types x genes) of all genes by a rank law, before scaling.

    The seed is fixed: the rank of a gene is a property of the gene, the same in all cohorts.
    """
    rng = np.random.default_rng(tail["seed"])
    order = rng.standard_normal(len(symbols))
    order += 1.5 * symbols.str.match(tail["broad"]).to_numpy()
    order -= 3.0 * symbols.str.match(tail["silent"]).to_numpy()
    order[named] = -np.inf
    ranks = np.empty(len(symbols))
    ranks[np.argsort(-order, kind="stable")] = np.arange(1, len(symbols) + 1)
    law = np.array(sorted(tail["law"].items()), dtype=float)
    level = np.exp(np.interp(np.log(ranks), np.log(law[:, 0]), np.log(law[:, 1])))
    by_lineage = {
        lineage: rng.normal(0, tail["lineage_sd"], len(symbols))
        for lineage in dict.fromkeys(lineages)
    }
    return np.array(
        [
            level * np.exp(by_lineage[lineage] + rng.normal(0, tail["type_sd"], len(symbols)))
            for lineage in lineages
        ]
    )


def _read_factor(
    name: str,
    spec: Mapping[str, Any],
    *,
    written: Mapping[str, Any],
    index: Mapping[str, int],
    n_genes: int,
) -> Factor:
    loadings = np.zeros(n_genes)
    if "group" in spec:
        loadings[[index[symbol] for symbol in written[spec["group"]]]] = 1.0
    for symbol, loading in spec.get("loadings", {}).items():
        loadings[index[symbol]] = loading
    return Factor(
        name=name,
        loadings=loadings,
        cell_sd=spec.get("cell_sd", 0.0),
        library_sd=spec.get("library_sd", 0.0),
        patient_sd=spec.get("patient_sd", 0.0),
        share=spec.get("share", {}),
    )


def _read_ambient(
    written: Mapping[str, Any], index: Mapping[str, int], *, n_genes: int
) -> AmbientRNA:
    spec = written["ambient"]
    gene_factors, levels = np.ones(n_genes), np.zeros(n_genes)
    for group, factor in spec["groups"].items():
        gene_factors[[index[symbol] for symbol in written[group]]] = factor
    for symbol, level in spec["levels"].items():
        levels[index[symbol]] = level
    return AmbientRNA(
        gene_factors=gene_factors,
        type_factors=np.array([spec["types"].get(name, 1.0) for name in written["types"]]),
        levels=levels,
        lineage_sd=float(spec["lineage_sd"]),
        level_sd=float(spec["level_sd"]),
    )


def _planted_later(written: Mapping[str, Any]) -> set[str]:
    return {*written["sex"]["female"], *written["sex"]["male"], *written["car"].values()}


def _named_genes(written: Mapping[str, Any]) -> set[str]:
    names = {"MALAT1", *written["common"], *written["ribosomal"], *written["mitochondrial"]}
    names |= _planted_later(written)
    for block in written["blocks"].values():
        names |= set(block)
    for spec in written["types"].values():
        names |= set(spec.get("levels", {}))
    return names


def _check_names(written: Mapping[str, Any], index: Mapping[str, int], *, source: Path) -> None:
    """Refuse genes and blocks that do not exist."""
    wanted = _named_genes(written) | {*written["lamm_response"], *written["drift_exempt"]}
    wanted |= set(written["captured"])
    wanted |= set(written["ambient"]["levels"])
    for spec in written["factors"].values():
        wanted |= set(spec.get("loadings", {}))
    unknown = sorted(wanted - set(index))
    if unknown:
        raise ValueError(f"{source}: no such gene in genes.tsv.gz: {', '.join(unknown)}")
    for name, spec in written["types"].items():
        missing = sorted(
            (set(spec["blocks"]) - set(written["blocks"]))
            | (set(spec.get("drift", {})) - set(written["types"]))
        )
        if missing:
            raise ValueError(
                f"{source}: type {name} has blocks or types that do not exist: {', '.join(missing)}"
            )
