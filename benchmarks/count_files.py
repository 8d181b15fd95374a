"""Time and disk of per-sample count files by compression.

    python -m benchmarks.count_files FILE.h5ad [FILE.h5ad ...]

Rewrites per-sample count files of a run with each compression in turn, and prints the processor
time of writing and reading one (least of three) and its size, as means over the files.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean

from lammscope.core.shards import COMPRESSION, read_shard, write_shard

REPEATS = 3


def least_time(action: Callable[[], object]) -> float:
    """Return the least processor time of a few repeats, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    shards = [read_shard(path) for path in given.files]
    print(f"{len(shards)} files of {mean(shard.counts.nnz for shard in shards):,.0f} counts")
    print("compression\twrite, s\tread, s\tMB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.h5ad"
        for name in COMPRESSION:
            rows = []
            for shard in shards:
                writing = least_time(partial(write_shard, shard, path, compression=name))
                rows.append((writing, least_time(partial(read_shard, path)), path.stat().st_size))
            write, read, size = (mean(column) for column in zip(*rows, strict=True))
            print(f"{name}\t{write:.3f}\t{read:.3f}\t{size / 1e6:.1f}")


if __name__ == "__main__":
    main()
