"""The import of igraph."""

import subprocess
import sys


def test_clustering_imports_no_matplotlib_and_leaves_it_usable() -> None:
    code = (
        "import sys; from lammscope.joint import clustering; "
        "print([name for name in sys.modules if name.startswith('matplotlib')]); "
        "import matplotlib.figure"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "[]\n"), result.stderr
