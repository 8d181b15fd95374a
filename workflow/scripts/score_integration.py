"""Compare embeddings: batches mixed, structure kept, populations and LAMM cells lost."""

from snakemake.iocontainers import Snakemake

from lammscope.annotate import integration_scores as scoring
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.annotate.panel import load_panel
from lammscope.core.indexed import CellIndex, write_table
from lammscope.core.resources import find_resource
from lammscope.core.runtime import job_log
from lammscope.joint.panel_counts import read_panel

snakemake: Snakemake
with job_log(snakemake.log[0], threads=snakemake.params.threads) as logger:
    params = snakemake.params
    index = CellIndex(snakemake.input.cells)
    cells = index.cells
    panel, _ = read_panel(snakemake.input.counts, index)
    rows = scoring.draw_cells(cells["sample"].to_numpy(dtype=str), seed=params.seed)
    evidence = scoring.Evidence(
        sample=cells["sample"].to_numpy(dtype=str)[rows],
        batch=cells["sample"].map(params.batches).to_numpy(dtype=str)[rows],
        counts=panel.take(rows),
        panel=load_panel(find_resource(params.panel)),
        annotation=params.annotation,
        lamm=CallSettings.read(params.lamm, **params.files),
    )
    spaces = zip(params.methods, snakemake.input.spaces, strict=True)
    scores, lost, lamm = scoring.score_integration(
        {name: index.read_arrays(path)["space"][rows] for name, path in spaces},
        evidence,
        **params.search,
        seed=params.seed,
        threads=params.threads,
    )
    scores = scoring.choose_method(scores, method=params.method)
    for table, output in ((scores, "scores"), (lost, "lost"), (lamm, "lamm")):
        write_table(table, snakemake.output[output])
    logger.info("used: %s", ", ".join(scores.loc[scores["used"], "method"]))
