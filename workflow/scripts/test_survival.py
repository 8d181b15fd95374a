"""Test LAMM cells against follow-up, before infusion and from landmarks after it, and draw both."""

from snakemake.iocontainers import Snakemake

from lammscope.cohort.follow_up import Endpoint
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import read_with_follow_up
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.outcome.analyses import Settings
from lammscope.outcome.survival import test_survival
from lammscope.report.figures.draw import draw_figures, save_figures

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    found = test_survival(
        read_with_follow_up(inputs.samples, inputs.follow_up),
        read_table(inputs.counts),
        read_table(inputs.scores),
        endpoints=[Endpoint(**each) for each in params.endpoints],
        settings=Settings(**params.settings),
        permutations=Permutations(**params.permutation, seed=params.seed),
    )
    for name in ("tests", "patients", "excluded", "curves"):
        write_table(getattr(found, name), output[name])
    figures = draw_figures(found, functions=params.figures)
    save_figures(figures, output.pngs, dpi=params.dpi)
