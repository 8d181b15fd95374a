"""Dense tables in the dialects of R, pandas and spreadsheets."""

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import inspect_matrix, read_matrix
from tests.matrices import find_matrices, small_shard, write_dense, write_lines

SHARD = small_shard()
SYMBOLS = SHARD.genes.assign(gene=["ACTB", "B2M", *SHARD.genes["symbol"][2:]])
BY_SYMBOL = Shard(SHARD.counts, SHARD.barcodes, SYMBOLS)


def same(read: Shard, shard: Shard = SHARD) -> None:
    assert (read.counts != shard.counts).nnz == 0
    assert read.barcodes.tolist() == shard.barcodes.tolist()
    assert read.genes["gene"].tolist() == shard.genes["gene"].tolist()


@pytest.mark.parametrize("name", ["x.csv", "x.gz"])
@pytest.mark.parametrize("separator", [",", "\t", ";", " ", "   "])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("r_header", [False, True])
@pytest.mark.parametrize("genes_in_rows", [True, False])
def test_each_dialect_gives_the_same_counts(
    tmp_path: Path, name: str, separator: str, quote: str, r_header: bool, genes_in_rows: bool
) -> None:
    dialect: dict[str, Any] = {"separator": separator, "quote": quote, "r_header": r_header}
    path = write_dense(SHARD, tmp_path / name, genes_in_rows=genes_in_rows, **dialect)
    assert inspect_matrix(path) == "dense text"
    same(read_matrix(path))


@pytest.mark.parametrize("genes_in_rows", [True, False])
def test_symbols_tell_genes_from_cells_without_barcodes(
    tmp_path: Path, genes_in_rows: bool
) -> None:
    named = Shard(SHARD.counts, np.array([f"cell{i}" for i in range(40)]), SYMBOLS)
    same(read_matrix(write_dense(named, tmp_path / "x.csv", genes_in_rows=genes_in_rows)), named)


@pytest.mark.parametrize("genes_in_rows", [True, False])
def test_barcodes_tell_cells_where_no_gene_is_known(tmp_path: Path, genes_in_rows: bool) -> None:
    genes = SHARD.genes.assign(gene=[f"g{i}" for i in range(60)])
    shard = Shard(SHARD.counts, SHARD.barcodes, genes)
    same(read_matrix(write_dense(shard, tmp_path / "x.csv", genes_in_rows=genes_in_rows)), shard)


@settings(max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(5, 12)),
    genes_in_rows=st.booleans(),
    separator=st.sampled_from([",", "\t", ";"]),
    seed=st.integers(0, 1000),
)
def test_tables_of_any_shape_are_read(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int],
    genes_in_rows: bool,
    separator: str,
    seed: int,
) -> None:
    shard = small_shard(*shape, seed=seed)
    path = tmp_path_factory.mktemp("dense") / "x.csv"
    write_dense(shard, path, separator=separator, genes_in_rows=genes_in_rows)
    same(read_matrix(path), shard)


def test_row_numbers_before_the_names_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    table = pd.DataFrame(SHARD.counts.toarray().T, columns=SHARD.barcodes)
    table.insert(0, "gene", SHARD.genes["gene"])
    table.to_csv(path)
    same(read_matrix(path))


def test_numbers_may_name_genes(tmp_path: Path) -> None:
    """Entrez ids in rows are no values, though they are numbers."""
    genes = SHARD.genes.assign(gene=[str(100 + i) for i in range(60)])
    shard = Shard(SHARD.counts, SHARD.barcodes, genes)
    same(read_matrix(write_dense(shard, tmp_path / "x.csv")), shard)


def test_marks_line_ends_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    text = write_dense(SHARD, tmp_path / "x.csv").read_text().replace("\n", "\r\n")
    (tmp_path / "y.csv").write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n\r\n")
    same(read_matrix(tmp_path / "y.csv"))


def table_of(rows: list[list[Any]]) -> list[str]:
    return [",".join(map(str, row)) for row in rows]


