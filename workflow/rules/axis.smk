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
            states=contig_states(),
            code=code("count_clones"),
        ),
    script:
        "../scripts/count_clones.py"
