rule annotate_cells:
    """Cell types by the marker panel, over clusters and neighbourhoods."""
    input:
        counts=collect("<results>/joint/panel/{sample}.npz", sample=SAMPLES),
        cells="<results>/joint/cells.parquet",
        neighbors="<results>/joint/neighbors.npz",
        clusters="<results>/joint/clusters.parquet",
        panel=resource(config["annotation"]["panel"]),
        code=code("annotate_cells"),
    output:
        types="<results>/annotation/types.parquet",
        clusters=ensure("<results>/annotation/clusters.tsv", non_empty=True),
    log:
        "<logs>/annotate_cells.log",
    benchmark:
        "<benchmarks>/annotate_cells.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(800, 20),
    params:
        settings=config["annotation"],
    script:
        "../scripts/annotate_cells.py"


rule call_lamm:
    """LAMM cells within the monocytic lineage, and CAR-T cells; blind to response."""
    input:
        counts=collect("<results>/joint/panel/{sample}.npz", sample=SAMPLES),
        cells="<results>/joint/cells.parquet",
        neighbors="<results>/joint/neighbors.npz",
        types="<results>/annotation/types.parquet",
        references=resource(config["lamm"]["references"]),
        code=code("call_lamm"),
    output:
        cells="<results>/annotation/cells.parquet",
    log:
        "<logs>/call_lamm.log",
    benchmark:
        "<benchmarks>/call_lamm.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(800, 20),
    params:
        settings=config["lamm"],
    script:
        "../scripts/call_lamm.py"


rule sum_groups:
    """Sum one sample's counts over clusters and over populations, in one pass over its shard."""
    input:
        shard="<results>/shards/{sample}.h5ad",
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        reference="<results>/joint/reference.tsv.gz",
        code=code("sum_groups"),
    output:
        clusters="<results>/annotation/sums/{sample}.npz",
        populations="<results>/expression/sums/{sample}.npz",
    log:
        "<logs>/sum_groups/{sample}.log",
    benchmark:
        "<benchmarks>/sum_groups/{sample}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 40),
    script:
        "../scripts/sum_groups.py"


rule find_markers:
    """Marker genes of the clusters, by effect size over samples."""
    input:
        sums=collect("<results>/annotation/sums/{sample}.npz", sample=SAMPLES),
        cells="<results>/joint/cells.parquet",
        code=code("find_markers"),
    output:
        markers=ensure("<results>/annotation/markers.tsv", non_empty=True),
    log:
        "<logs>/find_markers.log",
    benchmark:
        "<benchmarks>/find_markers.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(800, 20),
    params:
        n_top=config["clustering"]["n_markers"],
        min_pct=config["clustering"]["min_pct"],
    script:
        "../scripts/find_markers.py"
