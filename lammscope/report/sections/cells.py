"""Content of the sections on the cohort, cell types and LAMM cells."""

from typing import Any

import pandas as pd

from lammscope.abundance.counts import lamm_fractions
from lammscope.annotate.macrophage_state import MIN_ORDINARY, PRIOR_ONLY, TOO_FEW_GENES
from lammscope.annotate.signature import NO_REFERENCE, NO_SUCH_STATE
from lammscope.core.names import LAMM, LEVELS, NO_CAR_FEATURE, UNSTATED
from lammscope.core.words import readable, shortened, write_number
from lammscope.report.catalog import result_path
from lammscope.report.order import population_order, sample_groups
from lammscope.report.table import CAR_COLUMNS, CLUSTER_COLUMNS, Column, Table, build_table
from lammscope.report.table_cells import counted_share

NO_STATE = 0.001  # share of monocytic cells up to which macrophage-like ones are no population


def cohort_section(samples: pd.DataFrame, *, cells: pd.DataFrame) -> dict[str, Any]:
    """Return the size of the cohort, the table of patients and the table of arms by phase."""
    n_cells = cells["sample"].value_counts()
    table = samples.assign(
        n_cells=samples["sample"].map(n_cells).fillna(0).astype(int),
        when=samples["phase"].where(samples["phase"].notna(), samples["timepoint"]),
        arm=samples["response"].map(readable, na_action="ignore"),
    )
    wide = table.pivot_table(
        index="patient", columns="when", values="n_cells", aggfunc="sum", observed=True
    )
    times = sorted(wide, key=lambda w: ({"pre": 0, "post": 1}.get(str(w), 2), str(w)))
    shown = [c for c in ("response_label", "product", "age", "sex", "ldh", "arm") if c in table]
    shown = [column for column in shown if table[column].notna().any()]
    patients = table.groupby("patient")[shown].first()
    patients["n_samples"] = table.groupby("patient")["sample"].size()
    patients = patients.join(wide).reset_index()
    columns = [
        Column("patient", "Patient"),
        Column("response_label", "Response", choice=True),
        Column("arm", "Arm", choice=True),
        *(
            Column(c, readable(c)[0].upper() + readable(c)[1:], _kind(patients, c))
            for c in ("product", "age", "sex", "ldh")
        ),
        Column("n_samples", "Samples", "count"),
        *(Column(str(w), f"Cells, {readable(w)}", "count") for w in times),
    ]
    groups = sample_groups(table).groupby("group", sort=False)
    sizes = groups.agg(
        n_patients=("patient", "nunique"), n_samples=("sample", "size"), n_cells=("n_cells", "sum")
    ).reset_index()
    arms = [
        Column("group", "Group"),
        Column("n_patients", "Patients", "count"),
        Column("n_samples", "Samples", "count"),
        Column("n_cells", "Cells", "count"),
    ]
    return {
        "n_patients": int(samples["patient"].nunique()),
        "n_samples": len(samples),
        "n_cells": len(cells),
        "n_lamm": int((cells["lamm_call"] == LAMM).sum()),
        "has_arms": bool(samples["response"].notna().any()),
        "n_without_arm": int(samples.loc[samples["response"].isna(), "patient"].nunique()),
        "compartments": sorted(set(samples["compartment"])),
        "n_unstated": int((samples["compartment"] == UNSTATED).sum()),
        "patients": build_table(
            patients.sort_values("patient"), columns, file=result_path("samples")
        ),
        "groups": build_table(sizes, arms) if sizes["group"].ne("").any() else None,
    }


def _kind(table: pd.DataFrame, column: str) -> str:
    """Return the format of a column of the sheets, which may be missing: `plain` for numbers."""
    known = column in table and pd.api.types.is_numeric_dtype(table[column])
    return "plain" if known else "text"


