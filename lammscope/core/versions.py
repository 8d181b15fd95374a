"""Versions of the software that determines the numbers of a run."""

from importlib.metadata import version

from lammscope import __version__

SOFTWARE = ("snakemake", "anndata", "harmonypy", "faiss-cpu", "igraph", "numpy")


def software_versions() -> dict[str, str]:
    """Return the versions of this package and of the packages that determine its numbers."""
    return {"lammscope": __version__, **{name: version(name) for name in SOFTWARE}}
