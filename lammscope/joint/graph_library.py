"""igraph without its drawing, which would import matplotlib into each job that clusters cells.

In a process that has imported matplotlib before, igraph is as usual.
"""

import sys

_is_new = "matplotlib" not in sys.modules
if _is_new:
    sys.modules["matplotlib"] = None  # type: ignore[assignment]  # not found: igraph does without
import igraph  # noqa: E402

if _is_new:
    del sys.modules["matplotlib"]

__all__ = ["igraph"]