def lamm_section(
    cells: pd.DataFrame,
    *,
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    genes: pd.DataFrame,
    calls: pd.DataFrame,
) -> dict[str, Any]:
    """Return LAMM calls per sample, exclusion criteria, and defining markers by population."""
    monocytic = cells[cells["lineage"] == "monocytic"]
    result: dict[str, Any] = {"n_monocytic": len(monocytic), "table": None, "vetoes": None}
    result["support"], result["state"] = "", []
    result["definers"] = _definer_table(genes)
    levels = {level: lamm_fractions(counts, level=level) for level in LEVELS}
    result["share"] = {
        level: write_number(
            float(table["n_lamm"].sum()) / max(int(table["n_monocytic"].sum()), 1), "fraction"
        )
        for level, table in levels.items()
    }
    if monocytic.empty:
        return result
    table = sample_groups(samples)[["sample", "group"]].set_index("sample")
    for level, fractions in levels.items():
        table[f"n_{level}"] = fractions["n_lamm"]
        table[f"of_{level}"] = fractions["of_monocytic"]
    table["n_monocytic"] = levels["positive"]["n_monocytic"]
    by_sample = monocytic.groupby("sample")
    table["n_uncertain"] = by_sample["lamm_call"].agg(lambda call: (call == "uncertain").sum())
    vetoed = monocytic["lamm_veto"].fillna("").astype(str)
    table["n_vetoed"] = (vetoed != "").groupby(monocytic["sample"]).sum()
    called = calls.set_index("sample")
    table["pct_supported"] = called["pct_supported"]
    result["support"], result["state"] = support_line(calls), state_lines(calls)
    numbers = ["n_uncertain", "n_vetoed"]
    table[numbers] = table[numbers].fillna(0)
    for level in LEVELS:
        table[level] = counted_share(table[f"n_{level}"], table[f"of_{level}"])
    hint = "and fraction of monocytic cells"
    columns = [
        Column("sample", "Sample"),
        Column("group", "Group", choice=True),
        Column("n_monocytic", "Monocytic cells", "count"),
        Column("macrophage_like", "LAMM, macrophage-like", "number", hint),
        Column("positive", "LAMM, positive", "number", hint),
        Column("n_uncertain", "Uncertain", "count", "at the configured level"),
        Column("n_vetoed", "Excluded", "count", "by an exclusion criterion"),
        Column(
            "pct_supported",
            "Own cells agree",
            "percent",
            "LAMM calls supported by the patient's own cells",
        ),
    ]
    result["table"] = build_table(table.reset_index(), columns, file=result_path("calls"))
    reasons = vetoed[vetoed != ""].value_counts().sort_index().sort_values(ascending=False)
    result["vetoes"] = [(readable(name), f"{n:,}") for name, n in reasons.items()]
    return result


def state_lines(calls: pd.DataFrame) -> list[str]:
    """Say where no macrophage-like cell was found, and where the state had no own reference."""
    lines = []
    n_monocytic, n_found = int(calls["n_monocytic"].sum()), int(calls["n_macrophage_like"].sum())
    if n_found <= NO_STATE * n_monocytic:
        lines.append(
            f"There is no population of macrophage-like cells: {n_found} of {n_monocytic:,} "
            "monocytic cells are called."
        )
    words = {
        PRIOR_ONLY: f"fewer than {MIN_ORDINARY} ordinary monocytes in their batch, so that the "
        "macrophage state is judged by levels of other data sets",
        NO_REFERENCE: f"fewer than {MIN_ORDINARY} ordinary monocytes in their batch to compare "
        "others with, so that no cell is in the state of the signature or surely not",
        NO_SUCH_STATE: "scores of one kind of cells, so that none is in the state of the signature",
        TOO_FEW_GENES: "too few genes for the macrophage state, so that no cell is called",
    }
    for reference, problem in words.items():
        names = calls.loc[calls["reference"] == reference, "sample"].astype(str)
        if len(names):
            lines.append(f"Samples with {problem}: {shortened(names)}.")
    return lines


def support_line(calls: pd.DataFrame) -> str:
    """Say how many LAMM calls are supported by the patient's own cells; "" without calls."""
    n_called = int(calls["n_lamm"].sum())
    if not n_called:
        return ""
    supported, against = (int(calls[name].sum()) for name in ("n_supported", "n_contradicted"))
    undecided = n_called - supported - against
    rest = " For the others, the patient has too few cells or UMIs to tell." if undecided else ""
    return (
        f"LAMM calls use neighbors from all patients. With the patient's own cells alone, "
        f"{write_number(supported / n_called, 'fraction')} of the {n_called:,} calls are supported "
        f"(probability of 0.5 or more), and {write_number(against / n_called, 'fraction')} are "
        f"contradicted.{rest}"
    )


