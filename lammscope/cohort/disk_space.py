"""Whether the results fit on the disk, before anything is computed."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from lammscope.core.disks import existing_folder

# Size of a count file, as a multiple of its matrix as 10x HDF5: 1.3 and 1.1 in simulated libraries.
# Matrices in other formats are larger, and raw ones have barcodes that are not kept.
OF_MATRIX = {"lz4": 1.3, "gzip": 1.1, "none": 4.8}
# `cohort.h5ad`, and all other results of a sample: those of four simulated cohorts and a real one
# (8 to 60 samples) took 11 to 15 MiB each, most of it sums of counts of its populations.
COHORT_OF_MATRIX = 1.0
OTHERS = 15 * 2**20
GIB = 2**30


def lack_of_space(
    results: str | Path,
    *,
    samples: Iterable[str],
    sizes: Mapping[str, int],
    compression: str,
    free: int | None = None,
) -> str | None:
    """Return a note if the results of samples may not fit on the disk, or None.

    Samples whose count files are there already need nothing more.

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
    folder = existing_folder(Path(results).resolve())
    free = shutil.disk_usage(folder).free if free is None else free
    new = [name for name in samples if not (Path(results) / "shards" / f"{name}.h5ad").exists()]
    of_matrix = OF_MATRIX[compression] + COHORT_OF_MATRIX
    needed = of_matrix * sum(sizes.get(name, 0) for name in new) + OTHERS * len(new)
    if needed <= free:
        return None
    remedy = "free some space, or name another disk under `pathvars`"
    if compression == "none":
        remedy += "; with `inputs: {compression: lz4}` count files need a quarter"
    return (
        f"the results need about {needed / GIB:.1f} GiB, but {free / GIB:.1f} GiB are free in "
        f"{folder}: {remedy}"
    )
