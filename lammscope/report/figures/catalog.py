"""All figures: the rule and the function that draw each, its place in the report, and its caption.

To add a figure, write a function that takes the data of its group (`cohort.CohortData` and so on)
and returns a matplotlib `Figure`, and add an entry in `cohort_entries` or `contrast_entries`.
Rules, report and tests need nothing else.

This module does not import the figures, so rules and the report read it without loading matplotlib.
"""

from lammscope.report.figures.cohort_entries import OF_COHORT
from lammscope.report.figures.contrast_entries import OF_CONTRASTS
from lammscope.report.figures.entry import FigureEntry

CATALOG = (*OF_COHORT, *OF_CONTRASTS)


def figure_names(*groups: str) -> list[str]:
    """Return the names of the figures of some groups, in the order of the catalog."""
    return [entry.name for entry in CATALOG if entry.group in groups]


def drawing_functions(group: str) -> dict[str, str]:
    """Return the dotted names of the functions that draw a group's figures, by figure."""
    return {entry.name: entry.draw for entry in CATALOG if entry.group == group}


def placed_figures(section: str) -> list[str]:
    """Return the names of the figures in a section of the report, in their order."""
    return [entry.name for entry in CATALOG if entry.section == section]


def find_figure(name: str) -> FigureEntry:
    """Return the entry of the figure with this name.

    Raises
    ------
    KeyError
        If there is no figure with this name.
    """
    return {entry.name: entry for entry in CATALOG}[name]
