"""LAMMscope: the analysis steps of the workflow as plain functions, independent of Snakemake."""

import importlib.util
import sys

import numpy as np

__version__ = "0.1.0"


def _load_later(name: str) -> None:
    """Make a submodule of NumPy load when it is first used.

    scipy looks at all names of NumPy when it is imported, which loads these two for 0.07 s in each
    of many small jobs; none uses them.
    """
    spec = importlib.util.find_spec(f"numpy.{name}")
    if spec is None or spec.loader is None or spec.name in sys.modules:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    setattr(np, name, module)


for _name in ("f2py", "testing"):
    _load_later(_name)
