"""Counts of one simulated library: cells, doublets, dying cells and empty droplets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit
from scipy.stats import norm

from lammscope.core.runtime import whole_file
from lammscope.simulate.profiles import LAMM, PER_CELL, Floats, Programs

EMPTY = "empty"
T_TYPES = ("CD4_T", "CD8_T", "Treg", "CAR_T")
MACROPHAGE_LIKE_TYPES = ("Macrophage", LAMM)
MONOCYTIC_TYPES = ("Classical_monocyte", "Nonclassical_monocyte", *MACROPHAGE_LIKE_TYPES)
# UMIs of a dying cell, of those of a living one: lowest and highest; in real libraries 0.2 to 0.25.
DYING_DEPTH = (0.1, 0.4)
MAX_SPREAD = 2.0  # standard deviations of ambient UMIs: 300 to 900 in a poor library
MAX_AMBIENT = 0.8  # of the UMIs of a cell
OWN_MITOCHONDRIAL = (0.005, 0.95)  # lowest and highest share in the own RNA of a dying cell


@dataclass(frozen=True)
class DropletSettings:
    """Doublets, dying cells, empty droplets and ambient RNA of a library, and its noise.

    Fractions are relative to the number of healthy cells; standard deviations are in natural log
    units. Every droplet, with a cell or without, has ambient RNA that does not depend on the cell.
    """

    doublet_fraction: float = 0.04  # at the mean number of cells; grows with the cells of a library
    t_monocyte_share: float = 0.4  # doublets of a T cell and a monocytic cell, beyond chance
    dying_fraction: float = 0.08
    dying_overlap: float = 0.10  # of the % mitochondrial of dying and living cells: shared area
    empty_fraction: float = 0.20
    ambient_fraction: float = 0.06  # of the UMIs of a typical cell, mean over libraries
    ambient_sd: float = 0.45  # of ambient UMIs, between the droplets of a library
    depth: float = 1.0  # multiplies the median UMIs of every type
    gene_sd: float = 0.45  # of a gene's level between cells of a type, beyond counting noise
    head_level: float = 0.7  # UMIs per 10,000 from which a gene has its own rate in each cell


@dataclass(frozen=True)
class LibraryPlan:
    """The composition and expression profiles of one library. Genes are those of `Programs`."""

    sample: str
    n_cells: int  # healthy single cells
    fractions: Mapping[str, float]  # of the cell types, sum 1
    profiles: Floats = field(repr=False)  # types x genes, UMIs per 10,000, with effects
    factor_means: Mapping[str, float]
    depth_factor: float
    droplets: DropletSettings  # of this library
    seed: tuple[int, ...]

    def typical_depth(self, programs: Programs) -> float:
        """Return the mean over cells of the median UMIs of their types."""
        share = pd.Series(self.fractions).reindex(programs.types.index, fill_value=0.0)
        typical = float(share.to_numpy(float) @ programs.types["depth"].to_numpy(float))
        return typical * self.depth_factor * self.droplets.depth


@dataclass(frozen=True)
class Library:
    """Counts (barcodes x genes, CSR int32) and the truth of each barcode, in the same order."""

    counts: sparse.csr_matrix
    truth: pd.DataFrame


def simulate_library(programs: Programs, plan: LibraryPlan) -> Library:
    """Simulate the counts of a library.

    Returns
    -------
    Library
        `truth` has `sample`, `barcode`, `cell_type` (for a doublet, the type of its larger cell;
        "empty" without a cell), `second_type` (for a doublet, else ""), `is_lamm`,
        `is_positive`, `is_macrophage_like` (single LAMM cells; single cells of any monocytic type;
        single LAMM cells and macrophages), `is_doublet`, `is_empty`, `is_dying`,
        `ambient_fraction` (share of ambient molecules among the UMIs) and `total_counts`. Barcodes
        are sorted.
    """
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed))
    cells = _draw_cells(programs, plan, rng=rng)
    ambient = _ambient_profile(programs, plan, cells, rng=rng)
    cells["mitochondrial"] = _dying_mitochondrial(programs, plan, cells, ambient, rng=rng)

    own = np.zeros(len(cells))
    parts = []
    for code in np.unique(cells["type"][~cells["is_empty"]]):
        rows = np.flatnonzero((cells["type"] == code) & ~cells["is_empty"])
        counts = _draw_type(programs, plan, cells.iloc[rows], code, rng=rng)
        own[rows] = np.bincount(counts.row, counts.data, minlength=len(rows))
        parts.append((rows[counts.row], counts.col, counts.data))
    n_ambient = rng.poisson(cells["ambient"] * cells["depth"])
    parts.append(
        (
            np.repeat(np.arange(len(cells)), n_ambient),
            _draw_genes(ambient, int(n_ambient.sum()), rng),
            np.ones(n_ambient.sum(), dtype=np.int32),
        )
    )
    row, column, count = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return _seal(programs, plan, cells, own, n_ambient, (row, column, count), rng=rng)


def feature_columns(programs: Programs) -> dict[str, NDArray[np.bytes_]]:
    """Return the columns of the feature table of a 10x matrix, as bytes."""
    genes = programs.genes
    return {
        "id": _bytes(genes["gene"].tolist()),
        "name": _bytes(genes["symbol"].tolist()),
        "feature_type": np.full(len(genes), b"Gene Expression"),
        "genome": np.full(len(genes), b"GRCh38"),
    }


def write_library(
    path: str | Path, library: Library, *, features: Mapping[str, NDArray[np.bytes_]]
) -> None:
    """Write counts as a 10x feature-barcode matrix (HDF5, v3 layout of Cell Ranger)."""
    counts = library.counts
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    with whole_file(path) as name, h5py.File(name, "w", track_order=False) as file:
        file.attrs["filetype"] = "matrix"
        file.attrs["version"] = 2
        file.attrs["chemistry_description"] = "simulated"
        file.attrs["software_version"] = "lammscope.simulate"
        file.attrs["library_ids"] = np.array([library.truth["sample"].iloc[0].encode()])
        file.attrs["original_gem_groups"] = np.array([1])
        matrix = file.create_group("matrix")
        matrix.create_dataset("barcodes", data=_bytes(library.truth["barcode"].tolist()), **packed)
        matrix.create_dataset("data", data=counts.data.astype(np.int32), **packed)
        matrix.create_dataset("indices", data=counts.indices.astype(np.int64), **packed)
        matrix.create_dataset("indptr", data=counts.indptr.astype(np.int64), **packed)
        matrix.create_dataset("shape", data=np.array(counts.shape[::-1], dtype=np.int32))
        table = matrix.create_group("features")
        table.create_dataset("_all_tag_keys", data=np.array([b"genome"]))
        for key, values in features.items():
            table.create_dataset(key, data=values, **packed)


def _draw_cells(
    programs: Programs,
    plan: LibraryPlan,
    *,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw one row per cell or empty droplet; the two cells of a doublet share a `droplet`."""
    settings = plan.droplets
    names = list(programs.types.index)
    fractions = np.array([plan.fractions.get(name, 0.0) for name in names])
    n_doublets = rng.binomial(plan.n_cells, settings.doublet_fraction)
    n_dying = rng.binomial(plan.n_cells, settings.dying_fraction)
    n_empty = int(rng.poisson(plan.n_cells * settings.empty_fraction))
    single = rng.choice(len(names), size=plan.n_cells + n_dying, p=fractions)
    pairs = rng.choice(len(names), size=(n_doublets, 2), p=fractions)
    mixed = rng.random(n_doublets) < settings.t_monocyte_share
    for side, group in enumerate((T_TYPES, MONOCYTIC_TYPES)):
        share = np.where(np.isin(names, group), fractions, 0.0)
        if share.sum() > 0:
            drawn = rng.choice(len(names), size=n_doublets, p=share / share.sum())
            pairs[mixed, side] = drawn[mixed]
    types = np.concatenate([single, pairs.ravel(), np.full(n_empty, -1)])
    n_singles, n = len(single), len(types)
    droplet = np.concatenate(
        [
            np.arange(n_singles),
            n_singles + np.repeat(np.arange(n_doublets), 2),
            n_singles + n_doublets + np.arange(n_empty),
        ]
    )
    is_empty = types < 0
    is_dying = np.zeros(n, dtype=bool)
    is_dying[plan.n_cells : n_singles] = True
    is_doublet = np.isin(droplet, np.arange(n_singles, n_singles + n_doublets))
    depth = programs.types["depth"].to_numpy()[types] * plan.depth_factor * settings.depth
    depth *= np.exp(programs.types["depth_sd"].to_numpy()[types] * rng.standard_normal(n))
    depth *= np.where(is_dying, rng.uniform(*DYING_DEPTH, n), 1.0)
    spread = np.clip(rng.standard_normal(n), -MAX_SPREAD, MAX_SPREAD)
    soup = np.exp(settings.ambient_sd * spread) / np.where(is_doublet, 2, 1)
    soup *= settings.ambient_fraction * plan.typical_depth(programs)
    return pd.DataFrame(
        {
            "droplet": droplet,
            "type": np.where(is_empty, 0, types),
            "is_empty": is_empty,
            "is_dying": is_dying,
            "is_doublet": is_doublet,
            "depth": np.where(is_empty, soup, depth),
            "ambient": np.where(is_empty, 1.0, np.minimum(soup / depth, MAX_AMBIENT)),
        }
    )


