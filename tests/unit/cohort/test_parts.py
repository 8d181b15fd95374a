"""Samples that share a job."""

import itertools
from pathlib import Path

import numpy as np

from lammscope.cohort.parts import (
    ENOUGH_JOBS,
    LEAST,
    MOST,
    MOST_BYTES,
    divide_channels,
    divide_samples,
    join_parts,
    sizes_of,
)
from lammscope.core.shards import InputRecord

NAMES = [f"P{patient:02d}_{phase}" for patient in range(1, 41) for phase in ("post", "pre")]


def test_parts_keep_the_order_and_hold_a_few_samples() -> None:
    parts = divide_samples(NAMES, sizes=dict.fromkeys(NAMES, 10))
    assert list(itertools.chain(*parts.values())) == NAMES
    *whole, last = map(len, parts.values())
    assert all(LEAST <= size <= MOST for size in whole)
    assert last <= MOST
    assert list(parts)[:2] == ["001", "002"]


def test_an_added_or_removed_sample_changes_the_parts_near_it_only() -> None:
    many = [f"P{patient:03d}_{phase}" for patient in range(1, 101) for phase in ("post", "pre")]
    before = list(divide_samples(many, sizes={}).values())
    numbers = []
    for place in range(60):
        for changed in ([*many[:place], *many[place + 1 :]], [*many[:place], "new", *many[place:]]):
            after = list(divide_samples(changed, sizes={}).values())
            numbers.append(sum(part not in before for part in after))
    assert len(before) > 20
    assert np.mean(numbers) < 3


def test_a_large_sample_has_a_job_of_its_own() -> None:
    sizes = dict.fromkeys(NAMES, MOST_BYTES // 100) | {NAMES[2]: 2 * MOST_BYTES}
    parts = list(divide_samples(NAMES[:6], sizes=sizes).values())
    assert [NAMES[2]] in parts
    assert parts[0] == NAMES[:2]


def test_parts_are_joined_in_large_cohorts_alone() -> None:
    for n_bytes in (0, 10, MOST_BYTES // 4):
        sizes = dict.fromkeys(NAMES, n_bytes)
        parts = divide_samples(NAMES, sizes=sizes)
        assert join_parts(parts, sizes=sizes) == parts
    many = [f"P{number:03d}" for number in range(300)]
    sizes = dict.fromkeys(many, MOST_BYTES // 3)
    parts = divide_samples(many, sizes=sizes)
    joined = join_parts(parts, sizes=sizes)
    assert list(itertools.chain(*joined.values())) == many
    assert ENOUGH_JOBS <= len(joined) < len(parts) / 2
    assert max(map(len, joined.values())) <= MOST
    assert list(joined)[:2] == ["001", "002"]


def test_channels_follow_their_first_sample() -> None:
    parts = {"001": ["a", "b"], "002": ["c", "d"], "003": ["e"]}
    channels = {"lane1": ["a", "d"], "lane2": ["b"], "c": ["c"], "e": ["e"]}
    divided = divide_channels(parts, channels=channels)
    assert divided == {"001": ["lane1", "lane2"], "002": ["c"], "003": ["e"]}
    assert divide_channels(parts, channels={"lane": ["a", "c", "e"]}) == {"001": ["lane"]}


def test_sizes_are_of_files_of_folders_and_of_archived_files(tmp_path: Path) -> None:
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "folder" / "below" / "matrix.mtx").write_bytes(b"12345")
    (tmp_path / "one.h5").write_bytes(b"123")
    paths = {"a": "folder", "b": "one.h5", "c": "missing.h5", "d": "archived.h5"}
    records = {sample: InputRecord("size", 7, "", "") for sample in ("b", "d")}
    matrices = {sample: str(tmp_path / path) for sample, path in paths.items()}
    assert sizes_of(matrices, records=records) == {"a": 5, "b": 3, "c": 0, "d": 7}
