rule build_pseudobulk:
    """Gather the sums of all samples and populations."""
    input:
        sums=collect("<results>/expression/sums/{sample}.npz", sample=SAMPLES),
        cells="<results>/joint/cells.parquet",
        code=code("build_pseudobulk"),
    output:
        pseudobulk="<results>/expression/pseudobulk.h5ad",
    log:
        "<logs>/build_pseudobulk.log",
    benchmark:
        "<benchmarks>/build_pseudobulk.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(800, 20),
    params:
        samples=SAMPLES,
    script:
        "../scripts/build_pseudobulk.py"


rule test_expression:
    """Compare genes between patients within each population, in one contrast."""
    input:
        pseudobulk="<results>/expression/pseudobulk.h5ad",
        sheets=SHEETS,
        code=code("test_expression"),
    output:
        table="<results>/expression/{contrast}.tsv.gz",
        excluded="<results>/expression/excluded.{contrast}.tsv",
    log:
        "<logs>/test_expression/{contrast}.log",
    benchmark:
        "<benchmarks>/test_expression/{contrast}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(800, 20),
    params:
        cohort=COHORT,
        contrast=contrast_of,
        settings=config["expression"],
        car_features=config["car"]["features"],
    script:
        "../scripts/test_expression.py"