def _ambient_profile(
    programs: Programs, plan: LibraryPlan, cells: pd.DataFrame, *, rng: np.random.Generator
) -> Floats:
    """Return the share of each gene in the ambient RNA of a library."""
    rule = programs.ambient
    lineages, of_type = np.unique(programs.types["lineage"].to_numpy(str), return_inverse=True)
    lysis = np.exp(rule.lineage_sd * rng.standard_normal(len(lineages)))
    depth = np.where(cells["is_empty"], 0.0, cells["depth"])
    weights = np.bincount(cells["type"], depth, minlength=len(of_type))
    weights *= rule.type_factors * lysis[of_type]
    profile = (weights / weights.sum()) @ plan.profiles * rule.gene_factors
    profile += rule.levels * np.exp(rule.level_sd * rng.standard_normal())
    return np.asarray(profile / profile.sum())


def _dying_mitochondrial(
    programs: Programs,
    plan: LibraryPlan,
    cells: pd.DataFrame,
    ambient: Floats,
    *,
    rng: np.random.Generator,
) -> Floats:
    """Draw the mitochondrial share of the own RNA of dying cells (NaN for other cells).

    The log odds of the share are normal in living and in dying cells, with one standard deviation;
    the difference of the means gives the overlap of the settings. Shares include ambient RNA.
    """
    settings, chosen = plan.droplets, programs.mitochondrial
    factor = next(factor for factor in programs.factors if factor.name == "mitochondrial")
    share = plan.profiles[:, chosen].sum(axis=1) / PER_CELL * np.exp(plan.factor_means[factor.name])
    of_ambient = float(ambient[chosen].sum())
    share += settings.ambient_fraction * (of_ambient - share)
    odds = np.log(share / (1 - share))
    fractions = np.array([plan.fractions.get(name, 0.0) for name in programs.types.index])
    mean = fractions @ odds
    within = ambient[chosen] / of_ambient  # of each mitochondrial gene
    variance = fractions @ (odds - mean) ** 2 + factor.cell_sd**2
    variance += settings.gene_sd**2 * (within**2).sum()
    shift = 2 * norm.ppf(1 - settings.dying_overlap / 2)
    drawn = expit(mean + np.sqrt(variance) * (shift + rng.standard_normal(len(cells))))
    of_soup = cells["ambient"].to_numpy()
    own = (drawn - of_soup * of_ambient) / (1 - np.minimum(of_soup, MAX_AMBIENT))
    return np.where(cells["is_dying"], np.clip(own, *OWN_MITOCHONDRIAL), np.nan)


