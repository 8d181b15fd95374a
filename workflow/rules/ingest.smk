rule ingest_sample:
    """Read the count matrix of a sample, flag its barcodes, and estimate moments and ambient RNA."""
    input:
        matrix=matrix_of,
        barcodes=barcodes_of,
    output:
        shard="<results>/shards/{sample}.h5ad",
        qc="<results>/qc/{sample}.parquet",
        moments="<results>/qc/{sample}.moments.parquet",
        contamination="<results>/qc/{sample}.contamination.tsv",
    log:
        "<logs>/ingest_sample/{sample}.log",
    benchmark:
        "<benchmarks>/ingest_sample/{sample}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 60),
    params:
        **named(
            qc=qc_of,
            seed=config["seed"],
            genome=genome_of,
            layer=layer_of,
            state=state_of_input,
            compared=config_path("inputs", "compare"),
            code=code("ingest_sample"),
        ),
    script:
        "../scripts/ingest_sample.py"


rule score_doublets:
    """Score the cells of one channel as doublets."""
    input:
        shards=shards_of_channel,
        qc=qc_of_channel,
    output:
        doublets="<results>/doublets/{channel}.parquet",
    log:
        "<logs>/score_doublets/{channel}.log",
    benchmark:
        "<benchmarks>/score_doublets/{channel}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 60),
    params:
        **named(
            samples=lambda wildcards: CHANNELS[wildcards.channel],
            settings=doublets_of,
            seed=config["seed"],
            code=code("score_doublets"),
        ),
    script:
        "../scripts/score_doublets.py"
