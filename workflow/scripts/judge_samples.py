"""Judge each sample as a whole, and name those that fail."""

from snakemake.iocontainers import Snakemake

from lammscope.core.ambient.table import read_fractions
from lammscope.core.indexed import read_table, write_table
from lammscope.core.runtime import job_log
from lammscope.joint.genotype import MOMENTS, read_genotype
from lammscope.joint.verdicts import SampleQuality, failure_text, judge_samples

snakemake: Snakemake
with job_log(snakemake.log[0]) as logger:
    params, tables = snakemake.params, snakemake.input
    fractions = read_fractions(params.samples, tables.contamination)
    files = zip(params.samples, tables.qc, tables.moments, strict=True)
    samples = {
        sample: SampleQuality(
            barcodes=read_table(qc, columns=["passes", "reasons"]),
            contamination=fractions[sample],
            genotype=read_genotype(read_table(moments, columns=MOMENTS)),
            patient=params.patients[sample],
            sex=params.sexes.get(sample, ""),
        )
        for sample, qc, moments in files
    }
    verdicts = judge_samples(samples, min_cells=params.min_cells)
    write_table(verdicts, snakemake.output.verdicts)
    for text in failure_text(verdicts):
        logger.warning(text)
    logger.info("%d of %d samples pass", (verdicts["reasons"] == "").sum(), len(verdicts))