def _draw_type(
    programs: Programs,
    plan: LibraryPlan,
    cells: pd.DataFrame,
    code: int,
    *,
    rng: np.random.Generator,
) -> sparse.coo_matrix:
    """Simulate counts of cells of one type, without ambient molecules.

    Genes at or above `head_level` (in the type or in a type it drifts to) and genes of a factor
    have their own rate in each cell and Poisson counts. For all other genes, molecules are drawn
    from the profile of the type.
    """
    settings = plan.droplets
    profile = plan.profiles[code] / PER_CELL
    head = profile * PER_CELL >= settings.head_level
    for factor in programs.factors:
        head |= (factor.loadings != 0) & (profile > 0)
    type_name = programs.types.index[code]
    drift = {
        programs.types.index.get_loc(name): mean for name, mean in programs.drift[type_name].items()
    }
    for other in drift:
        head |= (plan.profiles[other] >= settings.head_level) & (profile > 0)
    columns = np.flatnonzero(head)
    log_rate = rng.standard_normal((len(cells), len(columns)), dtype=np.float32)
    log_rate *= np.float32(settings.gene_sd)
    log_rate += np.log(profile[columns]).astype(np.float32) - np.float32(settings.gene_sd**2 / 2)
    for other, mean in drift.items():
        concentration = programs.drift_concentration
        share = rng.beta(concentration * mean, concentration * (1 - mean), len(cells))
        goal = plan.profiles[other, columns]
        stays = programs.drift_exempt[columns] | (goal == 0)  # such as a CAR transcript
        way = np.log(np.where(stays, 1.0, goal / plan.profiles[code, columns]))
        log_rate += np.outer(share, way)
    for factor in programs.factors:
        at = np.flatnonzero(factor.loadings[columns])
        if factor.share:
            z = (rng.random(len(cells)) < factor.share.get(type_name, 0.0)).astype(np.float64)
        else:
            z = rng.normal(plan.factor_means[factor.name], factor.cell_sd, len(cells))
        log_rate[:, at] += np.outer(z, factor.loadings[columns[at]])
    rate = np.exp(log_rate, dtype=np.float32)
    tail_share = profile[~head].sum()
    _set_mitochondrial(
        rate,
        programs.mitochondrial[columns],
        rest=tail_share,
        target=cells["mitochondrial"].to_numpy(),
    )
    total = rate.sum(axis=1, dtype=np.float64) + tail_share
    molecules = cells["depth"].to_numpy() * (1 - cells["ambient"].to_numpy()) / total
    counts = rng.poisson(rate * molecules[:, None].astype(np.float32))
    row, at = np.nonzero(counts)
    n_tail = rng.poisson(molecules * tail_share)
    tail = _draw_genes(np.where(head, 0.0, profile), int(n_tail.sum()), rng)
    return sparse.coo_matrix(
        (
            np.concatenate([counts[row, at], np.ones(len(tail), dtype=np.int64)]),
            (
                np.concatenate([row, np.repeat(np.arange(len(cells)), n_tail)]),
                np.concatenate([columns[at], tail]),
            ),
        ),
        shape=(len(cells), len(profile)),
    )


