"""Whether the per-sample count files fit on the disk, before anything is computed."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

# Size of a count file, as a multiple of its matrix as 10x HDF5: 1.3 and 1.1 in simulated libraries.
# Matrices in other formats are larger, and raw ones have barcodes that are not kept.
OF_MATRIX = {"lz4": 1.3, "gzip": 1.1, "none": 4.8}
GIB = 2**30


def lack_of_space(
    results: str | Path,
    *,
    samples: Iterable[str],
    sizes: Mapping[str, int],
    compression: str,
    free: int | None = None,
) -> str | None:
    """Return a note if the count files of samples may not fit on the disk, or None.

    Parameters
    ----------
    results
        The folder of results; it need not exist.
    samples
        The samples to read in.
    sizes
        Bytes of their matrices.
    compression
        `inputs.compression` of the config.
    free
        Free bytes; by default those of the disk that holds `results`.
    """
    folder = Path(results).resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free if free is None else free
    needed = OF_MATRIX[compression] * sum(sizes.get(sample, 0) for sample in samples)
    if needed <= free:
        return None
    remedy = "free some space, or name another disk under `pathvars`"
    if compression == "none":
        remedy += "; `inputs: {compression: lz4}` needs a quarter"
    return (
        f"the per-sample count files need about {needed / GIB:.1f} GiB, but {free / GIB:.1f} GiB "
        f"are free in {folder}: {remedy}"
    )