HEADER = ["", *(f"AAACCCAAGT{i}" for i in range(3))]
GOOD = [[gene, 1, 0, 2] for gene in ("ACTB", "B2M", "CD74", "LYZ", "MT-CO1", "RPL3", "RPS2", "VIM")]
BAD: dict[str, tuple[list[list[Any]], str]] = {
    "word": (
        [HEADER, *GOOD, ["KIT", 1, "abc", 0]],
        "row KIT, column AAACCCAAGT1: `abc` is not a number",
    ),
    "empty": (
        [HEADER, *GOOD, ["KIT", 1, "", 0]],
        "row KIT, column AAACCCAAGT1: `` is not a number",
    ),
    "na": (
        [HEADER, *GOOD, ["KIT", "NA", 1, 0]],
        "row KIT, column AAACCCAAGT0: `NA` is not a number",
    ),
    "bool": ([HEADER, *([gene, 1, 1, "True"] for gene, *_ in GOOD)], "`True` is not a number"),
    "fraction": ([HEADER, *GOOD, ["KIT", 1, 0.25, 0]], "column AAACCCAAGT1: values are not counts"),
    "negative": ([HEADER, *GOOD, ["KIT", 1, -1, 0]], "not counts, e.g. -1"),
    "nan": ([HEADER, *GOOD, ["KIT", 1, 1, "nan"]], "row KIT, column AAACCCAAGT2"),
    "inf": ([HEADER, *GOOD, ["KIT", 1, "inf", 1]], "e.g. inf"),
    "large": ([HEADER, *GOOD, ["KIT", 1, 2**31, 1]], "2147483648 is too large"),
    "larger": ([HEADER, *GOOD, ["KIT", 1, 10**25, 1]], "is too large"),
    "long": ([HEADER, *GOOD, ["KIT", 1, 1, 1, 1]], "line 10 has 5 fields, the lines before have 4"),
    "short": ([HEADER, *GOOD, ["KIT", 1, 1]], "line 10 has 3 fields"),
    "short early": ([HEADER, GOOD[0], GOOD[1][:3], GOOD[2]], "line 3 has 3 fields"),
    "short names": (
        [["", *HEADER], *([gene, gene, *values] for gene, *values in GOOD), ["KIT"]],
        "line 10 has 1 fields",
    ),
    "blank lines": ([HEADER, [], GOOD[0], [], GOOD[1][:3]], "line 5 has 3 fields"),
    "header": ([[*HEADER, "a", "b"], *GOOD], "line 1 has 6 fields and line 2 has 4"),
    "quote": ([HEADER, *GOOD, ['"KIT', 1, 1, 1]], "line 10 has"),
    "list": ([["AAACCCAAGT-1"], ["AAACCCAAGG-1"]], "a list, not a count matrix"),
    "names": ([["a", "b"], ["ENSG01", "ACTB"]], "a list of names"),
    "one line": ([HEADER], "no second line"),
    "neither": ([["", "c1", "c2"], ["g1", 1, 2], ["g2", 2, 1]], "cannot tell genes from cells"),
    "twice": ([["", "c1", "c1", "c2"], *GOOD], "barcode c1 occurs twice"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_refused_in_one_line_with_the_place(tmp_path: Path, name: str) -> None:
    rows, message = BAD[name]
    path = write_lines(table_of(rows), tmp_path / "x.csv")
    with pytest.raises(ValueError, match=r".") as caught:
        read_matrix(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert message in text
    assert "\n" not in text


@pytest.mark.parametrize("bad", [0.5, -3, "x"])
def test_the_first_rows_show_bad_values_without_reading_the_rest(
    tmp_path: Path, bad: float | str
) -> None:
    path = write_lines(table_of([HEADER, *GOOD[:2], ["KIT", 1, bad, 0]]), tmp_path / "x.csv")
    with pytest.raises(ValueError, match="row KIT, column AAACCCAAGT1"):
        inspect_matrix(path)


def test_tables_of_other_things_are_no_matrices(tmp_path: Path) -> None:
    write_dense(BY_SYMBOL, tmp_path / "counts.csv")
    write_lines(SHARD.barcodes, tmp_path / "barcodes.tsv")
    write_lines((f"{g}\t{s}" for g, s in SHARD.genes.values), tmp_path / "features.tsv")
    write_lines(
        ["cell,n_genes,cluster", "AAACCCAAGT-1,300,2", "AAACCCAAGG-1,20,1"], tmp_path / "m.csv"
    )
    write_lines(["gene,logFC", "ACTB,0.5", "B2M,0.2", "CD74,1.5"], tmp_path / "markers.csv")
    write_lines(["a note"], tmp_path / "notes.txt")
    (tmp_path / "damaged.csv.gz").write_bytes(gzip.compress(b"x,y\n" * 99)[:20])
    assert find_matrices(tmp_path) == [tmp_path / "counts.csv"]


@pytest.mark.parametrize("form", [np.int32, np.float64])
def test_memory_stays_far_below_the_dense_size(
    tmp_path: Path, form: type[int] | type[float]
) -> None:
    """Zeros are left out also where they are written as 0.0."""
    n_genes, n_cells = 4000, 400
    counts = sparse.random_array((n_cells, n_genes), density=0.02, rng=np.random.default_rng(0))
    counts.data = np.ceil(counts.data * 9)
    genes = pd.DataFrame({"gene": [f"ENSG{i:011d}" for i in range(n_genes)]})
    barcodes = np.array([f"cell{i}" for i in range(n_cells)])
    shard = Shard(sparse.csr_array(counts.astype(np.int32)), barcodes, genes)
    values = shard.counts.toarray().astype(form)
    path = write_dense(shard, tmp_path / "x.csv", values=values)
    read_matrix(path)  # imports and caches
    tracemalloc.start()
    same(read_matrix(path), shard)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < n_genes * n_cells * 8 / 2


COUNTED = {
    "HTSeq": [f"__{name}" for name in ("no_feature", "ambiguous", "not_aligned")],
    "STAR": [f"N_{name}" for name in ("unmapped", "multimapping", "noFeature", "ambiguous")],
    "featureCounts": ["Assigned", "Unassigned_Unmapped", "Unassigned_NoFeatures"][1:],
    "totals": ["nUMI", "nGene", "Sum"],
}


@pytest.mark.parametrize("kind", COUNTED)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("genes_in_rows", [True, False])
def test_rows_and_columns_that_are_no_genes_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: Any, first: Any, genes_in_rows: Any
) -> None:
    names = COUNTED[kind]
    others = np.full((40, len(names)), 9000)
    values = SHARD.counts.toarray()
    values = np.hstack([others, values] if first else [values, others])
    genes = [*names, *SYMBOLS["gene"]] if first else [*SYMBOLS["gene"], *names]
    shard = Shard(SHARD.counts, SHARD.barcodes, pd.DataFrame({"gene": genes}))
    path = tmp_path / "x.csv"
    write_dense(shard, path, values=values, genes_in_rows=genes_in_rows)
    same(read_matrix(path), BY_SYMBOL)
    (message,) = caplog.messages
    kind = "rows" if genes_in_rows else "columns"
    assert message == f"{path}: left out, not genes or cells: {kind} {', '.join(names)}"


ANNOTATION: dict[str, dict[str, Any]] = {
    "featureCounts": {"Chr": "chr1;chr1", "Start": "1;5", "End": "4;9", "Strand": "+", "Length": 8},
    "one exon": {"Chr": "chr1", "Start": 1, "End": 900, "Strand": "-", "Length": 899},
    "Length": {"Length": 1200},
    "position": {"chromosome": 1, "start": 100, "end": 900},
    "BioMart": {
        "external_gene_name": None,
        "start_position": 5,
        "gene_biotype": "protein_coding",
        "description": "a protein [Source:HGNC]",
    },
}


@pytest.mark.parametrize("kind", ANNOTATION)
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("comment", ["", "# Program:featureCounts v2.0.1; Command: x, y\n"])
def test_columns_of_annotation_are_no_cells(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: Any, last: Any, comment: Any
) -> None:
    table = pd.DataFrame(SHARD.counts.toarray().T, columns=[f"P1_c{i}" for i in range(40)])
    columns = {key: value or SYMBOLS["gene"] for key, value in ANNOTATION[kind].items()}
    if last:
        columns.pop("external_gene_name", None)
        table = table.assign(**columns)
    else:
        for key, value in reversed(columns.items()):
            table.insert(0, key, value)
    table.insert(0, "Geneid", SHARD.genes["gene"])
    path = tmp_path / "x.txt"
    path.write_text(comment + table.to_csv(sep="\t", index=False))
    read = read_matrix(path)
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.barcodes.tolist() == [f"P1_c{i}" for i in range(40)]
    assert read.genes["gene"].tolist() == SHARD.genes["gene"].tolist()
    has_symbols = "external_gene_name" in columns
    assert (read.genes["symbol"].tolist() == SYMBOLS["gene"].tolist()) == has_symbols
    named = [name for name in columns if name != "external_gene_name"]
    assert caplog.messages == [f"{path}: left out, not genes or cells: columns {', '.join(named)}"]


METADATA: dict[str, Any] = {
    "orig.ident": "P1",
    "nUMI": 5000,
    "percent.mt": 3.25,
    "cluster": 2,
    "tSNE_1": -2.5,
    "Phase": "G1",
}


@pytest.mark.parametrize("last", [True, False])
def test_metadata_of_cells_are_no_genes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, last: Any
) -> None:
    table = pd.DataFrame(SHARD.counts.toarray(), columns=SYMBOLS["gene"])
    columns = METADATA | ({"own_label": "alpha"} if last else {})
    if last:
        table = table.assign(**columns)
    else:
        for key, value in reversed(columns.items()):
            table.insert(0, key, value)
    table.insert(0, "cell", SHARD.barcodes)
    table.to_csv(tmp_path / "x.csv", index=False)
    same(read_matrix(tmp_path / "x.csv"), BY_SYMBOL)
    assert caplog.messages[0].endswith(f"not genes or cells: columns {', '.join(columns)}")


def test_rows_of_labels_are_no_genes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = write_dense(BY_SYMBOL, tmp_path / "x.csv").read_text().splitlines()
    labels = [",".join([name, *["T cell", "B cell"] * 20]) for name in ("own_label", "cluster")]
    write_lines([lines[0], *labels, *lines[1:]], tmp_path / "y.csv")
    assert inspect_matrix(tmp_path / "y.csv") == "dense text"
    same(read_matrix(tmp_path / "y.csv"), BY_SYMBOL)
    assert caplog.messages[0].endswith("rows own_label, cluster")


def test_cells_named_like_others_with_numbers_are_cells(tmp_path: Path) -> None:
    for genes_in_rows in (True, False):
        shard = Shard(SHARD.counts, np.array([f"PC_{i}" for i in range(40)]), SYMBOLS)
        same(
            read_matrix(write_dense(shard, tmp_path / "x.csv", genes_in_rows=genes_in_rows)), shard
        )


@pytest.mark.parametrize("where", ["gene", "cell"])
def test_unknown_names_far_out_of_scale_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, where: Any
) -> None:
    values = SHARD.counts.toarray()
    genes, barcodes = SYMBOLS, SHARD.barcodes
    if where == "gene":
        values = np.column_stack([values, 50 * values.sum(axis=1)])
        genes = pd.DataFrame({"gene": [*SYMBOLS["gene"], "odd"]})
    else:
        values = np.vstack([values, 2000 + np.arange(60)])
        barcodes = np.array([*barcodes, "odd"])
    shard = Shard(sparse.csr_array(values), barcodes, genes)
    path = write_dense(shard, tmp_path / "x.csv", values=values)
    same(read_matrix(path), shard)
    assert f"{path}: {where} odd: over 10 times the counts of any other {where}" in caplog.text


