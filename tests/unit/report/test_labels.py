"""Names of samples in the tables of the report are those of the figures."""

import pandas as pd

from lammscope.report.labels import SHEET_NAME, label_tables

LABELS = {"CAR-T1031": "P01 M06", "CAR-T10310": "P02 M06", "day": "P03 M06"}


def test_names_are_replaced_in_columns_and_in_text_as_a_whole() -> None:
    names = list(LABELS)
    tables = {
        "samples": pd.DataFrame({"sample": names}),
        "cells": pd.DataFrame({"sample": pd.Categorical(["day", "CAR-T1031"], names)}),
        "qc_summary": pd.DataFrame({"sample": names, "shared_barcodes": [None, "CAR-T1031", ""]}),
        "audit": pd.DataFrame({"message": ["CAR-T10310, CAR-T103 and CAR-T1031. One day later"]}),
    }
    shown = label_tables(tables, LABELS)
    assert shown["samples"]["sample"].tolist() == ["P01 M06", "P02 M06", "P03 M06"]
    assert shown["samples"][SHEET_NAME].tolist() == names
    assert shown["cells"]["sample"].tolist() == ["P03 M06", "P01 M06"]
    assert shown["qc_summary"]["shared_barcodes"].tolist()[1:] == ["P01 M06", ""]
    assert shown["audit"]["message"].tolist() == ["P02 M06, CAR-T103 and P01 M06. One day later"]
    assert tables["samples"]["sample"].tolist() == names


def test_names_that_differ_in_underscores_only_are_not_listed_twice() -> None:
    tables = {"qc_summary": pd.DataFrame({"sample": ["P01_pre"]})}
    shown = label_tables(tables, {"P01_pre": "P01 pre"})
    assert list(shown["qc_summary"]) == ["sample"]
    assert shown["qc_summary"]["sample"].tolist() == ["P01 pre"]
