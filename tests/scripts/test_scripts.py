"""Scripts run outside Snakemake: wiring of inputs, parameters and outputs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.annotate.ambient import read_ambient
from lammscope.annotate.sums import read_sums
from lammscope.cohort.config import resolve_config
from lammscope.core.indexed import CellIndex, write_index, write_table
from lammscope.core.shards import read_shard
from tests.matrices import small_shard, write_tenx_v3

OF_SAMPLES = ("min_cells", "on_failed")  # keys of `qc` that are not about barcodes
TYPES = ("Classical_monocyte", "Macrophage", "NK")


@pytest.fixture
def config() -> dict[str, Any]:
    return resolve_config({})


def ingest_params(limits: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return the params of `ingest_samples` for samples with these limits."""
    settings = {
        sample: {"qc": own, "genome": None, "layer": None, "remote": ""}
        for sample, own in limits.items()
    }
    return {
        "settings": settings,
        "with_barcodes": [],
        "seed": 1,
        "compression": "lz4",
        "compared": "size",
    }


@pytest.fixture
def ingested(
    run_script: Callable[..., str], config: dict[str, Any], tmp_path: Path
) -> dict[str, dict[str, Path]]:
    """Ingest two small samples."""
    config["qc"] |= {"min_counts": 20, "min_genes": 10, "ambient_max_counts": 5}
    limits = {key: value for key, value in config["qc"].items() if key not in OF_SAMPLES}
    paths = {}
    for seed, sample in enumerate(("a", "b")):
        matrix = write_tenx_v3(small_shard(80, 200, seed=seed), tmp_path / f"{sample}.h5")
        paths[sample] = {
            "shards": tmp_path / "shards" / f"{sample}.h5ad",
            "qc": tmp_path / "qc" / f"{sample}.parquet",
            "moments": tmp_path / "qc" / f"{sample}.moments.parquet",
            "contamination": tmp_path / "qc" / f"{sample}.contamination.tsv",
        }
        log = run_script(
            "ingest_samples",
            input={"matrices": [str(matrix)], "barcodes": []},
            output={name: [path] for name, path in paths[sample].items()},
            params=ingest_params({sample: limits}),
        )
        assert "barcodes pass" in log
    return paths


def test_ingest_writes_shard_flags_and_moments(ingested: dict[str, dict[str, Path]]) -> None:
    shard = read_shard(ingested["a"]["shards"])
    qc = pd.read_parquet(ingested["a"]["qc"])
    moments = pd.read_parquet(ingested["a"]["moments"])
    assert len(qc) == shard.counts.shape[0]
    assert "ambient_counts" in shard.genes
    assert moments["n_cells"].iloc[0] == qc["passes"].sum()
    assert not list(ingested["a"]["shards"].parent.glob(".*"))
    contamination = pd.read_csv(ingested["a"]["contamination"], sep="\t").iloc[0]
    assert contamination["sample"] == "a"
    assert contamination["ambient_profile"] == "all barcodes"
    assert np.isnan(contamination["contamination"])
    assert "cannot be estimated" in contamination["note"]


def test_failed_samples_are_named_and_their_cells_left_out_if_asked(
    ingested: dict[str, dict[str, Path]],
    run_script: Callable[..., str],
    config: dict[str, Any],
    tmp_path: Path,
) -> None:
    verdicts = tmp_path / "qc" / "verdicts.tsv"
    contamination = {sample: tmp_path / f"{sample}.contamination.tsv" for sample in ingested}
    for (sample, path), share in zip(contamination.items(), ("", "0.5"), strict=True):
        path.write_text(f"sample\tcontamination\n{sample}\t{share}\n")
    log = run_script(
        "judge_samples",
        input={
            "qc": [ingested[sample]["qc"] for sample in ingested],
            "moments": [ingested[sample]["moments"] for sample in ingested],
            "contamination": list(contamination.values()),
        },
        output={"verdicts": verdicts},
        params={
            "samples": list(ingested),
            "patients": {"a": "P1", "b": "P2"},
            "sexes": {"a": "male"},
            "min_cells": 50,
        },
    )
    table = pd.read_csv(verdicts, sep="\t", index_col="sample")
    assert table["verdict"].to_dict() == {"a": "passed", "b": "failed"}
    assert table["n_cells"].to_dict() == {
        name: pd.read_parquet(paths["qc"])["passes"].sum() for name, paths in ingested.items()
    }
    assert "sample b fails quality control: 50 % of the cells' UMIs are ambient RNA" in log
    doublets = tmp_path / "doublets.parquet"
    no_cells = pd.DataFrame({"cell": [], "doublet_score": [], "doublet": []})
    types = {"cell": str, "doublet_score": float, "doublet": bool}
    write_table(no_cells.astype(types), doublets)
    run_script(
        "select_cells",
        input={
            "qc": [ingested[sample]["qc"] for sample in ingested],
            "doublets": [doublets],
            "verdicts": verdicts,
        },
        output={
            "cells": tmp_path / "cells.parquet",
            "summary": tmp_path / "qc" / "summary.tsv",
            "lineages": tmp_path / "qc" / "lineages.tsv",
        },
        params={
            "samples": list(ingested),
            "patients": ["P1", "P2"],
            "channels": list(ingested),
            "remove_doublets": True,
        },
    )
    kept = pd.read_parquet(tmp_path / "cells.parquet")["sample"].unique().tolist()
    assert kept == ["a"]


