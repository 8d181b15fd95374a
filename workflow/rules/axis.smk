# Samples with T-cell receptors; without any, no job of clones is planned.
WITH_CONTIGS = [sample for sample in SAMPLES if given(sample, "contigs")]


def contigs_by_sample():
    """Return what is known of the samples with contigs; nothing of their response."""
    rows = SHEET.loc[WITH_CONTIGS].reindex(
        columns=["sample", "patient", "phase", "compartment", "day"]
    )
    return rows.astype(object).where(rows.notna(), None).to_dict("list")


def contig_states():
    """Return the size or checksum of each contig table, as of the matrices in `input_states`."""
    files = {sample: given(sample, "contigs") for sample in WITH_CONTIGS}
    if config["inputs"]["compare"] == "checksum":
        return {sample: content(path) for sample, path in files.items()}
    return {sample: f"{os.path.getsize(path)} bytes" for sample, path in files.items()}


rule count_clones:
    """Find the clones of T cells, and measure and follow them within patients."""
    input:
        contigs=[given(sample, "contigs") for sample in WITH_CONTIGS],
        qc=collect("<results>/qc/{sample}.parquet", sample=WITH_CONTIGS),
        doublets=collect(
            "<results>/doublets/{channel}.parquet",
            channel=list(dict.fromkeys(SHEET.loc[WITH_CONTIGS, "channel"])),
        ),
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
    output:
        clones=ensure("<results>/axis/clones.tsv", non_empty=True),
        cells="<results>/axis/clones.parquet",
        measures=ensure("<results>/axis/clone_measures.tsv", non_empty=True),
        tracking=ensure("<results>/axis/clone_tracking.tsv", non_empty=True),
        contigs=ensure("<results>/axis/contigs.tsv", non_empty=True),
        doublets=ensure("<results>/axis/clone_doublets.tsv", non_empty=True),
    log:
        "<logs>/count_clones.log",
    benchmark:
        "<benchmarks>/count_clones.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 8),
    params:
        **named(
            samples=contigs_by_sample(),
            states=contig_states() if workflow.is_main_process else {},
            code=code("count_clones"),
        ),
    script:
        "../scripts/count_clones.py"
