rule build_pseudobulk:
    """Gather the pseudobulks of all samples and populations, and the ambient RNA in them."""
    input:
        sums=collect("<results>/expression/sums/{part}.npz", part=KEPT_PARTS),
        ambient=collect("<results>/expression/ambient/{part}.npz", part=KEPT_PARTS),
        cells="<results>/joint/cells.parquet",
    output:
        pseudobulk="<results>/expression/pseudobulk.h5ad",
        ambient=ensure("<results>/expression/ambient.tsv.gz", non_empty=True),
    log:
        "<logs>/build_pseudobulk.log",
    benchmark:
        "<benchmarks>/build_pseudobulk.tsv"
    priority: FIRST
    group:
        grouped("expression")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 2),
    params:
        **named(
            code=code("build_pseudobulk"),
        ),
    script:
        "../scripts/build_pseudobulk.py"


for part, contrasts in CONTRAST_PARTS.items():

    rule:
        """Test the differential expression of genes within each population, in some contrasts."""
        name:
            f"test_expression_{part}"
        input:
            pseudobulk="<results>/expression/pseudobulk.h5ad",
            samples="<results>/design/samples.tsv",
        output:
            tables=ensure(
                collect("<results>/expression/{contrast}.tsv.gz", contrast=contrasts),
                non_empty=True,
            ),
            excluded=ensure(
                collect("<results>/expression/excluded.{contrast}.tsv", contrast=contrasts),
                non_empty=True,
            ),
            missing=ensure(
                collect("<results>/expression/missing.{contrast}.tsv", contrast=contrasts),
                non_empty=True,
            ),
        log:
            f"<logs>/test_expression/{part}.log",
        benchmark:
            f"<benchmarks>/test_expression/{part}.tsv"
        priority: FIRST
        group:
            grouped("expression")
        conda:
            "../../envs/lammscope.yaml"
        threads: EXPRESSION_THREADS
        resources:
            **needs(150 + 300 * EXPRESSION_THREADS, 25, minutes=EXPRESSION_MINUTES),
        params:
            **named(
                contrasts=[CONTRASTS[name] for name in contrasts],
                settings=EXPRESSION_TESTS,
                engine=config["expression"]["engine"],
                threads=EXPRESSION_THREADS,
                permutation=PERMUTATION,
                seed=config["seed"],
                code=code("test_expression"),
            ),
        script:
            "../scripts/test_expression.py"


rule gather_expression:
    """Find populations with differences among all contrasts, and the genes that pass within them."""
    input:
        expression=collect("<results>/expression/{contrast}.tsv.gz", contrast=CONTRASTS),
    output:
        table=ensure("<results>/expression/hierarchy.tsv", non_empty=True),
    log:
        "<logs>/gather_expression.log",
    benchmark:
        "<benchmarks>/gather_expression.tsv"
    group:
        grouped("expression")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 8),
    params:
        **named(
            contrasts=list(CONTRASTS),
            max_fdr=config["report"]["max_fdr"],
            code=code("gather_expression"),
        ),
    script:
        "../scripts/gather_expression.py"


rule test_gene_sets:
    """Test gene sets within each population, with the patient as the unit, in all contrasts."""
    input:
        pseudobulk="<results>/expression/pseudobulk.h5ad",
        samples="<results>/design/samples.tsv",
    output:
        tables=ensure(
            collect("<results>/expression/gene_sets.{contrast}.tsv", contrast=CONTRASTS),
            non_empty=True,
        ),
    log:
        "<logs>/test_gene_sets.log",
    benchmark:
        "<benchmarks>/test_gene_sets.tsv"
    group:
        grouped("expression")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 20),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            settings=EXPRESSION_TESTS,
            min_genes=config["expression"]["min_set_genes"],
            permutation=PERMUTATION,
            seed=config["seed"],
            gene_sets=config_path("expression", "gene_sets"),
            gene_sets_content=content(*config["expression"]["gene_sets"]),
            code=code("test_gene_sets"),
        ),
    script:
        "../scripts/test_gene_sets.py"