def test_samples_become_an_index_a_space_and_clusters(
    ingested: dict[str, dict[str, Path]],
    run_script: Callable[..., str],
    config: dict[str, Any],
    tmp_path: Path,
) -> None:
    samples = list(ingested)
    for sample in samples:
        run_script(
            "score_doublets",
            input={"shards": [ingested[sample]["shards"]], "qc": [ingested[sample]["qc"]]},
            output={"doublets": [tmp_path / "doublets" / f"{sample}.parquet"]},
            params={
                "channels": {sample: [sample]},
                "settings": {sample: config["doublets"]},
                "seed": 1,
            },
        )
    cells = tmp_path / "joint" / "cells.parquet"
    run_script(
        "select_cells",
        input={
            "qc": [ingested[sample]["qc"] for sample in samples],
            "doublets": [tmp_path / "doublets" / f"{sample}.parquet" for sample in samples],
            "verdicts": [],
        },
        output={
            "cells": cells,
            "summary": tmp_path / "qc" / "summary.tsv",
            "lineages": tmp_path / "qc" / "lineages.tsv",
        },
        params={
            "samples": samples,
            "patients": ["P1", "P2"],
            "channels": samples,
            "remove_doublets": True,
        },
    )
    moments = [ingested[sample]["moments"] for sample in samples]
    reference, genes = tmp_path / "joint" / "reference.tsv.gz", tmp_path / "joint" / "genes.tsv"
    run_script(
        "match_genes",
        input={"moments": moments},
        output={"reference": reference, "matches": tmp_path / "qc" / "gene_matches.tsv"},
        params={"samples": samples, "min_overlap": 60, "definers": []},
    )
    run_script(
        "note_genes",
        input={
            "moments": moments,
            "reference": reference,
            "matches": tmp_path / "qc" / "gene_matches.tsv",
        },
        output={"overlap": tmp_path / "qc" / "gene_overlap.tsv"},
        params={"samples": samples, "definers": [], "panel": config["annotation"]["panel"]},
    )
    overlap = pd.read_csv(tmp_path / "qc" / "gene_overlap.tsv", sep="\t")
    assert overlap["n_mt"].tolist() == [2, 2]
    assert overlap["note"].str.contains("only 1 of").all()
    run_script(
        "select_genes",
        input={"moments": moments, "reference": reference},
        output={"genes": genes},
        params={
            "settings": {"n_top": 100, "min_cells": 10, "exclude": config["genes"]["exclude"]},
            "car_features": config["car"]["features"],
        },
    )
    counts = [tmp_path / "joint" / "hvg" / f"{part}.npz" for part in ("001", "002")]
    parts = (samples[:1], samples[1:])
    for part, path in zip(parts, counts, strict=True):
        run_script(
            "extract_genes",
            input={
                "shards": [ingested[sample]["shards"] for sample in part],
                "cells": cells,
                "genes": genes,
                "reference": reference,
            },
            output={"counts": path},
            params={"samples": part},
        )
    pca, neighbors = tmp_path / "joint" / "pca.npz", tmp_path / "joint" / "neighbors.npz"
    run_script(
        "embed_cells",
        input={"counts": [str(path) for path in counts], "cells": cells},
        output={"pca": pca},
        params={"n_pcs": 5, "threads": 1},
    )
    run_script(
        "find_neighbors",
        input={"space": pca, "cells": cells},
        output={"neighbors": neighbors},
        params={"n_neighbors": 10, "seed": 1, "threads": 1},
    )
    clusters = tmp_path / "joint" / "clusters.parquet"
    run_script(
        "cluster_cells",
        input={"neighbors": neighbors, "cells": cells},
        output={"clusters": clusters},
        params={"resolution": 1.0, "seed": 1},
    )
    index = pd.read_parquet(cells)
    assert pd.read_parquet(clusters)["cell"].tolist() == index["cell"].tolist()
    with np.load(pca) as file:
        assert file["space"].shape == (len(index), 5)


