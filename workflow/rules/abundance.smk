rule audit_design:
    """What the cohort can answer: arms, pairs, aliasing, and the smallest attainable p."""
    input:
        sheets=SHEETS,
        code=code("audit_design"),
    output:
        audit=ensure("<results>/design/audit.tsv", non_empty=True),
    log:
        "<logs>/audit_design.log",
    benchmark:
        "<benchmarks>/audit_design.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 4),
    params:
        cohort=COHORT,
        contrasts=list(CONTRASTS.values()),
        permutation=PERMUTATION,
        sorts=config["sorts"],
    script:
        "../scripts/audit_design.py"


rule count_cells:
    """Count the cells of every population in every sample."""
    input:
        cells="<results>/annotation/cells.parquet",
        summary="<results>/qc/summary.tsv",
        code=code("count_cells"),
    output:
        counts=ensure("<results>/abundance/counts.tsv", non_empty=True),
    log:
        "<logs>/count_cells.log",
    benchmark:
        "<benchmarks>/count_cells.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 4),
    params:
        samples=SAMPLES,
        probability=config["lamm"]["probability"],
    script:
        "../scripts/count_cells.py"


rule test_abundance:
    """Compare populations between patients in one contrast."""
    input:
        counts="<results>/abundance/counts.tsv",
        sheets=SHEETS,
        code=code("test_abundance"),
    output:
        table=ensure("<results>/abundance/{contrast}.tsv", non_empty=True),
    log:
        "<logs>/test_abundance/{contrast}.log",
    benchmark:
        "<benchmarks>/test_abundance/{contrast}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 4),
    params:
        cohort=COHORT,
        contrast=contrast_of,
        settings=config["abundance"],
        seed=config["seed"],
        sorts=config["sorts"],
    script:
        "../scripts/test_abundance.py"
