"""One cohort in many formats: the same cells, genes and counts, whatever the files look like."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from lammscope.core.indexed import CellIndex
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import read_matrix
from tests.matrices import write_dense, write_folder, write_h5ad, write_kallisto, write_tenx_v3
from tests.workflow.conftest import run_snakemake

pytestmark = pytest.mark.slow

SETTINGS = {"doublets": {"remove": False}, "qc": {"min_counts": 100, "min_genes": 80}}
POOLED = ("P02_baseline", "P02_day_7")
Files = Callable[[Path], dict[str, tuple[Path, str]]]  # writes samples in a folder; their paths


def by_symbol(shard: Shard) -> Shard:
    """Return the same counts as from a matrix without ids."""
    return replace(shard, genes=shard.genes.assign(gene=shard.genes["symbol"]))


def without_twins(shard: Shard) -> Shard:
    """Drop genes that share a symbol, which a matrix of symbols cannot distinguish."""
    single = ~shard.genes["symbol"].duplicated(keep=False)
    genes = shard.genes[single].reset_index(drop=True)
    return Shard(shard.counts[:, np.flatnonzero(single)], shard.barcodes, genes)


@pytest.fixture(scope="module")
def shards(sound_cohort: Path) -> dict[str, Shard]:
    """Make the samples of a cohort; samples to be pooled have different barcodes."""
    found = {}
    for path in sorted((sound_cohort / "counts").iterdir()):
        shard = without_twins(read_matrix(path))
        suffix = "-2" if path.stem == POOLED[1] else "-1"
        barcodes = np.char.replace(shard.barcodes.astype(str), "-1", suffix)
        found[path.stem] = replace(shard, barcodes=barcodes)
    return found


@pytest.fixture(scope="module")
def cohort(
    sound_cohort: Path,
    shards: dict[str, Shard],
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Files], Path]:
    """Write the samples in some formats (default: 10x h5), and run to the counts."""

    def run(name: str, files: Files) -> Path:
        folder = tmp_path_factory.mktemp(name)
        samples = pd.read_csv(sound_cohort / "samples.tsv", sep="\t").set_index("sample")
        samples["barcodes"] = ""
        for sample, write in files(folder).items():
            path, barcodes = write
            samples.loc[sample, ["counts", "barcodes"]] = [path.name, barcodes]
        (folder / "counts").mkdir()
        for sample in samples.index[samples["counts"].str.contains("counts/")]:
            write_tenx_v3(shards[sample], folder / "counts" / f"{sample}.h5")
        samples.reset_index().to_csv(folder / "samples.tsv", sep="\t", index=False)
        (folder / "patients.tsv").write_text((sound_cohort / "patients.tsv").read_text())
        config = yaml.safe_load((sound_cohort / "config.yaml").read_text())
        (folder / "config.yaml").write_text(yaml.safe_dump(config | SETTINGS))
        targets = ("results/joint/pca.npz", "results/qc/gene_overlap.tsv")
        run = run_snakemake(repository, folder, *targets)
        assert run.code == 0, run.text[-4000:]
        return folder / "results"

    return run


@pytest.fixture(scope="module")
def mixed(cohort: Callable[[str, Files], Path], shards: dict[str, Shard]) -> Path:
    """Run a sample in each format, and two in one channel."""

    def files(folder: Path) -> dict[str, tuple[Path, str]]:
        channel = Shard(
            sparse.csr_array(sparse.vstack([shards[name].counts for name in POOLED])),
            np.concatenate([shards[name].barcodes for name in POOLED]),
            shards[POOLED[0]].genes,
        )
        for name in POOLED:
            (folder / f"{name}.txt").write_text("\n".join(shards[name].barcodes))
        write_tenx_v3(channel, folder / "channel.h5")
        symbols = {name: by_symbol(shards[name]) for name in ("P01_baseline", "P03_baseline")}
        paths = {
            "P01_baseline": write_h5ad(
                symbols["P01_baseline"],
                folder / "symbols.h5ad",
                index="symbol",
                where="raw",
                var={},
            ),
            "P01_day_7": write_folder(shards["P01_day_7"], folder / "folder", version=2),
            "P03_baseline": write_dense(
                symbols["P03_baseline"], folder / "genes_in_rows.csv.gz", names=("symbol",)
            ),
            "P03_day_7": write_dense(
                shards["P03_day_7"], folder / "cells.tsv", separator="\t", genes_in_rows=False
            ),
            "P04_baseline": write_kallisto(shards["P04_baseline"], folder / "kallisto"),
            "P04_day_7": write_folder(
                shards["P04_day_7"], folder / "GEO", version=3, prefix="GSM1_x_"
            ),
        }
        return {name: (path, "") for name, path in paths.items()} | {
            name: (folder / "channel.h5", f"{name}.txt") for name in POOLED
        }

    return cohort("mixed", files)


@pytest.fixture(scope="module")
def plain(cohort: Callable[[str, Files], Path]) -> Path:
    """Every sample as a 10x h5 file."""
    return cohort("plain", lambda folder: {})


def test_cells_and_their_metrics_are_the_same(plain: Path, mixed: Path) -> None:
    expected, found = (
        CellIndex(results / "joint" / "cells.parquet").cells for results in (plain, mixed)
    )
    assert len(found) > 500
    columns = [name for name in found if name not in ("doublet_score", "position")]
    pd.testing.assert_frame_equal(found[columns], expected[columns])


def test_variable_genes_and_their_counts_are_the_same(plain: Path, mixed: Path) -> None:
    (expected, genes, _), (found, same_genes, _) = (
        CellIndex(results / "joint" / "cells.parquet").stack_counts(
            sorted((results / "joint" / "hvg").glob("*.npz"))
        )
        for results in (plain, mixed)
    )
    assert found.shape[0] > 500
    assert (found != expected).nnz == 0
    pd.testing.assert_frame_equal(same_genes, genes)


def test_genes_are_named_by_the_ids_of_the_samples_that_have_them(mixed: Path) -> None:
    overlap = pd.read_csv(mixed / "qc" / "gene_overlap.tsv", sep="\t").set_index("sample")
    assert (overlap["pct_overlap"] == 100).all()
    by_symbols = overlap.index[overlap["matched_by"] == "symbol"]
    assert set(by_symbols) == {"P01_baseline", "P03_baseline"}
    assert (overlap["n_matched"] == overlap["n_genes"]).all()
    genes = pd.read_csv(mixed / "joint" / "genes.tsv", sep="\t")
    assert genes["gene"].str.startswith("ENSG").all()


def test_samples_of_one_channel_share_its_doublets(mixed: Path) -> None:
    doublets = pd.read_parquet(mixed / "doublets" / f"{POOLED[0]}.parquet")
    samples = set(doublets["cell"].str.rsplit("_", n=1).str[0])
    assert samples == set(POOLED)
    assert not (mixed / "doublets" / f"{POOLED[1]}.parquet").exists()