def typed_cells(path: Path, *, n_cells: int = 60) -> pd.DataFrame:
    """Write a cell index of sample `a` alone, and beside it its types and LAMM calls."""
    rng = np.random.default_rng(3)
    names = [f"a_{i:03d}" for i in range(n_cells)]
    write_index(pd.DataFrame({"cell": names, "sample": "a", "position": range(n_cells)}), path)
    population = rng.choice(TYPES, n_cells)
    positive = np.where(population == "NK", 0.0, rng.random(n_cells))
    like = np.where(population == "Macrophage", positive**2, 0.0)
    cells = pd.DataFrame(
        {
            "sample": "a",
            "cluster": rng.choice(["0", "1"], n_cells),
            "population": population,
            "lamm_call": np.where(positive >= 0.3, "LAMM", "not_LAMM"),
            "lamm_positive": positive,
            "lamm_macrophage_like": like,
        }
    )
    CellIndex(path).write_table(cells.assign(cell=names), path.with_name("annotated.parquet"))
    return cells


def test_sums_of_lamm_cells_overlap_with_those_of_their_types(
    ingested: dict[str, dict[str, Path]], run_script: Callable[..., str], tmp_path: Path
) -> None:
    reference, path = tmp_path / "reference.tsv.gz", tmp_path / "cells.parquet"
    run_script(
        "match_genes",
        input={"moments": [ingested[sample]["moments"] for sample in ("b", "a")]},
        output={"reference": reference, "matches": tmp_path / "gene_matches.tsv"},
        params={"samples": ["b", "a"], "min_overlap": 60, "definers": []},
    )
    cells = typed_cells(path)
    outputs = {name: tmp_path / f"{name}.npz" for name in ("clusters", "populations", "ambient")}
    run_script(
        "sum_groups",
        input={
            "shards": [ingested[sample]["shards"] for sample in ("b", "a")],
            "contamination": [ingested[sample]["contamination"] for sample in ("b", "a")],
            "index": path,
            "cells": path.with_name("annotated.parquet"),
            "reference": reference,
        },
        output=outputs,
        params={
            "samples": ["b", "a"],
            "lamm": {"probability": 0.3},
            "rows": ["LAMM", "LAMM_macrophage_like"],
        },
    )
    index = CellIndex(path)
    sums = dict(read_sums([outputs["populations"]], index))
    assert len(sums["b"].groups) == 0  # no cell of it was kept
    expected: dict[str, Any] = {name: cells["population"] == name for name in TYPES}
    expected["LAMM"] = cells["lamm_call"] == "LAMM"
    expected["LAMM_macrophage_like"] = cells["lamm_macrophage_like"] >= 0.3
    assert sums["a"].groups.tolist() == list(expected)
    counts = read_shard(ingested["a"]["shards"]).counts.toarray()[: len(cells)]
    for row, inside in enumerate(expected.values()):
        assert sums["a"].n_cells[row] == inside.sum() > 0
        assert sums["a"].counts[row].sum() == counts[inside].sum()
    ((_, none), (_, ambient)) = read_ambient([outputs["ambient"]], index)
    assert none.groups.tolist() == []
    assert ambient.groups.tolist() == list(expected)
    clusters = dict(read_sums([outputs["clusters"]], index))["a"]
    assert dict(zip(clusters.groups, clusters.n_cells, strict=True)) == (
        cells["cluster"].value_counts().to_dict()
    )


def test_a_script_ends_with_one_line_on_a_wrong_matrix(
    run_script: Callable[..., str],
    config: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "x.h5").write_text("no matrix")
    with pytest.raises(SystemExit):
        run_script(
            "ingest_samples",
            input={"matrices": [str(tmp_path / "x.h5")], "barcodes": []},
            output={
                name: [tmp_path / "out" / name]
                for name in ("shards", "qc", "moments", "contamination")
            },
            params=ingest_params({"x": config["qc"]}),
        )
    printed = capsys.readouterr().err
    assert printed.startswith(f"lammscope: {tmp_path / 'x.h5'}: named .h5, but it is not HDF5")
    assert len(printed.splitlines()) == 1
    assert not list((tmp_path / "out").iterdir())


def test_each_sample_that_fails_is_named_and_the_others_are_read_in(
    run_script: Callable[..., str],
    config: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    limits = {key: config["qc"][key] for key in config["qc"] if key not in OF_SAMPLES}
    matrices = {name: tmp_path / f"{name}.h5" for name in ("a", "b", "c")}
    for name in ("a", "c"):
        matrices[name].write_text("no matrix")
    write_tenx_v3(small_shard(80, 200), matrices["b"])
    names = ("shards", "qc", "moments", "contamination")
    outputs = {name: [tmp_path / name / f"{sample}.tsv" for sample in matrices] for name in names}
    with pytest.raises(SystemExit):
        run_script(
            "ingest_samples",
            input={"matrices": list(map(str, matrices.values())), "barcodes": []},
            output=outputs,
            params=ingest_params(dict.fromkeys(matrices, limits)),
        )
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"lammscope: {matrices['a']}: named .h5, but it is not HDF5")
    assert second.startswith(f"lammscope: {matrices['c']}: named .h5, but it is not HDF5")
    assert [path.exists() for path in outputs["shards"]] == [False, True, False]
