"""Bad inputs by name: the mistake, its message, and where the run ends."""

import lzma
import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import yaml
from scipy.io import mmwrite
from scipy.sparse import csr_array

from lammscope.annotate.panel import load_panel, panel_symbols
from lammscope.core.resources import find_resource
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import read_matrix
from tests.definitions import write_definition
from tests.matrices import (
    mouse_symbols,
    small_shard,
    write_dense,
    write_folder,
    write_h5ad,
    write_loom,
    write_tenx_v2,
    write_tenx_v3,
)
from tests.misuse.cohort import (
    ARMS,
    BASELINE,
    MATRIX,
    PAIRED,
    Spoil,
    append,
    both,
    column,
    config,
    contrast,
    copy,
    cut,
    dataset,
    first_rows,
    instead,
    is_early,
    is_responder,
    link,
    make_folder,
    matrix,
    recode,
    remove,
    replace,
    results_of,
    set_cell,
    signature,
    workbook,
    write,
)

SHARD = small_shard(120, 400, seed=4)
R_OBJECTS = Path(__file__).parents[1] / "unit" / "ingest" / "matrices" / "rds"
PANEL = "resources/markers/immune_blood_tumour.yaml"
MOUSE_IDS = [f"ENSMUSG{i:011d}" for i in range(400)]
RAT_IDS = [f"ENSRNOG{i:011d}" for i in range(400)]
PREFIXED = [f"{genome}_GENE{i}" for genome in ("GRCh38", "mm10") for i in range(200)]
KNOWN_GENES = ["ACTB", "B2M", "CD74", "VIM", "MT-CO1", "MT-ND1", "CD14", "CD68", "CSF1R", "LYZ"]
LOGARITHMS = Shard(SHARD.counts.astype(float).log1p(), SHARD.barcodes, SHARD.genes)
SHARD_RESULT = "results/shards/P01_baseline.h5ad"
VERDICTS_RESULT = "results/qc/verdicts.tsv"
GENES_RESULT = "results/joint/reference.tsv.gz"
PANEL_RESULT = "results/joint/panel/001.npz"
PAIRS_HEAD = "pair\tligand\treceptor\tsender\treceiver\n"
ROW2 = "P01_baseline\tP01\tbaseline"


@dataclass(frozen=True)
class Case:
    """One misuse.

    If `target` is given, only this file is made, and the mistake is found in a job. `fine` marks
    input that is not a mistake: the run continues, and the message is a warning. `by_snakemake`
    marks what Snakemake refuses before the workflow sees it.
    """

    spoil: Spoil
    message: str
    target: str = ""
    fine: bool = False
    arguments: tuple[str, ...] = ()
    unprivileged: bool = False
    by_snakemake: bool = False


FIRST = "first/definition.yaml"


def first_cohort(*spoils: Spoil, **estimate: float) -> Spoil:
    """Write the definition of a first cohort that this one replicates, and break it."""

    def define(folder: Path) -> None:
        settings = yaml.safe_load((folder / "config.yaml").read_text())
        write_definition(folder / FIRST, config=settings, **estimate)

    return both(define, config(definition=FIRST, contrasts="default"), *spoils)