COMMENTS = {
    "BD Rhapsody": "####################\n## BD Targeted Multiplex Rhapsody\n####\n",
    "one": "# counts of my cells\n",
    "with separators": "# made on Monday, with care, by me\n",
    "blank": "\n# counts\n\n",
}


@pytest.mark.parametrize("kind", COMMENTS)
@pytest.mark.parametrize("mark", ["", "#"])
def test_comments_before_the_header_are_skipped(tmp_path: Path, kind: Any, mark: Any) -> None:
    text = write_dense(BY_SYMBOL, tmp_path / "x.csv").read_text()
    (tmp_path / "y.csv").write_text(COMMENTS[kind] + mark + "gene" + text)
    same(read_matrix(tmp_path / "y.csv"), BY_SYMBOL)


@pytest.mark.parametrize("where", ["all", "rows", "header"])
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_separators_at_the_end_of_lines_do_not_matter(
    tmp_path: Path, where: Any, separator: Any
) -> None:
    text = write_dense(BY_SYMBOL, tmp_path / "x.csv", separator=separator).read_text()
    header, *rows = text.splitlines()
    if where != "rows":
        header += separator
    if where != "header":
        rows = [row + separator for row in rows]
    write_lines([f"gene{header}", *rows], tmp_path / "y.csv")
    same(read_matrix(tmp_path / "y.csv"), BY_SYMBOL)


def test_numbered_cells_with_a_column_of_tags_are_named_by_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """BD Rhapsody numbers its cells, and tags them by sample."""
    table = pd.DataFrame(SHARD.counts.toarray(), columns=SYMBOLS["gene"])
    table.insert(0, "Sample_Tag", "SampleTag01_hs")
    table.insert(0, "Cell_Index", range(1000, 1040))
    table.to_csv(tmp_path / "x.csv", index=False)
    read = read_matrix(tmp_path / "x.csv")
    assert read.barcodes.tolist() == [str(i) for i in range(1000, 1040)]
    assert (read.counts != SHARD.counts).nnz == 0
    assert caplog.messages[0].endswith("columns Sample_Tag")


def test_a_decimal_comma_is_named(tmp_path: Path) -> None:
    text = write_dense(BY_SYMBOL, tmp_path / "x.csv", separator=";").read_text()
    header, *rows = text.splitlines()
    rows = [row.replace(";", ",0;").replace(",0", "", 1) + ",0" for row in rows]
    write_lines([header, *rows], tmp_path / "y.csv")
    with pytest.raises(ValueError, match=r"row ACTB, .*: `\d+,0` is not a number"):
        read_matrix(tmp_path / "y.csv")
