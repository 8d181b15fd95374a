"""Fixtures of the tests of the page, which write a report from example tables."""

from tests.unit.report.test_page import figures, make_report, run_tables

__all__ = ["figures", "make_report", "run_tables"]
