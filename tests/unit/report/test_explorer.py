"""Genes of the interactive volcano plots: every row of the tables, and nothing else."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pandas as pd

from lammscope.core.words import readable
from lammscope.report.explorer import (
    MISSING_FOLD,
    MISSING_LOG,
    STEPS_FOLD,
    STEPS_LOG,
    pack_explorers,
)
from lammscope.report.packing import as_json
from tests.unit.example_results import expression_table


def unpack(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=dtype)


def unpack_contrast(packed: dict[str, Any], name: str) -> pd.DataFrame:
    """Return the genes of a contrast as a script of the page reads them."""
    data = packed["contrasts"][name]
    symbols = zlib.decompress(base64.b64decode(packed["symbols"])).decode().split("\n")
    sizes = [population["rows"] for population in data["populations"]]
    kind = "<u2" if len(symbols) > 256 else "u1"
    texts = {
        key: np.array(data[words])[unpack(data[key], "u1")]
        for key, words in (("verdict", "verdicts"), ("status", "statuses"))
    }
    folds = {key: unpack(data[key], "<i2").astype(float) for key in ("fold", "low", "high")}
    logs = {key: unpack(data[key], "<u2").astype(float) for key in ("p", "fdr")}
    return pd.DataFrame(
        {
            "population": np.repeat([each["name"] for each in data["populations"]], sizes),
            "symbol": np.array(symbols)[unpack(data["gene"], kind)],
            "ambient": unpack(data["ambient"], "u1").astype(bool),
            **texts,
            **{k: np.where(v == MISSING_FOLD, np.nan, v / STEPS_FOLD) for k, v in folds.items()},
            **{
                k: np.where(v == MISSING_LOG, np.nan, 10 ** (-v / STEPS_LOG))
                for k, v in logs.items()
            },
        }
    )


def test_every_gene_of_every_population_is_packed_with_its_numbers() -> None:
    table = expression_table(n_genes=400)
    table.loc[3, ["ambient", "fdr"]] = [True, np.nan]
    found = unpack_contrast(pack_explorers({"baseline": table}), "baseline")
    keys = ["population", "symbol"]
    known = table[table["cell_type"] != "Platelet"]  # not tested
    known = known.assign(population=known["cell_type"].map(readable)).sort_values(keys)
    found = found.sort_values(keys)
    assert found[keys].to_numpy().tolist() == known[keys].to_numpy().tolist()
    for own, theirs in (("fold", "log2fc"), ("low", "ci_low"), ("high", "ci_high")):
        np.testing.assert_allclose(found[own], known[theirs], atol=0.51 / STEPS_FOLD)
    for key in ("p", "fdr"):
        np.testing.assert_allclose(found[key], known[key], rtol=0.006)
    assert found["ambient"].tolist() == known["ambient"].tolist()
    assert found["verdict"].tolist() == known["verdict"].map(readable).tolist()


def test_untested_genes_and_populations_keep_their_reason() -> None:
    table = expression_table()
    first = table.index[0]
    table.loc[first, ["p", "fdr", "log2fc"]] = np.nan
    table.loc[first, "status"] = "not_converged"
    none = table[:1].assign(cell_type="pDC", gene="", symbol="", p=np.nan, status="no_variation")
    packed = pack_explorers({"baseline": pd.concat([table, none])})
    found = unpack_contrast(packed, "baseline")
    lost = found[found["p"].isna()]
    assert lost["symbol"].tolist() == [table.loc[first, "symbol"]]
    assert lost["status"].tolist() == ["not converged"]
    untested = packed["contrasts"]["baseline"]["untested"]
    reasons = {each["name"]: each["reason"] for each in untested}
    assert reasons == {"Platelet": "too few patients", "pDC": "no variation"}


def test_contrasts_share_symbols_and_one_without_a_test_has_no_plot() -> None:
    table = expression_table()
    other = table.assign(symbol="X" + table["symbol"])
    untested = table[:1].assign(p=np.nan, status="too_few_patients")
    packed = pack_explorers(
        {"baseline": table, "change": other, "none": untested, "empty": pd.DataFrame()}
    )
    assert list(packed["contrasts"]) == ["baseline", "change"]
    assert set(unpack_contrast(packed, "change")["symbol"]) == set(other["symbol"])
    assert pack_explorers({})["contrasts"] == {}


def test_nothing_in_packed_data_closes_the_script() -> None:
    table = expression_table().assign(status="</script>", cell_type="<script>")
    text = as_json(pack_explorers({"baseline": table})["contrasts"]["baseline"])
    assert "<" not in text
    assert json.loads(text)["populations"][0]["name"] == "<script>"
