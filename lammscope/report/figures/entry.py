"""What the catalog knows of a figure."""

from dataclasses import dataclass

FOLDER = "lammscope.report.figures"


@dataclass(frozen=True)
class FigureEntry:
    """A figure in the catalog.

    Attributes
    ----------
    group
        `quality`, `cohort`, `evidence`, `contrast`, `expression`, `neighborhoods` or `axis`; drawn
        by the rule `draw_{group}`; `associations`, drawn by `draw_axis`; and `survival`,
        `multiverse` and `replication`, in runs that have follow-up, list other choices or
        replicate. `contrast`, `expression`, `neighborhoods` and `axis` are figures of each
        contrast, the others of the cohort.
    name
        Name of its files, without suffix.
    draw
        Dotted name of the function that draws it.
    section
        Place in the report's template. Figures of a section are shown in the order of the catalog.
    title, caption
        Text below the figure in the report.
    alternative
        Alternative text for readers who cannot see the figure.
    """

    group: str
    name: str
    draw: str
    section: str
    title: str
    caption: str
    alternative: str