SHEETS = {
    "no sample sheet": Case(
        remove("samples.tsv"), "samples.tsv: no such file (did you mean `patients.tsv`?); paths are"
    ),
    "a misnamed sample sheet": Case(
        both(copy("samples.tsv", "sample.tsv"), remove("samples.tsv")),
        "samples.tsv: no such file (did you mean `sample.tsv`?)",
    ),
    "a folder as sample sheet": Case(make_folder("samples.tsv"), "samples.tsv: is a folder"),
    "an empty sample sheet": Case(write("samples.tsv", ""), "samples.tsv: is empty"),
    "a header without rows": Case(
        write("samples.tsv", "sample\tpatient\ttimepoint\tcounts\n"), "no rows below its header"
    ),
    "rows without a header": Case(
        write("samples.tsv", f"{ROW2}\t{MATRIX}\n"), "row 1: no header; the first row must name"
    ),
    "an Excel workbook": Case(
        write("samples.tsv", b"PK\x03\x04\x14\x00\x06\x00"), "is an Excel workbook or a zip archive"
    ),
    "an encrypted workbook": Case(
        write("samples.tsv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        "samples.tsv: is an old or encrypted Excel workbook; save the sheet as CSV (UTF-8) or TSV",
    ),
    "a patient as a date of Excel": Case(
        workbook("samples.tsv", set_cell("B3", datetime(2024, 3, 1))),
        "samples.tsv: row 3: `patient` is `2024-03-01 00:00:00`, which a spreadsheet turned into a",
    ),
    "a formula with an error": Case(
        workbook("patients.tsv", set_cell("A4", "#REF!")),
        "patients.tsv: row 4: `patient` is `#REF!`, an error in the spreadsheet; correct it",
    ),
    "a formula without a result": Case(
        workbook("patients.tsv", set_cell("E2", "=2024-1963")),
        "is a formula without a saved result; open and save the file",
    ),
    "merged cells": Case(
        workbook("samples.tsv", lambda sheet: sheet.merge_cells("B2:B3")),
        "samples.tsv: merged cells B2:B3; unmerge them and fill in every cell",
    ),
    "rows hidden by a filter": Case(
        workbook("patients.tsv", lambda sheet: sheet.row_dimensions.group(3, 4, hidden=True)),
        "patients.tsv: rows 3, 4: hidden, perhaps by a filter; show or delete them",
    ),
    "a legend before the sheet": Case(
        workbook("samples.tsv", lambda sheet: sheet.parent.create_sheet("Legend", 0).append(["A"])),
        "samples.tsv (worksheet `Legend`): row 1: no header; the first row must name the columns",
    ),
    "a second worksheet": Case(
        workbook("patients.tsv", lambda sheet: sheet.parent.create_sheet("Follow-up")),
        "patients.tsv (worksheet `Sheet`): the other worksheets are not read: Follow-up",
        target="results/config.yaml",
        fine=True,
    ),
    "an error of Excel at the start of a row": Case(
        replace("samples.tsv", "P01_baseline", "#REF!"), "row 2: `sample` is `#REF!`, an error in"
    ),
    "a sheet in UTF-16": Case(recode("samples.tsv", "utf-16"), "samples.tsv: is text in UTF-16"),
    "a sheet in Latin-1": Case(
        both(replace("patients.tsv", "female", "weiblich (ü)"), recode("patients.tsv", "latin-1")),
        "patients.tsv: row 2: not UTF-8; save the sheet as CSV (UTF-8) or TSV",
    ),
    "a misspelt column": Case(
        replace("samples.tsv", "timepoint", "time_point"),
        "no column `timepoint` (did you mean `time_point`?)",
    ),
    "a column twice": Case(
        replace("samples.tsv", "compartment", "patient"), "column `patient` appears more than once"
    ),
    "a column without a name": Case(replace("samples.tsv", "compartment", ""), "has no name"),
    "an event without a time": Case(
        column("patients", "pfs_days", lambda row: "" if row["patient"] == "P01" else "60"),
        "patients.tsv: row 2: `pfs_event` without `pfs_days`; fill in both, or leave both empty",
    ),
    "a date as follow-up": Case(
        column("patients", "os_days", lambda row: "2024-03-01"),
        "row 2: `os_days` is `2024-03-01`; it must be a number, not a date: give days",
    ),
    "a death before the sample": Case(
        both(
            column("patients", "pfs_days", lambda row: "3"),
            column("patients", "os_days", lambda row: "3"),
            column("patients", "os_event", lambda row: "1"),
        ),
        "row 2: patient `P01` died on day 3 (`os_days`), before the sample of day 7; correct one",
    ),
    "a separator in a value": Case(
        replace("samples.tsv", "\tblood", "\tblood\tPB\tx"), "row 2: 8 fields for 6 columns"
    ),
    "an open quotation mark": Case(
        replace("samples.tsv", "P01\tbase", '"P01\tbase'), "is a quotation mark not closed?"
    ),
    "an empty patient": Case(
        replace("samples.tsv", "\tP01\t", "\t\t"), "row 2: `patient` is empty; fill it in"
    ),
    "a sample twice": Case(
        replace("samples.tsv", "P01_day_7", "P01_baseline"),
        "row 3: sample `P01_baseline` is also in row 2; names must be unique",
    ),
    "a sample twice but for capitals": Case(
        replace("samples.tsv", "P01_day_7", "p01_Baseline"),
        "row 3: sample `p01_Baseline` differs from `P01_baseline` only in capitals",
    ),
    "a label of two samples": Case(
        column("samples", "label", lambda row: row["patient"]),
        "row 3: label `P01` is also in row 2; labels name samples, so they must be unique",
    ),
    "a slash in a name": Case(
        replace("samples.tsv", "P01_baseline", "P01/baseline"),
        "sample `P01/baseline` cannot be used",
    ),
    "a name that leaves its folder": Case(
        replace("samples.tsv", "P01_baseline", "../P01"),
        "row 2: sample `../P01` cannot be used in file names",
    ),
    "a space in a name": Case(
        replace("samples.tsv", "P01_baseline", "P01 baseline"),
        "sample `P01 baseline` cannot be used",
    ),
    "a quotation mark in a name": Case(
        replace("samples.tsv", "P01_baseline", "P01'"),
        "row 2: sample `P01'` cannot be used in file names",
    ),
    "a brace in a name": Case(
        replace("samples.tsv", "P01_baseline", "{sample}"),
        "sample `{sample}` cannot be used in file names",
    ),
    "a name of another result": Case(
        replace("samples.tsv", "P01_day_7", "P01_baseline.moments"),
        "names that end in `.moments` are reserved",
    ),
    "a name of 200 letters": Case(
        replace("samples.tsv", "P01_baseline", "P" * 200), "has 200 characters; at most 100"
    ),
    "a date that Excel made of a name": Case(
        replace("samples.tsv", "P01_baseline", "1-Mar"),
        "`sample` is `1-Mar`, which a spreadsheet turned into a date",
    ),
    "a number that Excel made of a name": Case(
        replace("samples.tsv", "\tP01\t", "\t1.0\t"),
        "row 2: `patient` is `1.0`, which a spreadsheet turned into a number",
    ),
    "an exponent that Excel made of a name": Case(
        replace("samples.tsv", "P01_baseline", "1.0E+05"),
        "`sample` is `1.0E+05`, which a spreadsheet turned into a number",
    ),
    "an error of Excel": Case(
        replace("samples.tsv", "blood", "#REF!"), "row 2: `compartment` is `#REF!`, an error in"
    ),
    "words for a day": Case(
        replace("samples.tsv", "blood\t-6", "blood\tbefore"), "row 2: `day` is `before`; it must be"
    ),
    "an unknown patient": Case(
        replace("samples.tsv", "\tP01\t", "\tP1\t"),
        "samples.tsv: row 2: patient `P1` is not in patients.tsv (did you mean `P01`?); add a row",
    ),
    "a missing matrix": Case(
        replace("samples.tsv", "counts/P01_baseline.h5", "counts/P01_basline.h5"),
        "which does not exist (did you mean `P01_baseline.h5`?)",
    ),
    "one matrix for two samples": Case(
        replace("samples.tsv", "counts/P01_day_7.h5", MATRIX),
        "rows 2, 3: several samples have the same matrix `./counts/P01_baseline.h5`",
    ),
    "a missing list of barcodes": Case(
        column("samples", "barcodes", lambda row: "list.txt"),
        "row 2: `barcodes` is `list.txt`, which does not exist",
    ),
    "lists that share cells": Case(
        both(
            replace("samples.tsv", "counts/P01_day_7.h5", MATRIX),
            write("P01_baseline.txt", "AAACCTGAGAAACCAT-1\nAAACCTGAGAAACCGC-1\n"),
            write("P01_day_7.txt", "AAACCTGAGAAACCAT-1\nAAACCTGAGAAACCTA-1\n"),
            column(
                "samples",
                "barcodes",
                lambda row: f"{row['sample']}.txt" if row["patient"] == "P01" else "",
            ),
        ),
        "`P01_baseline` and `P01_day_7`: their `barcodes` overlap in",
    ),
    "a list that lists nothing": Case(
        both(write("none.txt", "\n"), column("samples", "barcodes", lambda row: "none.txt")),
        "sample `P01_baseline`: barcodes none.txt: lists no barcode",
    ),
    "contigs that do not exist": Case(
        column("samples", "contigs", lambda row: f"counts/{row['sample']}.h6"),
        "row 2: `contigs` is `counts/P01_baseline.h6`, which does not exist (did you mean "
        "`P01_baseline.h5`?)",
    ),
    "a matrix as contigs": Case(
        column("samples", "contigs", lambda row: MATRIX),
        f"sample `P01_baseline`: contigs {MATRIX}: is not UTF-8 text",
    ),
    "an empty table of contigs": Case(
        both(write("tcr.csv", ""), column("samples", "contigs", lambda row: "tcr.csv")),
        "sample `P01_baseline`: contigs tcr.csv: is empty; give Cell Ranger's",
    ),
    "clonotypes in the place of contigs": Case(
        both(
            write("tcr.csv", "clonotype_id,frequency,proportion\nclonotype1,5,0.1\n"),
            column("samples", "contigs", lambda row: "tcr.csv"),
        ),
        "sample `P01_baseline`: contigs tcr.csv: names no cells: it has neither a column",
    ),
    "contigs without UMIs": Case(
        both(
            write("tcr.tsv", "cell_id\tv_call\tj_call\tjunction\tproductive\n"),
            column("samples", "contigs", lambda row: "tcr.tsv" if row["patient"] == "P02" else ""),
        ),
        "sample `P02_baseline`: contigs tcr.tsv: lacks columns of an AIRR rearrangement table with "
        "cells: `umi_count` or `duplicate_count` or `consensus_count`",
    ),
    "contrasts of contigs": Case(
        both(
            write("tcr.csv", "barcode,chain,v_gene,j_gene,cdr3_nt,productive,umis\n"),
            column("samples", "contigs", lambda row: "tcr.csv"),
            contrast(**BASELINE, adjust=["contigs"]),
        ),
        "`adjust`: `contigs` identifies rows and is not a covariate; remove `contigs` from",
    ),
    "a compartment in capitals": Case(
        replace("samples.tsv", "blood", "Blood"), "`compartment` is `Blood` (did you mean `blood`?)"
    ),
    "a time point in capitals": Case(
        replace("samples.tsv", "\tbaseline\t", "\tBASELINE\t"),
        "row 2: `timepoint` is `BASELINE`, but `timepoints` of the config lists `baseline`",
    ),
    "a channel that names no file": Case(
        column("samples", "channel", lambda row: "lane 1"),
        "channel `lane 1` cannot be used in file names",
    ),
    "two doublet rates in one channel": Case(
        both(
            column("samples", "channel", lambda row: row["patient"]),
            column(
                "samples",
                "doublet_rate",
                lambda row: "0.02" if row["timepoint"] == "baseline" else "0.04",
            ),
        ),
        "differ in `doublet_rate`: 0.02 (row 2), 0.04 (row 3)",
    ),
    "a doublet rate in percent": Case(
        column("samples", "doublet_rate", lambda row: "8"),
        "row 2: `doublet_rate` is `8`; it must be at most 0.4",
    ),
    "a doublet rate in words": Case(
        column("samples", "doublet_rate", lambda row: "high"),
        "row 2: `doublet_rate` is `high`; it must be a number",
    ),
    "fewer cells expected than there are": Case(
        both(
            column("samples", "expected_cells", lambda row: "20"),
            config(doublets={"min_cells": 20}),
        ),
        "`expected_cells` of the sample sheet is 20, but",
        target="results/doublets/P01_baseline.parquet",
        fine=True,
    ),
    "the response in the sample sheet": Case(
        both(
            replace("patients.tsv", "response", "outcome"),
            column("samples", "response", lambda row: "CR"),
        ),
        "samples.tsv: column `response` holds the response, which belongs to the patient",
    ),
    "no patient sheet": Case(remove("patients.tsv"), "patients.tsv: no such file"),
    "a patient twice with two responses": Case(
        append("patients.tsv", "P01\tPD\taxi-cel\tfemale\t54\t375\n"),
        "rows 2, 8: patient `P01` appears 2 times, with response CR and PD",
    ),
    "no column of patients": Case(
        replace("patients.tsv", "patient\t", "patients\t"), "no column `patient` (did you mean"
    ),
    "a response in small letters": Case(
        replace("patients.tsv", "\tCR\t", "\tcr\t"),
        "patients.tsv: row 2: `response` is `cr`, but `response` of the config lists `CR`",
    ),
    "a response column in capitals": Case(
        replace("patients.tsv", "response", "Response"), "no column `response` (did you mean `Resp"
    ),
    "responses that the config does not know": Case(
        config(response={"responder": ["R"], "non_responder": ["NR"]}),
        "no value of `response` (CR, PD",
    ),
    "a typing error in a number": Case(
        column("patients", "age", lambda row: "6o" if row["patient"] == "P02" else "60"),
        "patients.tsv: row 3: `age` is `6o`; it must be a number",
    ),
    "an age of 200": Case(
        column("patients", "age", lambda row: 200), "row 2: `age` is `200`; it must be at most 120"
    ),
    "an event that is no 0 or 1": Case(
        column("patients", "os_event", lambda row: "dead"), "`os_event` is `dead`; allowed: 0, 1"
    ),
    "a column in both sheets": Case(
        column("patients", "day", lambda row: 1), "column `day` is also in samples.tsv"
    ),
    "a column of the workflow's name": Case(
        column("patients", "phase", lambda row: "x"),
        "column name `phase` is reserved for the workflow",
    ),
    "levels that differ in capitals": Case(
        both(
            column("patients", "sex", lambda row: "f" if row["patient"] == "P01" else "F"),
            config(contrasts={"baseline": {**BASELINE, "adjust": ["sex"]}}),
        ),
        "patients.tsv: `sex` has levels that differ only in capitals or spaces: `F` (rows 3, 4",
    ),
    "compartments that differ in capitals": Case(
        column("samples", "compartment", lambda row: "CSF" if row["patient"] == "P01" else "csf"),
        "samples.tsv: `compartment` has levels that differ only in capitals or spaces: `CSF` (rows",
    ),
    "a sort of unknown meaning": Case(
        column("samples", "sort", lambda row: "gate7" if row["patient"] == "P01" else "none"),
        "samples.tsv: samples P01_baseline, P01_day_7: column `sort`: it is not known which cells",
    ),
    "nothing but sorted libraries": Case(
        column("samples", "sort", lambda row: "CD3+"),
        "no default contrast is possible: all 12 samples are sorted libraries (`sort`: CD3+); name",
    ),
    "nothing but responders": Case(
        column("patients", "response", lambda row: "CR"),
        "no phase has patients of both arms (blood, pre: 6 responders and 0 non-responders;",
    ),
    "one sample": Case(
        both(first_rows("samples.tsv"), first_rows("patients.tsv")),
        "or write `contrasts: {}` to run without any comparison",
    ),
    "unsorted libraries": Case(
        column("samples", "sort", lambda row: "NoSo"),
        "baseline (primary): Tested, but with 3 non-responders against 3 responders",
        arguments=("--dry-run", "--quiet", "rules"),
        fine=True,
    ),
    "codes and words for missing values": Case(
        column("patients", "ldh", lambda row: -999 if row["patient"] == "P01" else "unknown"),
        "Note: patients.tsv: `ldh`: `-999` (row 2), `unknown` (rows 3, 4, 5, 6, 7) read as",
        arguments=("--dry-run", "--quiet", "rules"),
        fine=True,
    ),
    "codes of a site": Case(
        column("patients", "site", lambda row: 1 + int(row["patient"][1:]) % 3),
        "Note: site (1, 2, 3) is treated as a number: one trend over its values.",
        arguments=("--dry-run", "--quiet", "rules"),
        fine=True,
    ),
    "a patient without a sample": Case(
        append("patients.tsv", "P99\tPD\taxi-cel\tmale\t54\t375\n"),
        "Note: patients.tsv: patients without a sample, not used: P99",
        target="results/config.yaml",
        fine=True,
    ),
    "a time point of neither phase": Case(
        replace("samples.tsv", "\tday_7\t", "\tmonth_6\t"),
        "Note: time points neither before nor after infusion: month_6",
        target="results/config.yaml",
        fine=True,
    ),
    "a response of neither arm": Case(
        replace("patients.tsv", "\tCR\t", "\tNE\t"),
        "Note: patients whose response is in neither arm: NE (1)",
        target="results/config.yaml",
        fine=True,
    ),
}

CONFIGS = {
    "an endpoint of a column that is not there": Case(
        config(survival={"endpoints": {"relapse": {"time": "pfs_day", "event": "pfs_event"}}}),
        "`survival.endpoints.relapse.time` is `pfs_day`, which is not a column of patients.tsv "
        "(did you mean `pfs_days`?)",
    ),
    "an endpoint without its event": Case(
        config(survival={"endpoints": {"relapse": {"time": "pfs_days"}}}),
        "`survival.endpoints.relapse.event` is missing; add it",
    ),
    "survival adjusted for the response": Case(
        config(survival={"adjust": ["response_label"]}),
        "`survival.adjust` names `response_label`, which is no covariate but follow-up, the",
    ),
    "covariates of too few events": Case(
        config(survival={"adjust": ["age", "ldh"]}),
        "events, and a model with age, ldh needs about 24; only the model without covariates can",
        target="results/config.yaml",
        fine=True,
    ),
    "tabs in the config": Case(
        write("config.yaml", "qc:\n\tmin_genes: 3\n"), "not valid JSON or", by_snakemake=True
    ),
    "an empty config": Case(write("config.yaml", ""), "keys at top level"),
    "an unknown section": Case(
        config(quality={}), "`quality` is not a key; keys here: samples, patients"
    ),
    "an unknown key": Case(
        config(qc={"min_count": 3}), "`qc.min_count` is not a key (did you mean `min_counts`?)"
    ),
    "a digit edited in a definition": Case(
        first_cohort(replace(FIRST, "ci_low: 0.31", "ci_low: 0.41")),
        "first/definition.yaml: `estimate.ci_low` was edited (it is 0.41",
    ),
    "arms exchanged against a definition": Case(
        first_cohort(config(response={"responder": ["SD", "PD"], "non_responder": ["CR", "PR"]})),
        "`response.responder`: the arms are exchanged against first/definition.yaml",
    ),
    "a definition without a difference": Case(
        first_cohort(ci_low=-0.2), "first estimate (-0.20 to 1.69) includes 0, so there is no"
    ),
    "words for a number": Case(config(seed="one"), "`seed` is `one`; it must be a whole number"),
    "a number out of range": Case(
        config(qc={"max_pct_mt": 150}), "`qc.max_pct_mt` is `150`; it must be at most 100"
    ),
    "an unknown method": Case(
        config(integration={"method": "harmny"}),
        "`integration.method` is `harmny` (did you mean `harmony`?); allowed: harmony, scvi, none",
    ),
    "a section that is a number": Case(config(qc=5), "`qc` is `5`; it must be a section of keys"),
    "a key twice": Case(
        append("config.yaml", "\nresponse:\n  column: response\n"),
        "`response` appears twice; YAML keeps only the last one",
    ),
    "a pattern that is none": Case(
        config(car={"features": "(CAR"}),
        "`car.features` is `(CAR`, which is not a regular expression",
    ),
    "NO, which YAML reads as false": Case(
        config(response={"responder": ["CR"], "non_responder": [False]}),
        "is `false`; it must be text or a number (YAML reads yes, no",
    ),
    "a label in both arms": Case(
        config(response={"responder": ["CR", "PR"], "non_responder": ["PD", "CR"]}),
        "`CR` is in both `response.responder` and `response.non_responder`; keep it in one",
    ),
    "a missing marker panel": Case(
        config(annotation={"panel": "my_panel.yaml"}),
        "`annotation.panel` is `my_panel.yaml`, which does not exist",
    ),
    "a gene-set file that is not there": Case(
        config(expression={"gene_sets": ["my_sets.gmt"]}),
        "`expression.gene_sets` names `my_sets.gmt`, which does not exist",
    ),
    "a gene-set file that is none": Case(
        config(expression={"gene_sets": ["config.yaml"]}), "config.yaml: row 1: "
    ),
    "a file of programmes that is not there": Case(
        config(annotation={"states": ["my_states.gmt"]}),
        "`annotation.states` names `my_states.gmt`, which does not exist",
    ),
    "a table of pairs that is not there": Case(
        config(axis={"pairs": ["my_pairs.tsv"]}),
        "`axis.pairs` names `my_pairs.tsv`, which does not exist",
    ),
    "a table of pairs with a synthase of all cells": Case(
        both(
            write("my_pairs.tsv", PAIRS_HEAD + "mine\tPTGES3\tPTGER4\tmyeloid\tT\n"),
            config(axis={"pairs": ["my_pairs.tsv"]}),
        ),
        "my_pairs.tsv: row 2: pair `mine`: nearly all cells express PTGES2 and PTGES3",
    ),
    "a pair in both directions": Case(
        both(
            write(
                "my_pairs.tsv",
                PAIRS_HEAD + "a\tCD47\tSIRPA\tT\tmyeloid\nb\tSIRPA\tCD47\tmyeloid\tT\n",
            ),
            config(axis={"pairs": ["my_pairs.tsv"]}),
        ),
        "row 3: `b`, in the other direction, is the pair `a`",
    ),
    "a primary pair that is no pair": Case(
        config(axis={"primary": {"pair": "PGE"}}),
        "`axis.primary.pair` is `PGE`, which no table of `axis.pairs` has (did you mean `PGE2`?)",
    ),
    "a primary pair of no group": Case(
        config(axis={"primary": {"receiver": "CD8_T"}}),
        "`axis.primary.receiver` is `CD8_T`, which is not a group of `axis.T`",
    ),
    "a file of T-cell programs that is not there": Case(
        config(axis={"states": ["my_states.gmt"]}),
        "`axis.states` names `my_states.gmt`, which does not exist",
    ),
    "a state of T cells without a program": Case(
        config(axis={"leading": {"memory": "T_memori", "exhausted": "T_exhaustion_terminal"}}),
        "`axis.leading.memory` is `T_memori`, which is no gene program of `axis.states` (did you "
        "mean `T_memory`?); programs: T_naive, T_memory,",
    ),
    "one state of T cells alone": Case(
        config(axis={"leading": {"memory": "T_memory"}}),
        "`axis.leading` has under two states; name two or more",
    ),
    "a misspelled choice of the multiverse": Case(
        config(multiverse={"resolutoin": [0.5]}),
        "`multiverse.resolutoin` is not a key (did you mean `resolution`?)",
    ),
    "a misspelled value of the multiverse": Case(
        config(multiverse={"integration": ["harmny"]}),
        "`multiverse.integration.0` is `harmny` (did you mean `harmony`?)",
    ),
    "a misspelled covariate of the multiverse": Case(
        config(multiverse={"adjust": [["prodct"]]}),
        "`multiverse.adjust` names `prodct`, which is not a column of either sheet (did you mean "
        "`product`?)",
    ),
    "the response as a covariate of the multiverse": Case(
        config(multiverse={"adjust": [["response"]]}),
        "`multiverse.adjust` names `response`, which is what the primary contrast compares",
    ),
    "too many folders of the multiverse": Case(
        config(multiverse={"resolution": [0.5, 2, 3], "n_neighbors": [10, 30], "max_folders": 8}),
        "`multiverse.max_folders` is 8, but the listed choices make 11 folders of other cells and "
        "calls; shorten a list, or set `multiverse.crossing: single` to change one choice at a "
        "time, or raise `multiverse.max_folders`",
    ),
    "a multiverse of the run's own settings alone": Case(
        config(multiverse={"resolution": [1]}),
        "`multiverse` lists only the run's own settings, so there is nothing to compare",
    ),
    "an empty set of quality limits": Case(
        config(multiverse={"qc": {"strict": {}}}),
        "`multiverse.qc.strict` has no threshold; give at least one key of `qc`",
    ),
    "a signature that is not there": Case(
        config(lamm={"state_genes": "mine.gmt"}),
        "`lamm.state_genes` is `mine.gmt`, which does not exist",
    ),
    "a signature of three sets": Case(
        signature("X_UP a b c d e", "X_DN f g h i j", "Y k l m n o"),
        "mine.gmt: has 3 gene sets (X_UP, X_DN, Y); a signature is one set, or two whose names",
    ),
    "a signature without an up set": Case(
        signature("X_DN a b c d e"), "mine.gmt: `X_DN`: no up set; let the name of the genes"
    ),
    "a signature with an empty set": Case(
        signature("X_UP", "X_DN a b c d e"), "mine.gmt: row 1: set `X_UP` has no genes; add symbols"
    ),
    "a signature of two genes": Case(
        signature("X_UP a b"), "mine.gmt: set `X_UP` has 2 genes (a, b); give at least 5"
    ),
    "a signature with a gene on both sides": Case(
        signature("X_UP a b c d e", "X_DN f g h a i"),
        "mine.gmt: a in both `X_UP` and `X_DN`; keep a gene in one",
    ),
    "a signature of genes that the matrices lack": Case(
        signature("X_UP Cd14 Csf1r Cd68 Apoe C1qa C1qb"),
        "set `X_UP` has 6 genes (Cd14, Csf1r, Cd68, Apoe, C1qa and 1 more); fewer than 5 of them "
        "are in the matrix of ",
        PANEL_RESULT,
    ),
    "a misspelt definer": Case(
        config(lamm={"definers": ["CSFR1", "CD14", "CD68"]}),
        "lamm.definers: CSFR1 is not a gene of any sample (similar names: CSF1R",
        GENES_RESULT,
    ),
    "a CellTypist model that is not there": Case(
        config(annotation={"celltypist_model": "Immune_All_Low.pkl"}),
        "`annotation.celltypist_model` is `Immune_All_Low.pkl`, which does not exist",
    ),
    "a share of ambient RNA in percent": Case(
        config(expression={"max_ambient_share": 25}),
        "`expression.max_ambient_share` is `25`; it must be at most 1",
    ),
    "an unknown engine": Case(
        config(expression={"engine": "deseq2"}),
        "`expression.engine` is `deseq2` (did you mean `pydeseq2`?)",
    ),
    "an unknown batch": Case(
        config(integration={"batch": "chanel"}),
        "is `chanel`, which is not a column of either sheet (did you mean `channel`?); columns: ",
    ),
    "an unknown covariate of scVI": Case(
        config(integration={"scvi": {"covariates": ["chanel"]}}),
        "`integration.scvi.covariates` names `chanel`, which is not a column of either sheet (did",
    ),
    "a seed that is too large": Case(
        config(seed=2**31), "`seed` is `2147483648`; it must be at most 2147483647"
    ),
    "a correction for the response": Case(
        config(integration={"batch": "response"}),
        "`integration.batch` is `response`, but correcting for the response would remove the",
    ),
    "a covariate of scVI that is the response": Case(
        config(integration={"scvi": {"covariates": ["response_label"]}}),
        "`integration.scvi.covariates` names `response_label`, but correcting for the response",
    ),
    "a covariate of scVI with gaps": Case(
        both(
            column("samples", "kit", lambda row: "" if row["patient"] == "P01" else "v3"),
            config(integration={"scvi": {"covariates": ["kit"]}}),
        ),
        "`integration.scvi.covariates` names `kit`, which is empty for P01_baseline, P01_day_7;",
    ),
    "a batch with gaps": Case(
        both(
            column("samples", "run", lambda row: "" if row["patient"] == "P01" else "r1"),
            config(integration={"batch": "run"}),
        ),
        "`integration.batch` is `run`, which is empty for P01_baseline, P01_day_7; fill it in",
    ),
    "a primary contrast that is none": Case(
        config(contrasts={"arms": BASELINE}),
        "`primary.contrast` is `baseline`, which is not a contrast; contrasts: arms",
    ),
    "a misspelt primary of the default contrasts": Case(
        config(primary={"contrast": "base_line"}),
        "`primary.contrast` is `base_line`, which is not a contrast (did you mean `baseline`?)",
    ),
    "none for no contrasts": Case(
        config(contrasts="none"), "`contrasts` is `none`; it must be `default` or a section of keys"
    ),
    "a category that is none": Case(
        config(categories=["sexx"]),
        "`categories` names `sexx`, which is not a column of either sheet (did you mean `sex`?)",
    ),
    "a number as a category": Case(
        config(categories=["age"]), "`categories` names `age`, which is a number by its definition"
    ),
    "a contrast that names no file": Case(
        config(contrasts={"a/b": BASELINE}), "`contrasts.a/b` cannot be used in file names"
    ),
    "a contrast by a name that is taken": Case(
        config(contrasts={"counts": BASELINE}), "contrast `counts`: this name is reserved for"
    ),
    "an unknown kind": Case(
        contrast(**{**BASELINE, "kind": "unpaired"}),
        "`contrasts.question.kind` is `unpaired` (did you mean `paired`?); allowed: between",
    ),
    "a contrast without a test": Case(
        contrast(kind="between", reference="responder"), "`contrasts.question.test` is missing"
    ),
    "an unknown column": Case(
        contrast(kind="between", column="arn", test="a", reference="b"),
        "contrast `question`: `column`: no column `arn` in either sheet",
    ),
    "an unknown value": Case(
        contrast(**{**BASELINE, "test": "non_responders"}),
        "no value `non_responders` (did you mean `non_responder`?)",
    ),
    "raw labels of the response": Case(
        contrast(kind="paired", test="post", reference="pre", where={"response": "CR"}),
        "`response_label`",
    ),
    "a where that no sample meets": Case(
        contrast(**ARMS, where={"phase": "pre", "timepoint": "day_7"}), "no sample meets"
    ),
    "an unknown covariate": Case(
        contrast(**BASELINE, adjust=["prodct"]), "no column `prodct` in either sheet (did you mean"
    ),
    "a covariate of a pair": Case(contrast(**PAIRED, adjust=["age"]), "remove `adjust`"),
    "the sample as covariate": Case(contrast(**BASELINE, adjust=["sample"]), "`sample`"),
    "a covariate that no sample has": Case(
        both(
            column("patients", "site", lambda row: ""),
            contrast(**BASELINE, adjust=["site"]),
        ),
        "`site`",
    ),
    "a covariate with a typing error": Case(
        both(
            column("patients", "tumour_ml", lambda row: "12o" if row["patient"] == "P01" else 120),
            contrast(**BASELINE, adjust=["tumour_ml"]),
        ),
        "`12o`",
    ),
    "an arm against itself": Case(
        contrast(**{**BASELINE, "test": "responder"}), "test and reference are both `responder`"
    ),
    "a trend without a column": Case(
        contrast(kind="trend", log=True), "`contrasts.question.column` is missing"
    ),
    "a trend between arms": Case(
        contrast(kind="trend", column="ldh", test="high"), "not of `kind: trend`; remove it"
    ),
    "an order of arms": Case(
        contrast(**BASELINE, order=["PD", "CR"]),
        "`order` is a key of `kind: trend`, not of `kind: between`",
    ),
    "a trend over text": Case(
        contrast(kind="trend", column="response_label", where={"phase": "pre"}),
        "`response_label` is text (CR, PD, PR, SD); list its values from first to last in `order`",
    ),
    "a trend over the arms": Case(
        contrast(kind="trend", column="response", order=["PD", "SD", "PR", "CR"]),
        "the labels of the sheet (CR, PD, PR, SD) are in `response_label`",
    ),
    "a response that is not in the order": Case(
        contrast(
            kind="trend",
            column="response_label",
            order=["PD", "SD", "CR"],
            where={"phase": "pre"},
        ),
        "`response_label` has values that are not in `order` (PD, SD, CR): `PR` of patient P05",
    ),
    "an order of two values": Case(
        contrast(kind="trend", column="response_label", order=["PD", "CR"]),
        "`order` has 2 values and needs at least 3; for two groups use `kind: between`",
    ),
    "a trend over numbers with a typing error": Case(
        both(
            column("patients", "tumour_ml", lambda row: "12o" if row["patient"] == "P01" else 120),
            contrast(kind="trend", column="tumour_ml", where={"phase": "pre"}),
        ),
        "`tumour_ml` has values that are no numbers: `12o` of patient P01",
    ),
    "the logarithm of zero": Case(
        both(
            column("patients", "tumour_ml", lambda row: 0 if row["patient"] == "P02" else 120),
            contrast(kind="trend", column="tumour_ml", log=True, where={"phase": "pre"}),
        ),
        "`log: true` needs numbers above 0, but there is `0` of patient P02; correct the value",
    ),
    "a patient with several values of a trend": Case(
        both(
            column("samples", "crp", lambda row: 5 if is_early(row) else 60),
            contrast(kind="trend", column="crp"),
        ),
        "patient P01 has several values of `crp` (P01_baseline: 5, P01_day_7: 60), and a trend",
    ),
    "a covariate that determines the value of a trend": Case(
        both(
            column("patients", "site", lambda row: f"site_{row['response']}"),
            contrast(
                kind="trend",
                column="response_label",
                order=["PD", "SD", "PR", "CR"],
                where={"phase": "pre"},
                adjust=["site"],
            ),
        ),
        "the trend from PD to CR cannot be separated from the effect of site",
    ),
    "first without days": Case(
        both(replace("samples.tsv", "\tday\n", "\tdays\n"), contrast(**ARMS, choose="first")),
        "`choose: first` needs a numeric column `day`",
    ),
    "an unknown time point to choose": Case(
        contrast(**ARMS, choose="day_8"), "no time point `day_8` (did you mean `day_7`?)"
    ),
    "several samples of a patient": Case(
        contrast(**ARMS),
        "have several samples that are not replicates: P01: P01_baseline (baseline), P01_day_7",
    ),
    "an infusion product against blood": Case(
        both(
            column(
                "samples",
                "compartment",
                lambda row: "product" if row["patient"] == "P01" else "blood",
            ),
            contrast(**BASELINE),
        ),
        "it mixes the compartments blood, product; infusion products are never compared",
    ),
    "a patient in both arms": Case(
        contrast(kind="between", column="timepoint", test="day_7", reference="baseline"),
        "samples in both arms of `timepoint`; use `kind: paired`",
    ),
    "an unknown sort": Case(
        both(
            column("samples", "sort", lambda row: "none" if is_early(row) else "gate7"),
            contrast(kind="paired", column="sort", test="none", reference="gate7", match=[]),
        ),
        "not known which cells `gate7` keeps; list them in the config, e.g. `sorts: {gate7: [T]}`",
    ),
    "a lineage that is none": Case(
        config(sorts={"CD3": ["Tcells"]}), "`Tcells`, which is not a lineage"
    ),
    "a denominator that the sort removed": Case(
        both(
            column("samples", "sort", lambda row: "none" if is_early(row) else "CD3+"),
            contrast(kind="paired", column="sort", test="none", reference="CD3+", match=[]),
            config(primary={"contrast": "question", "denominator": "monocytic"}),
        ),
        "sorting (CD3+) removed the monocytic cells, which are the denominator of the primary",
    ),
    "a site that is the response": Case(
        both(
            column("patients", "site", lambda row: "north" if is_responder(row) else "south"),
            config(contrasts={"baseline": {**BASELINE, "adjust": ["site"]}}),
        ),
        "cannot be separated from the effect of site",
    ),
    "a batch that is the response": Case(
        both(
            column("patients", "run", lambda row: "a" if is_responder(row) else "b"),
            config(contrasts={"baseline": {**BASELINE, "adjust": ["run"]}}),
        ),
        "cannot be separated from the effect of run",
    ),
    "the results of another cohort": Case(
        results_of("Q1_baseline", "Q1_day_7"),
        "old: holds the results of another cohort: none of its samples (Q1_baseline, Q1_day_7) is",
    ),
    "the first results of another cohort": Case(
        results_of(**{"design/samples.tsv": "", "shards/Q1.h5ad": ""}),
        "none of its samples (Q1) is in samples.tsv; give this cohort a folder of its own, e.g.",
    ),
    "results of a former sample": Case(
        results_of("P01_baseline", "P9", **{"shards/P9.h5ad": "", "qc/P9.parquet": ""}),
        "Note: old: holds files of samples that are not in the sample sheet: P9 (2 files); they",
        target="old/config.yaml",
        fine=True,
    ),
    "results of a former contrast": Case(
        results_of("P01_baseline", **{"abundance/late.tsv": ""}),
        "contrasts that are not in the config: late (1 file); they are not updated, so remove them",
        target="old/config.yaml",
        fine=True,
    ),
    "a product without and with its name": Case(
        both(
            column(
                "samples",
                "compartment",
                lambda row: "product" if row["patient"] == "P01" else "",
            ),
            contrast(**BASELINE),
        ),
        "it mixes the compartments product, unstated; infusion products are never compared",
    ),
    "compartments that nobody stated": Case(
        column("samples", "compartment", lambda row: "blood" if row["patient"] == "P01" else ""),
        "`compartment` is empty for P02_baseline, P02_day_7, P03_baseline, P03_day_7, P04_baseline "
        "and 5 more; they are compared with each other, not with the other samples",
        target="results/config.yaml",
        fine=True,
    ),
    "no day to choose the first": Case(
        both(
            column("samples", "day", lambda row: ""),
            contrast(**ARMS, choose="first"),
        ),
        "`choose: first` needs `day`, which is empty for P01_baseline, P01_day_7, P02_baseline,",
    ),
    "a mistake on the command line": Case(
        lambda folder: None,
        "config: `seed` is `x`; it must be a whole number",
        arguments=("--config", "seed=x"),
    ),
}


CELLS = "results/joint/cells.parquet"
DAY_7 = "counts/P01_day_7.h5"
OTHER_PATIENT = "counts/P02_baseline.h5"


def other_format(
    make: Callable[[Shard, Path], object],
    name: str,
    change: Callable[[Shard], Shard] = lambda shard: shard,
) -> Spoil:
    """Write the counts of the first sample in another format, as those of its second sample."""

    def spoil(folder: Path) -> None:
        make(change(read_matrix(folder / MATRIX)), folder / name)
        replace("samples.tsv", DAY_7, name)(folder)

    return spoil


def unreadable(folder: Path) -> None:
    """Make a matrix that belongs to another user and is not readable."""
    path = folder / MATRIX
    path.chmod(0o600 if os.geteuid() == 0 else 0)
    if os.geteuid() == 0:
        os.chown(path, 54321, 54321)


def two_in_one_folder(folder: Path) -> Path:
    """Make a folder of two samples, as downloaded."""
    folder.mkdir()
    for name in ("A", "B"):
        one = write_folder(SHARD, folder / name, version=3)
        for path in one.iterdir():
            path.rename(folder / f"{name}_{path.name}")
        one.rmdir()
    return folder


def no_features(folder: Path) -> Path:
    """Make a 10x folder without its list of genes."""
    (write_folder(SHARD, folder, version=3) / "features.tsv.gz").unlink()
    return folder


def edited(path: Path, name: str, old: str, new: str, *, version: int = 2) -> Path:
    """Make a 10x folder with a text replaced in one of its files."""
    file = write_folder(SHARD, path, version=version) / name
    file.write_text(file.read_text().replace(old, new, 1))
    return path


def not_gzipped(folder: Path) -> Path:
    """Make a file of another compression with the name of a gzipped one."""
    path = write_folder(SHARD, folder, version=2)
    packed = lzma.compress((path / "genes.tsv").read_bytes())
    (path / "genes.tsv").unlink()
    (path / "genes.tsv.gz").write_bytes(packed)
    return path


def r_object(name: str) -> Callable[[Path], object]:
    """Return a function that puts a file that R wrote in place."""
    return lambda path: shutil.copy(R_OBJECTS / f"{name}.rds", path)


def dense_mtx(folder: Path) -> Path:
    """Make a 10x folder with a dense matrix, most of which is lost."""
    path = write_folder(SHARD, folder, version=2)
    mmwrite(path / "matrix.mtx", SHARD.counts.toarray().T)
    text = (path / "matrix.mtx").read_text()
    (path / "matrix.mtx").write_text(text[:5000])
    return path


def archive(path: Path) -> Path:
    """Make an archive of a 10x folder."""
    folder = write_folder(SHARD, path.with_name("packed"), version=3)
    with tarfile.open(path, "w") as handle:
        handle.add(folder)
    return path


def text_value(path: Path) -> Path:
    """Make a table of counts with a word in it."""
    write_dense(SHARD, path)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + ",many"
    path.write_text("\n".join(lines))
    return path


def with_parts(path: Path) -> Path:
    """Make an AnnData file as for RNA velocity: parts of the molecules, and no whole."""
    write_h5ad(LOGARITHMS, path)
    data = anndata.read_h5ad(path)
    for name in ("spliced", "unspliced"):
        data.layers[name] = SHARD.counts.copy()
    data.write_h5ad(path)
    return path


def of_first(name: str, value: str) -> Spoil:
    """Add a column to the sample sheet with a value for the first sample."""
    return column("samples", name, lambda row: value if row["sample"] == "P01_baseline" else "")


def named(path: Path, *, n_others: int = 0, **names: list[str]) -> Path:
    """Make a 10x folder with other ids or symbols, the first `n_others` of them with 9000 UMIs."""
    genes = SHARD.genes.assign(**names)
    counts = SHARD.counts.toarray()
    counts[:, :n_others] = 9000
    return write_folder(Shard(csr_array(counts), SHARD.barcodes, genes), path, version=2)


def first_named(path: Path, names: list[str]) -> Path:
    """Make a table of counts, genes in rows, in which the first rows have other names."""
    genes = SHARD.genes.assign(gene=[*names, *KNOWN_GENES, *SHARD.genes["symbol"]][:400])
    return write_dense(Shard(SHARD.counts, SHARD.barcodes, genes), path)


def with_columns(path: Path, columns: dict[str, int | float | str]) -> Path:
    """Make a table of counts, cells in rows, with columns of other kinds before the genes."""
    genes = [*KNOWN_GENES, *SHARD.genes["symbol"][len(KNOWN_GENES) :]]
    table = pd.DataFrame(SHARD.counts.toarray(), columns=genes, index=SHARD.barcodes)
    for name, value in reversed(columns.items()):
        table.insert(0, name, value)
    table.to_csv(path)
    return path


def positions(path: Path) -> Path:
    """Make a table of featureCounts."""
    table = pd.DataFrame(SHARD.counts.toarray().T, columns=SHARD.barcodes)
    for name, value in (("Length", 900), ("Strand", "+"), ("End", 900), ("Start", 1), ("Chr", "1")):
        table.insert(0, name, value)
    table.insert(0, "Geneid", SHARD.genes["gene"])
    path.write_text("# Program:featureCounts v2.0.1\n" + table.to_csv(sep="\t", index=False))
    return path


def without_markers(path: Path) -> Path:
    """Make a matrix of the first sample with 500 of its genes, not the markers."""
    whole = read_matrix(path.with_name("P01_baseline.h5"))
    panel = {*panel_symbols(load_panel(find_resource(PANEL))), "CSF1R"}
    kept = np.flatnonzero(~whole.genes["symbol"].isin(panel))[:500]
    genes = whole.genes.iloc[kept].reset_index(drop=True)
    return write_tenx_v3(Shard(whole.counts[:, kept], whole.barcodes, genes), path)


MATRICES = {
    "half a download": Case(cut(MATRIX), "counts counts/P01_baseline.h5: "),
    "an empty file": Case(write(MATRIX, b""), "P01_baseline.h5: the file is empty (0 bytes)"),
    "a web page saved as h5": Case(
        write(MATRIX, "<!DOCTYPE html><html><body>404</body></html>"), "a web page, not a count"
    ),
    "an empty folder": Case(make_folder(MATRIX), "the folder has no matrix.mtx or other count"),
    "a file of another user": Case(
        unreadable, "counts counts/P01_baseline.h5: ", unprivileged=True
    ),
    "HDF5 of another kind": Case(
        matrix(lambda group: group.file.move("matrix", "model_weights")),
        "HDF5, but not a count matrix (it holds model_weights)",
    ),
    "a molecule_info.h5": Case(
        matrix(
            lambda group: (
                [
                    group.file.create_dataset(name, data=np.arange(3))
                    for name in ("barcode_idx", "umi", "feature_idx")
                ]
                and group.file.__delitem__("matrix")
            )
        ),
        "a molecule_info.h5, which lists molecules",
    ),
    "an R workspace": Case(
        instead(lambda path: path.write_bytes(b"RDX3\nX\n\0\0\0\3") and path, ".RData"),
        "an R workspace (.RData), not a count matrix: in R, load it, and save the object with the",
    ),
    "an R object cut short": Case(
        instead(lambda path: path.write_bytes(b"X\n\0\0\0\3") and path, ".rds"),
        "the R object ends early: the file is damaged or incomplete",
    ),
    "an R object of another class": Case(
        instead(r_object("data_frame"), ".rds"),
        "holds no Seurat or SingleCellExperiment object but a list or data frame: in R, take the",
    ),
    "an old Seurat object": Case(
        instead(r_object("seurat2"), ".rds"),
        "a Seurat object of version 2: in R, x <- Seurat::UpdateSeuratObject(x), and save it again",
    ),
    "an R object of logarithms": Case(
        instead(r_object("sce_logs"), ".rds"),
        "no integer counts in layers.logcounts (normalized?); give the raw UMI counts",
        SHARD_RESULT,
    ),
    "a Seurat object without RNA": Case(
        instead(r_object("seurat_no_rna"), ".rds"),
        "a Seurat object without an assay RNA (its assays: ADT, SPLICED); in R, give the raw",
        SHARD_RESULT,
    ),
    "a loom file of logarithms": Case(
        instead(lambda path: write_loom(LOGARITHMS, path), ".loom"),
        "no integer counts in layers.matrix (normalized?); give the raw UMI counts",
    ),
    "a loom file without names of cells": Case(
        instead(lambda path: write_loom(SHARD, path, cells="n"), ".loom"),
        "col_attrs has no names (it has n, total); save them there as CellID or obs_names",
    ),
    "half a zipped store": Case(
        instead(lambda path: path.write_bytes(b"PK\x03\x04" + b"x" * 99) and path, ".zarr.zip"),
        "zarr cannot read it (File is not a zip file): the file is damaged or incomplete",
    ),
    "a dense mtx cut short": Case(
        instead(dense_mtx, ""), "is truncated (its header states 48000 entries)"
    ),
    "a packed folder": Case(instead(archive, ".tar"), "a tar archive, not a count matrix: unpack"),
    "a workbook of counts": Case(
        instead(lambda path: path.write_bytes(b"PK\x03\x04") and path, ".xlsx"), "Excel workbook"
    ),
    "several samples in a folder": Case(
        instead(two_in_one_folder, ""), "the folder has several matrices"
    ),
    "a folder without genes": Case(instead(no_features, ""), "features"),
    "an mtx with another header": Case(
        instead(lambda path: edited(path, "matrix.mtx", "%%MatrixMarket", "%Matrix"), ""),
        "MatrixMarket",
    ),
    "a gz that is none": Case(
        instead(not_gzipped, ""), "genes.tsv.gz ends in .gz but is not compressed, nor text"
    ),
    "two genomes and no choice": Case(
        instead(lambda path: write_tenx_v2(SHARD, path, ("hg19", "mm10")), ".h5"),
        "several genomes (hg19, mm10); write one of them into the column `genome`",
    ),
    "logarithms": Case(
        matrix(lambda g: dataset(g, "data", np.log1p(g["data"][:].astype(float)))),
        "values are not counts",
        SHARD_RESULT,
    ),
    "negative values": Case(
        matrix(lambda g: dataset(g, "data", -g["data"][:].astype(int))),
        "values are not counts, e.g. -",
        SHARD_RESULT,
    ),
    "missing values": Case(
        matrix(lambda g: dataset(g, "data", np.where(g["data"][:] > 3, np.nan, 1.0))),
        "values are not counts, e.g. nan",
        SHARD_RESULT,
    ),
    "barcodes twice": Case(
        matrix(lambda g: dataset(g, "barcodes", np.repeat(b"AAAC-1", len(g["barcodes"])))),
        "barcode AAAC-1 occurs twice; give one matrix per sample",
        SHARD_RESULT,
    ),
    "a gene out of range": Case(
        matrix(lambda g: dataset(g, "indices", g["indices"][:].astype(int) + 10**6)),
        "P01_baseline.h5: ",
        SHARD_RESULT,
    ),
    "no cells": Case(
        instead(lambda path: write_tenx_v3(small_shard(0, 50), path), ".h5"),
        "counts counts/other.h5: the matrix has 0 cells",
    ),
    "barcodes of another run": Case(
        instead(lambda path: edited(path, "barcodes.tsv", "-1\n", "-1\nAAACCTGAGAAACCAT-1\n"), ""),
        "do the files belong to one run?",
        SHARD_RESULT,
    ),
    "an mtx cut short": Case(
        both(
            instead(lambda path: write_folder(SHARD, path, version=2), ""),
            cut("counts/other/matrix.mtx"),
        ),
        "matrix.mtx",
    ),
    "an h5ad without counts": Case(
        instead(lambda path: write_h5ad(LOGARITHMS, path), ".h5ad"),
        "no integer counts in X",
    ),
    "parts of the molecules": Case(
        instead(with_parts, ".h5ad"),
        "holds counts of parts of the molecules only (spliced, unspliced), and no matrix of all; "
        "write what to read into the column `layer`",
    ),
    "a misspelt layer": Case(
        both(instead(with_parts, ".h5ad"), of_first("layer", "spliced+unsplised")),
        "has no layer `unsplised` (did you mean `unspliced`?); its matrices: X, spliced, unspliced",
    ),
    "a layer of logarithms": Case(
        both(instead(with_parts, ".h5ad"), of_first("layer", "X")),
        "no integer counts in X; name another matrix in `layer`",
    ),
    "a layer of a 10x file": Case(
        of_first("layer", "counts"),
        "has no layers, but the column `layer` of the sample sheet says `counts`; leave it empty",
    ),
    "a word among the counts": Case(instead(text_value, ".csv"), "`many` is not a number"),
    "barcodes of another channel": Case(
        both(
            write("list.txt", "TTTTTTTTTTTTTTTT-1\nTTTTTTTTTTTTTTTA-1\n"),
            column(
                "samples",
                "barcodes",
                lambda row: "list.txt" if row["sample"] == "P01_baseline" else "",
            ),
        ),
        "only 0 of 2 barcodes are in the matrix",
        SHARD_RESULT,
    ),
    "a sample of another species": Case(
        instead(
            lambda path: write_tenx_v3(
                Shard(
                    SHARD.counts,
                    SHARD.barcodes,
                    SHARD.genes.assign(gene=SHARD.genes["gene"].str.replace("ENSG", "ENSMUSG")),
                ),
                path,
            ),
            ".h5",
        ),
        "genes shared with the other samples: `P01_baseline` 0 %, under 60 %",
        GENES_RESULT,
    ),
    "limits that no cell meets": Case(
        config(qc={"min_genes": 19000}),
        "no cell of the cohort passes quality control",
        "results/joint/cells.parquet",
    ),
    "a single cell": Case(
        instead(lambda path: write_tenx_v3(small_shard(1, 5000, rate=3), path), ".h5"),
        "lammscope: warning: sample P01_baseline fails quality control: 1 of 1 barcodes pass",
        VERDICTS_RESULT,
        fine=True,
    ),
    "a sample without a good cell": Case(
        instead(lambda path: write_tenx_v3(small_shard(120, 60), path), ".h5"),
        "lammscope: warning: sample P01_baseline fails quality control: 0 of",
        VERDICTS_RESULT,
        fine=True,
    ),
    "the wrong sex": Case(
        replace("patients.tsv", "\tfemale\t", "\tmale\t"),
        "fails quality control: the patient is male but the cells express XIST and no genes of",
        VERDICTS_RESULT,
        fine=True,
    ),
    "a mouse": Case(
        instead(
            lambda path: named(path, gene=MOUSE_IDS, symbol=mouse_symbols(400)),
            "",
        ),
        "genes are those of mouse (e.g. ENSMUSG00000000000, Actb), but the marker panel, LAMM",
    ),
    "a rat without symbols": Case(
        instead(lambda path: named(path, gene=RAT_IDS, symbol=RAT_IDS), ""),
        "genes are those of rat (e.g. ENSRNOG00000000000), but the marker panel, LAMM definers",
    ),
    "a mouse without ids": Case(
        instead(lambda path: first_named(path, mouse_symbols(400)), ".csv"),
        "genes are in lower case, as in mouse and rat (e.g. Actb, Malat1), but the marker panel",
    ),
    "two genomes by symbol": Case(
        instead(lambda path: named(path, gene=PREFIXED, symbol=PREFIXED), ""),
        "several genomes (GRCh38, mm10); write one of them into the column `genome`",
    ),
    "two species": Case(
        instead(lambda path: named(path, gene=[*SHARD.genes["gene"][:200], *MOUSE_IDS[:200]]), ""),
        "several genomes (human, mouse); write one of them into the column `genome`",
    ),
    "rows of HTSeq": Case(
        instead(lambda path: first_named(path, ["__no_feature", "__ambiguous"]), ".csv"),
        "other.csv: left out, not genes or cells: rows __no_feature, __ambiguous",
        SHARD_RESULT,
        fine=True,
    ),
    "rows of STAR": Case(
        instead(
            lambda path: named(
                path,
                n_others=2,
                gene=["N_unmapped", "N_noFeature", *SHARD.genes["gene"][2:]],
                symbol=["N_unmapped", "N_noFeature", *SHARD.genes["symbol"][2:]],
            ),
            "",
        ),
        "other: left out, not genes: N_unmapped, N_noFeature",
        SHARD_RESULT,
        fine=True,
    ),
    "columns of cells among the genes": Case(
        instead(
            lambda path: with_columns(path, {"nUMI": 5000, "percent.mt": 2.5, "cluster": "B"}),
            ".csv",
        ),
        "other.csv: left out, not genes or cells: columns nUMI, percent.mt, cluster",
        SHARD_RESULT,
        fine=True,
    ),
    "columns of featureCounts": Case(
        instead(positions, ".txt"),
        "other.txt: left out, not genes or cells: columns Chr, Start, End, Strand, Length",
        SHARD_RESULT,
        fine=True,
    ),
    "a total of an unknown name": Case(
        instead(lambda path: with_columns(path, {"in_this_droplet": 99_999}), ".csv"),
        "other.csv: gene in_this_droplet: over 10 times the counts of any other gene; remove it",
        SHARD_RESULT,
        fine=True,
    ),
    "no mitochondrial gene": Case(
        instead(
            lambda path: named(path, symbol=[f"GENE{i}" for i in range(400)]),
            "",
        ),
        "sample P01_baseline: no mitochondrial gene among its 400: % mitochondrial is 0 in every",
        SHARD_RESULT,
        fine=True,
    ),
    "no marker": Case(
        instead(without_markers, ".h5"),
        "`P01_baseline`: only 0 of",
        "results/qc/gene_overlap.tsv",
        fine=True,
    ),
    "symbols that Excel made dates": Case(
        instead(
            lambda path: write_dense(
                Shard(
                    SHARD.counts,
                    SHARD.barcodes,
                    SHARD.genes.assign(
                        gene=["1-Mar", "ACTB", *SHARD.genes["symbol"][2:]],
                        symbol=["1-Mar", "ACTB", *SHARD.genes["symbol"][2:]],
                    ),
                ),
                path,
            ),
            ".csv",
        ),
        "1 gene symbols are dates (e.g. 1-Mar)",
        SHARD_RESULT,
        fine=True,
    ),
}

IDENTITIES = {
    "a link to another patient's matrix": Case(
        link(OTHER_PATIENT, MATRIX), "rows 2, 4: several samples have the same matrix"
    ),
    "a hard link to another matrix": Case(
        link(DAY_7, MATRIX, Path.hardlink_to),
        "(`counts/P01_day_7.h5` is the same file), so each cell would be counted several times",
    ),
    "a way round to another matrix": Case(
        replace("samples.tsv", DAY_7, "counts/../counts/P01_baseline.h5"),
        "(`counts/../counts/P01_baseline.h5` is the same file)",
    ),
    "a copy of another patient's matrix": Case(
        copy(MATRIX, OTHER_PATIENT),
        "samples.tsv: samples `P01_baseline`, `P02_baseline`: their matrices are copies of one",
    ),
    "a copy by another name": Case(
        both(copy(MATRIX, "counts/new.h5"), replace("samples.tsv", DAY_7, "counts/new.h5")),
        "(e.g. counts/P01_baseline.h5 and counts/new.h5)",
    ),
    "two paths to a channel of two samples": Case(
        both(
            link("counts/lane.h5", MATRIX),
            replace("samples.tsv", DAY_7, "counts/lane.h5"),
            write("P01_baseline.txt", "AAACCTGAGAAACCAT-1\n"),
            write("P01_day_7.txt", "AAACCTGAGAAACCTA-1\n"),
            column(
                "samples",
                "barcodes",
                lambda row: f"{row['sample']}.txt" if row["patient"] == "P01" else "",
            ),
        ),
        "several paths to one matrix (`counts/P01_baseline.h5`, `counts/lane.h5`); write the same",
    ),
    "an unknown way to compare inputs": Case(
        config(inputs={"compare": "md5"}), "`inputs.compare` is `md5`; allowed: size, checksum"
    ),
    "a library in another format": Case(
        other_format(write_h5ad, "counts/same.h5ad"),
        "samples of the same cells: `P01_baseline`, `P01_day_7`: their barcodes have the same UMIs",
        CELLS,
    ),
    "a library with other suffixes of its barcodes": Case(
        other_format(
            write_tenx_v3,
            "counts/same.h5",
            lambda shard: Shard(
                shard.counts, np.char.replace(shard.barcodes, "-1", "-2"), shard.genes
            ),
        ),
        "samples of the same cells: `P01_baseline`, `P01_day_7`",
        CELLS,
    ),
    "a library counted in two ways": Case(
        other_format(
            write_tenx_v3,
            "counts/full.h5",
            lambda shard: Shard(
                shard.counts + (shard.counts > 1).astype(np.int32), shard.barcodes, shard.genes
            ),
        ),
        "samples that share barcodes: `P01_baseline` and `P01_day_7` 100 % (",
        CELLS,
        fine=True,
    ),
}

CASES = {**SHEETS, **CONFIGS, **MATRICES, **IDENTITIES}