def _set_mitochondrial(
    rate: NDArray[np.float32], mitochondrial: NDArray[np.bool_], *, rest: float, target: Floats
) -> None:
    """Set mitochondrial rates in place to the share `target` of each cell, unless it is NaN."""
    own = rate[:, mitochondrial].sum(axis=1, dtype=np.float64)
    other = rate[:, ~mitochondrial].sum(axis=1, dtype=np.float64) + rest
    factor = np.where(np.isnan(target), 1.0, target / (1 - target) * other / own)
    rate[:, mitochondrial] *= factor[:, None].astype(np.float32)


def _draw_genes(profile: Floats, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the genes of `n` molecules from a profile, by inverting its cumulative sum."""
    possible = np.flatnonzero(profile)
    cumulative = np.cumsum(profile[possible])
    at = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    return np.asarray(possible[np.minimum(at, len(possible) - 1)])


def _seal(
    programs: Programs,
    plan: LibraryPlan,
    cells: pd.DataFrame,
    own: Floats,
    n_ambient: NDArray[np.int64],
    molecules: tuple[NDArray[np.int64], ...],
    *,
    rng: np.random.Generator,
) -> Library:
    """Sum the cells of each droplet, drop droplets without molecules, and assign barcodes."""
    row, column, count = molecules
    droplet = cells["droplet"].to_numpy()
    n_droplets = int(droplet.max()) + 1
    place = rng.permutation(n_droplets)  # the order of barcodes must carry no information
    counts = sparse.coo_matrix(
        (count.astype(np.int32), (place[droplet[row]], column)),
        shape=(n_droplets, programs.levels.shape[1]),
    ).tocsr()
    counts.sum_duplicates()
    larger_first = cells.assign(
        place=place[droplet], n_ambient=n_ambient, total_counts=own.astype(np.int64) + n_ambient
    ).sort_values(["place", "depth"], ascending=[True, False], kind="stable")
    first = larger_first.groupby("place").nth(0).set_index("place")
    names = programs.types.index.to_numpy(dtype=object)
    second = larger_first.groupby("place").nth(1).set_index("place")["type"]
    sums = larger_first.groupby("place")[["n_ambient", "total_counts"]].sum()
    truth = pd.DataFrame(
        {
            "sample": plan.sample,
            "barcode": _draw_barcodes(n_droplets, rng),
            "cell_type": np.where(first["is_empty"], EMPTY, names[first["type"]]),
            "second_type": second.map(dict(enumerate(names))).reindex(first.index, fill_value=""),
        }
    )
    of_types = {
        "is_lamm": (LAMM,),
        "is_positive": MONOCYTIC_TYPES,
        "is_macrophage_like": MACROPHAGE_LIKE_TYPES,
    }
    for column_name, members in of_types.items():
        truth[column_name] = truth["cell_type"].isin(members) & ~first["is_doublet"]
    for column_name in ("is_doublet", "is_empty", "is_dying"):
        truth[column_name] = first[column_name]
    truth["ambient_fraction"] = (sums["n_ambient"] / sums["total_counts"].clip(lower=1)).round(4)
    truth["total_counts"] = sums["total_counts"]
    kept = (truth["total_counts"] > 0).to_numpy()
    return Library(counts=counts[kept], truth=truth[kept].reset_index(drop=True))


def _draw_barcodes(n: int, rng: np.random.Generator) -> list[str]:
    """Draw sorted, distinct barcodes of 16 bases with the suffix `-1`."""
    numbers = np.array([], dtype=np.uint64)
    while len(numbers) < n:
        more = rng.integers(0, 4**16, size=n, dtype=np.uint64)
        numbers = np.unique(np.concatenate([numbers, more]))
    numbers = np.sort(rng.choice(numbers, size=n, replace=False))
    digits = (numbers[:, None] >> (2 * np.arange(15, -1, -1, dtype=np.uint64))) & np.uint64(3)
    bases = np.frombuffer(b"ACGT", dtype=np.uint8)[digits.astype(np.intp)]
    return [row.tobytes().decode() + "-1" for row in bases]


def _bytes(values: list[str]) -> NDArray[np.bytes_]:
    return np.array(values, dtype=np.str_).astype(np.bytes_)
