"""Draw ligand-receptor pairs and T cells of all contrasts, and associations across patients."""

from itertools import batched

from snakemake.iocontainers import Snakemake

from lammscope.axis.primary import primary_of
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.sample_table import read_sample_table
from lammscope.core.indexed import read_table
from lammscope.core.runtime import job_log
from lammscope.report.axis_levels import Levels
from lammscope.report.figures.associations import AssociationData
from lammscope.report.figures.axis import AxisData
from lammscope.report.figures.draw import draw_figures, save_figures

snakemake: Snakemake
with job_log(snakemake.log[0]):
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    samples = read_sample_table(inputs.samples)
    libraries, terms = read_table(inputs.libraries), read_table(inputs.terms)
    tables = zip(inputs.tables, inputs.values, inputs.states, strict=True)
    paths = batched(output.pngs, len(params.figures))
    for each, own, pngs in zip(params.contrasts, tables, paths, strict=True):
        pairs, values, states = map(read_table, own)
        comparison = Comparison(samples, make_contrast(**each))
        name = comparison.contrast.name
        data = AxisData(
            Levels(comparison, libraries, terms, params.min_cells),
            *(pairs, values),
            groups=params.groups,
            primary=primary_of(params.primary | {"contrast": name}, name, level=params.level),
            states=states,
        )
        save_figures(draw_figures(data, functions=params.figures), pngs, dpi=params.dpi)
    across = AssociationData(*map(read_table, inputs.associations))
    figures = draw_figures(across, functions=params.cohort_figures)
    save_figures(figures, output.cohort_pngs, dpi=params.dpi)
