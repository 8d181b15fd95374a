"""The chain of jobs that decided when a run ended."""

from pathlib import Path

import numpy as np

from benchmarks.critical_path import busy_cores, by_stage, chain, plot, read_log

LOG = """
Provided cores: 2
[Mon Nov 30 07:00:00 2026]
localrule ingest_sample:
    input: a.h5
    output: a.h5ad, a.parquet
    jobid: 1
[Mon Nov 30 07:00:00 2026]
localrule save_config:
    output: config.yaml
    jobid: 2
[Mon Nov 30 07:00:30 2026]
Finished jobid: 2 (Rule: save_config)
[Mon Nov 30 07:00:40 2026]
Finished jobid: 1 (Rule: ingest_sample)
[Mon Nov 30 07:00:41 2026]
localrule find_neighbors:
    input: a.parquet
    output: neighbors.npz
    jobid: 3
    threads: 2
[Mon Nov 30 07:00:51 2026]
Finished jobid: 3 (Rule: find_neighbors)
[Mon Nov 30 07:00:51 2026]
localrule score_integration:
    input: a.parquet
    output: scores.tsv
    jobid: 4
[Mon Nov 30 07:01:00 2026]
Finished jobid: 4 (Rule: score_integration)
[Mon Nov 30 07:01:00 2026]
localrule write_report:
    input: scores.tsv
    output: report.html
    jobid: 5
"""


def test_the_chain_names_dependencies_and_waits_for_cores(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    jobs, cores = read_log(tmp_path / "log")
    assert cores == 2
    assert len(jobs) == 4  # the report did not end
    assert [(job.rule, wait) for job, wait in chain(jobs)] == [
        ("ingest_sample", 0),
        ("find_neighbors", 1),
        ("score_integration", 11),  # its input was there at 40 s, but both cores were in use
    ]
    times, busy = busy_cores(jobs, cores)
    assert (times - times[0]).tolist() == [0, 30, 40, 41, 51, 60]
    np.testing.assert_array_equal(busy, [2, 1, 0, 2, 1, 0])
    table = by_stage(jobs, cores)
    assert table.loc["joint", ["jobs", "seconds", "idle", "in_chain"]].tolist() == [2, 19, 9, 19]
    plot(jobs, cores, tmp_path / "chain.png")
    assert (tmp_path / "chain.png").stat().st_size > 0
