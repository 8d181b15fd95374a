"""Times of files do not decide what is computed again, unless the user asks for it."""

from collections.abc import Collection
from typing import Any


def heed_triggers(jobs: Any, *, rules: Collection[str]) -> None:
    """Make Snakemake compare times of files only if `mtime` is among the triggers of reruns.

    Snakemake 9.27 compares them whatever `--rerun-triggers` says. A clock that was set back, or a
    folder restored without its times, then computes everything again.

    Parameters
    ----------
    jobs
        Snakemake's class of jobs, which is changed: it says that results have no time.
    rules
        Names of the rules that this is for; others are left alone.
    """
    usual = jobs.output_mintime.fget

    async def output_mintime(job: Any) -> Any:
        triggers = {trigger.name for trigger in job.rule.workflow.rerun_triggers}
        if job.rule.name in rules and "MTIME" not in triggers:
            return None
        return await usual(job)

    jobs.output_mintime = property(output_mintime)
