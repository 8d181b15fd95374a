"""The written report, for tests of its parts."""

from tests.unit.report.test_page import cohort, figures, make_report, run_tables

__all__ = ["cohort", "figures", "make_report", "run_tables"]
