"""One name per gene, whatever a matrix calls it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.core.shards import write_shard
from lammscope.joint.gene_names import kept_cells, locate_genes, match_genes, with_reference
from tests.matrices import small_shard

N = 40


def table(
    ids: list[str] | None = None, symbols: list[str] | None = None, first: int = 0, last: int = N
) -> pd.DataFrame:
    """Genes `first` to `last` with ids and symbols, or with symbols alone."""
    symbols = symbols or [f"GENE{i}" for i in range(first, last)]
    ids = [f"ENSG{i:011d}" for i in range(first, last)] if ids is None else ids
    return pd.DataFrame({"gene": ids, "symbol": symbols})


def by_symbol(**changes: Any) -> pd.DataFrame:
    genes = table(**changes)
    return genes.assign(gene=genes["symbol"])


def matched(*tables: pd.DataFrame, min_overlap: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    return match_genes({f"s{i}": t for i, t in enumerate(tables, 1)}, min_overlap=min_overlap)


def test_matrices_with_ids_and_with_symbols_meet() -> None:
    reference, overlap = matched(table(), by_symbol(), table())
    assert reference["gene"].tolist() == table()["gene"].tolist()
    assert reference["n_samples"].tolist() == [3] * N
    assert overlap["matched_by"].tolist() == ["ensembl", "symbol", "ensembl"]
    assert overlap["pct_overlap"].tolist() == [100, 100, 100]


def test_symbols_are_the_names_where_no_sample_has_ids() -> None:
    numbered = table(ids=[str(i) for i in range(N)])
    reference, _ = matched(by_symbol(), numbered)
    assert reference["gene"].tolist() == sorted(table()["symbol"])
    assert (reference["n_samples"] == 2).all()


def test_a_symbol_of_two_ids_is_matched_to_neither() -> None:
    twice = table(symbols=["TBCE", "TBCE", *[f"GENE{i}" for i in range(2, N)]])
    symbols = by_symbol(symbols=["TBCE", *[f"GENE{i}" for i in range(1, N)]])
    reference, overlap = matched(twice, symbols, twice)
    assert "TBCE" in set(reference["gene"])
    assert set(reference.loc[reference["symbol"] == "TBCE", "gene"]) == {
        "TBCE",
        *twice["gene"][:2],
    }
    assert overlap["n_matched"].tolist() == [N, N - 2, N]


def test_repeated_symbols_without_ids_stay_apart() -> None:
    genes = by_symbol(symbols=["TBCE", "TBCE", *[f"GENE{i}" for i in range(2, N)]])
    genes.loc[1, "gene"] = "TBCE-1"
    reference, _ = matched(genes, genes)
    assert {"TBCE", "TBCE-1"} <= set(reference["gene"])
    assert len(reference) == N


@pytest.mark.parametrize("own", ["symbol", "entrez"])
def test_a_sample_has_the_same_genes_by_the_written_reference_as_while_it_was_made(
    own: str,
) -> None:
    unclear = by_symbol(symbols=["GENE0", "GENE0", *[f"GENE{i}" for i in range(2, N)]])
    unclear.loc[:1, "gene"] = ["GENE0", "GENE0-1"] if own == "symbol" else ["7157", "7158"]
    tables = [table(), unclear, by_symbol(), table()]
    reference, overlap = matched(*tables)
    genes = [with_reference(t, reference)["gene"] for t in tables]
    counts = pd.concat(genes).value_counts()
    assert genes[2].tolist() == table()["gene"].tolist()
    assert reference.set_index("gene")["n_samples"].to_dict() == counts.to_dict()
    assert overlap["n_matched"].tolist() == [N, N - 2, N, N]


def test_a_gene_that_the_reference_lacks_is_refused() -> None:
    reference, _ = matched(table(last=N - 1), table(last=N - 1))
    with pytest.raises(ValueError, match="gene GENE39 is not among the genes of the cohort"):
        list(locate_genes([by_symbol()], reference))


def test_an_old_symbol_takes_the_name_that_most_samples_use() -> None:
    old = table(symbols=["SEPP1", *[f"GENE{i}" for i in range(1, N)]])
    new = table(symbols=["SELENOP", *[f"GENE{i}" for i in range(1, N)]])
    reference, _ = matched(new, old, new)
    assert with_reference(old, reference)["symbol"][0] == "SELENOP"


def test_a_matrix_of_ids_alone_gets_the_symbols_of_the_others() -> None:
    ids = table().assign(symbol=table()["gene"])
    reference, overlap = matched(ids, table(), ids)
    assert reference["symbol"].tolist() == table()["symbol"].tolist()
    assert with_reference(ids, reference)["symbol"].tolist() == table()["symbol"].tolist()
    assert overlap["pct_overlap"].tolist() == [100, 100, 100]


def test_a_cohort_without_any_symbol_is_refused() -> None:
    ids = table().assign(symbol=table()["gene"])
    with pytest.raises(ValueError, match="no sample has gene symbols"):
        matched(ids, ids)


def test_genes_that_only_one_sample_has_are_kept() -> None:
    car = pd.concat([table(), pd.DataFrame({"gene": ["CAR"], "symbol": ["CAR"]})])
    reference, overlap = matched(car.reset_index(drop=True), table())
    assert reference.set_index("gene").loc["CAR", "n_samples"] == 1
    assert overlap["pct_overlap"].tolist() == [100, 100]


def test_a_filtered_matrix_is_not_refused_but_its_missing_genes_are_counted() -> None:
    _, overlap = matched(table(), table(), table(last=N // 4), table())
    row = overlap.set_index("sample").loc["s3"]
    assert row["pct_overlap"] == 100
    assert row["n_missing"] == N - N // 4


def test_a_sample_of_another_reference_is_refused_by_name_with_its_overlap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = table(first=N // 2, last=N + N // 2)
    with pytest.raises(ValueError, match=r"^genes shared .*: `s3` 50 %, under 60 %") as caught:
        matched(table(), table(), other, table())
    assert "`s1`" not in str(caught.value)
    assert "\n" not in str(caught.value)
    _, overlap = matched(table(), table(), other, table(), min_overlap=40)
    assert caplog.messages == ["genes shared with the other samples: `s3` 50 %; another build?"]
    assert overlap["pct_overlap"].tolist() == [100, 100, 50, 100]


def test_two_halves_of_a_cohort_that_do_not_meet_are_both_named() -> None:
    mouse = table(
        ids=[f"ENSMUSG{i:011d}" for i in range(N)], symbols=[f"Gene{i}" for i in range(N)]
    )
    with pytest.raises(ValueError, match="`s1` 0 %, `s2` 0 %, `s3` 0 %, `s4` 0 %"):
        matched(table(), table(), mouse, mouse)


def test_a_single_sample_is_its_own_reference() -> None:
    reference, overlap = matched(by_symbol())
    assert len(reference) == N
    assert overlap["pct_overlap"].tolist() == [100]


def test_order_of_genes_and_samples_changes_nothing() -> None:
    shuffled = table().sample(frac=1, random_state=1).reset_index(drop=True)
    first, _ = matched(table(), by_symbol())
    second, _ = matched(by_symbol(), shuffled)
    pd.testing.assert_frame_equal(first, second)


def test_samples_come_one_at_a_time_with_the_cohorts_names_and_their_kept_cells(
    tmp_path: Path,
) -> None:
    shard = small_shard()
    other = replace(shard, genes=shard.genes.assign(gene=shard.genes["symbol"]))
    shards = {"a": shard, "b": other, "c": shard}
    reference, _ = matched(*(one.genes for one in shards.values()))
    for name, one in shards.items():
        write_shard(one, tmp_path / f"{name}.h5ad")
    cells = pd.DataFrame({"sample": ["a", "b", "b"], "position": [3, 1, 7]})
    paths = {name: tmp_path / f"{name}.h5ad" for name in shards}
    found = list(kept_cells(paths, cells=cells, reference=reference))
    assert [name for name, _, _ in found] == ["a", "b", "c"]
    assert [positions.tolist() for _, _, positions in found] == [[3], [1, 7], []]
    for _, one, _ in found:
        assert one.genes["gene"].tolist() == shard.genes["gene"].tolist()
        assert (one.counts != shard.counts).nnz == 0
