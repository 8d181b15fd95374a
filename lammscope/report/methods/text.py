"""The methods of a run as text that can be pasted into a paper, with numbered references."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lammscope.report.methods.cells import Section, cell_sections
from lammscope.report.methods.comparisons import comparison_sections
from lammscope.report.methods.facts import Facts
from lammscope.report.methods.references import Reference, number_citations

HOW_TO_CITE = (
    "Please cite LAMMscope with its version (CITATION.cff in the repository has the entry) and the "
    "papers that the methods text cites."
)


@dataclass(frozen=True)
class Methods:
    """The methods of a run.

    Attributes
    ----------
    sections
        Headings and texts.
    references
        The papers that these cite, by their numbers.
    versions
        Versions of the software by name.
    """

    sections: tuple[Section, ...]
    references: tuple[Reference, ...]
    versions: Mapping[str, str]

    @property
    def markdown(self) -> str:
        """The text as Markdown, which reads well as plain text."""
        parts = ["# Methods", *(f"## {heading}\n\n{text}" for heading, text in self.sections)]
        papers = (
            f"{place}. {paper.text} https://doi.org/{paper.doi}"
            for place, paper in enumerate(self.references, 1)
        )
        return "\n\n".join([*parts, "## References", "\n".join(papers)]) + "\n"


def write_methods(facts: Facts) -> Methods:
    """Write the methods of a run, in the past tense, with every setting that decides about numbers.

    Parameters
    ----------
    facts
        The config, and what the run did with it.
    """
    sections = [*cell_sections(facts), *comparison_sections(facts), *_software(facts)]
    texts, references = number_citations(text for _, text in sections)
    headings = (heading for heading, _ in sections)
    return Methods(tuple(zip(headings, texts, strict=True)), tuple(references), facts.versions)


def _software(facts: Facts) -> Iterator[Section]:
    own = facts.versions.get("lammscope", "")
    others = ", ".join(f"{name} {n}" for name, n in facts.versions.items() if name != "lammscope")
    yield (
        "Software",
        f"Analyses were made with LAMMscope {own} ({others}). The random seed was "
        f"{facts.config['seed']}; results do not depend on the number of cores.",
    )
