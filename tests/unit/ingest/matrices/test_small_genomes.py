"""A CAR or a virus that is a genome of its own is read with the cells' genome."""

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import inspect_matrix, read_matrix
from lammscope.ingest.matrices.small_genomes import large_genomes
from tests.matrices import small_shard, write_folder, write_tenx_v2, write_tenx_v3

SHARD = small_shard(40, 123, seed=2)
# 100 human genes, 20 of the mouse, a CAR and two genes of a virus
GENOMES = ["GRCh38"] * 100 + ["mm10"] * 20 + ["CAR"] + ["EBV"] * 2
NAMES = [*SHARD.genes["gene"][:120], "CAR", "EBER1", "BZLF1"]
SYMBOLS = [*SHARD.genes["symbol"][:120], "CAR", "EBER1", "BZLF1"]
HUMAN = [place for place in range(123) if not 100 <= place < 120]


def shard_of(places: Any, *, prefixed: Any = "") -> Any:
    """Genes of some places, with their genome in front if `prefixed` is the separator."""
    front = [f"{GENOMES[i]}{prefixed}" if prefixed else "" for i in places]
    genes = pd.DataFrame(
        {
            "gene": [f"{a}{NAMES[i]}" for a, i in zip(front, places, strict=True)],
            "symbol": [f"{a}{SYMBOLS[i]}" for a, i in zip(front, places, strict=True)],
        }
    )
    return Shard(SHARD.counts[:, places], SHARD.barcodes, genes)


def are_human(read: Any) -> None:
    assert read.genes["symbol"].tolist() == [SYMBOLS[i] for i in HUMAN]
    assert read.genes["gene"].tolist() == [NAMES[i] for i in HUMAN]
    assert (read.counts != SHARD.counts[:, HUMAN]).nnz == 0


def h5_v3(path: Path, places: Any) -> Any:
    return write_tenx_v3(shard_of(places), path / "x.h5", genomes=[GENOMES[i] for i in places])


def h5_v2(path: Path, places: Any) -> Any:
    """A group per genome; the cells of the small ones are others, in another order."""
    whole = path / "x.h5"
    write_tenx_v2(SHARD, whole, ())
    import h5py

    with h5py.File(whole, "w") as file:
        for genome in dict.fromkeys(GENOMES[i] for i in places):
            part = shard_of([i for i in places if GENOMES[i] == genome])
            cells = np.arange(40)[::-1] if genome in ("CAR", "EBV") else np.arange(40)
            part = Shard(part.counts[cells], part.barcodes[cells], part.genes)
            write_tenx_v2(part, path / "part.h5", (genome,))
            with h5py.File(path / "part.h5") as other:
                other.copy(genome, file)
    return whole


def folder_v2(path: Path, places: Any) -> Any:
    whole = path / "filtered_gene_bc_matrices"
    for genome in dict.fromkeys(GENOMES[i] for i in places):
        part = shard_of([i for i in places if GENOMES[i] == genome])
        write_folder(part, whole / genome, version=2)
    return whole


def folder_v3(path: Path, places: Any, separator: Any = "_____") -> Any:
    return write_folder(shard_of(places, prefixed=separator), path / "x", version=3)


def h5ad(path: Path, places: Any) -> Any:
    shard = shard_of(places)
    var = shard.genes.rename(columns={"gene": "gene_ids"}).set_index("symbol")
    var["genome"] = [GENOMES[i] for i in places]
    data = anndata.AnnData(
        sparse.csr_matrix(shard.counts.astype(np.float32)),
        obs=pd.DataFrame(index=shard.barcodes),
        var=var,
    )
    data.write_h5ad(path / "x.h5ad")
    return path / "x.h5ad"


WRITERS = [h5_v3, h5_v2, folder_v2, folder_v3, h5ad]


@pytest.mark.parametrize("write", WRITERS)
def test_small_genomes_are_no_choice(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path, HUMAN)
    assert inspect_matrix(path)
    are_human(read_matrix(path))
    are_human(read_matrix(path, genome="GRCh38"))


@pytest.mark.parametrize("write", WRITERS)
def test_small_genomes_stay_where_one_of_several_is_chosen(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path, list(range(123)))
    assert inspect_matrix(path, genome="GRCh38")
    are_human(read_matrix(path, genome="GRCh38"))
    for use in (inspect_matrix, read_matrix):
        with pytest.raises(ValueError, match=r"several genomes \(GRCh38, mm10\)"):
            use(path)
        with pytest.raises(ValueError, match=r"\(GRCh38, mm10\), not CAR"):
            use(path, genome="CAR")
    mouse = read_matrix(path, genome="mm10").genes["symbol"].tolist()
    assert mouse[:20] == SYMBOLS[100:120]
    assert set(mouse[20:]) <= {"CAR", "EBER1", "BZLF1"}
    assert "CAR" in mouse


@pytest.mark.parametrize(("name", "genome"), [("CAT_scFv", "CAT"), ("CAR_FMC63", "CAR")])
def test_a_name_that_begins_like_its_genome_is_kept_in_files_without_prefixes(
    tmp_path: Path, name: str, genome: Any
) -> None:
    genes = SHARD.genes.assign(
        gene=[*SHARD.genes["gene"][:-1], name], symbol=[*SHARD.genes["symbol"][:-1], name]
    )
    origin = ["GRCh38"] * 122 + [genome]
    var = genes.set_index("symbol").rename(columns={"gene": "gene_ids"})
    data = anndata.AnnData(
        sparse.csr_matrix(SHARD.counts.astype(np.float32)),
        obs=pd.DataFrame(index=SHARD.barcodes),
        var=var.assign(genome=origin),
    )
    data.write_h5ad(tmp_path / "x.h5ad")
    assert read_matrix(tmp_path / "x.h5ad").genes["symbol"].iloc[-1] == name


def test_one_underscore_doubles_the_name_of_a_genome(tmp_path: Path) -> None:
    are_human_names = (
        read_matrix(folder_v3(tmp_path, [*range(100), 120], separator="_")).genes["symbol"].tolist()
    )
    assert are_human_names == [*SYMBOLS[:100], "CAR"]


def test_a_second_organism_is_large() -> None:
    assert large_genomes({"GRCh38": 36601, "CAR": 1, "EBV": 94}) == ["GRCh38"]
    assert large_genomes({"GRCh38": 36601, "mm10": 32285, "CAR": 1}) == ["GRCh38", "mm10"]
    assert large_genomes({"hg19": 32738, "bacterium": 4000}) == ["bacterium", "hg19"]