def car_section(car: pd.DataFrame) -> dict[str, Any]:
    """Return the table of CAR transcripts, and sentences on what they leave unknown."""
    seen = car[car["car_umi"] > 0]
    stray = car[car["reading"] == "contamination"]
    lines = []
    if not len(seen):
        lines.append(
            "No CAR transcript was found in this cohort, or its matrices have no CAR gene."
        )
    elif len(stray):
        lines.append(
            "CAR transcripts before infusion, or only in cells that are not T cells, are treated "
            f"as contamination, not as CAR-T cells: {stray['car_umi'].sum():,} UMIs in "
            f"{len(stray)} samples."
        )
    lines += [line for line in (_missed_line(car), _featureless_line(car)) if line]
    table = car.assign(with_car=counted_share(car["n_t_with_car"], car["pct_of_t"], kind="percent"))
    file = result_path("car")
    shown = build_table(table, CAR_COLUMNS, file=file) if len(seen) else None
    return {"lines": lines, "table": shown}


def _missed_line(car: pd.DataFrame) -> str:
    """Say how many CAR-T cells are called, missed and unknown; "" if none is expected."""
    after = car[car["phase"] != "pre"]
    known = after[after["pct_missed"].notna()]
    if known.empty:
        return ""
    missed = (known["pct_missed"] * known["n_expected"]).sum() / known["n_expected"].sum()
    return (
        f"{after['n_positive'].sum():,} T cells are called CAR-T cells. An expected "
        f"{write_number(missed, 'percent')} of all CAR-T cells are missed (in single samples "
        f"{write_number(known['pct_missed'].min(), 'percent')} to "
        f"{write_number(known['pct_missed'].max(), 'percent')}), mostly because they show no "
        f"transcript. {after['n_unknown'].sum():,} T cells may be CAR-T cells or not: they count "
        "in denominators, but are not tested."
    )


def _featureless_line(car: pd.DataFrame) -> str:
    """Name samples after infusion whose T cells include unknown CAR-T cells; "" without any."""
    names = car.loc[(car["phase"] == "post") & (car["reading"] == NO_CAR_FEATURE), "sample"]
    if names.empty:
        return ""
    return (
        f"{shortened(names)}: the matrix has no CAR gene, so T cells after infusion include CAR-T "
        "cells that cannot be told apart. Differences of T cells there may be those of CAR-T cells."
    )


def state_line(state_genes: pd.DataFrame) -> str:
    """Say which gene programs have no score; "" if all have one."""
    short = state_genes[state_genes["status"] != "ok"]
    if short.empty:
        return ""
    names = ", ".join(
        f"{readable(row['state'])} ({row['n_found']} of {row['n_genes']} genes)"
        for row in short.to_dict("records")
    )
    return f"Not scored, because less than half of the genes are in these data: {names}."


def marker_line(missing: pd.DataFrame) -> str:
    """Say which types were left out of the marker panel; "" if none were."""
    dropped = missing[missing["dropped"].astype(bool)] if len(missing) else missing
    if dropped.empty:
        return ""
    names = ", ".join(readable(str(name)) for name in dropped["entry"])
    return f"Left out of the marker panel, because the data lack most of their markers: {names}."


def cluster_rows(clusters: pd.DataFrame) -> Table:
    """Return the table of clusters."""
    markers = clusters["top_markers"].str.replace(r",\s*", ", ", regex=True)
    clusters = clusters.assign(top_markers=markers)
    return build_table(clusters, CLUSTER_COLUMNS, file=result_path("clusters"))


def _definer_table(definers: pd.DataFrame) -> Table | None:
    if definers.empty:
        return None
    genes = list(dict.fromkeys(definers["gene"]))
    wide = definers.pivot(index="group", columns="gene", values=["per_10k", "pct_detected"])
    table = pd.DataFrame(index=population_order(definers["group"]))
    table["n_cells"] = definers.groupby("group")["n_cells"].first()
    columns = [Column("population", "Population", "name"), Column("n_cells", "Cells", "count")]
    for gene in genes:
        for key, label, kind in (
            ("per_10k", "per 10,000 UMIs", "number"),
            ("pct_detected", "cells with a UMI", "percent"),
        ):
            table[f"{gene} {key}"] = wide[key, gene]
            columns.append(Column(f"{gene} {key}", f"{gene}, {label}", kind))
    file = result_path("population_genes")
    return build_table(table.rename_axis("population").reset_index(), columns, file=file)
