THRESHOLDS = multiverse.counted_thresholds(config)


rule save_samples:
    """Save the checked sample table: both sheets with phase and response of each sample.

    The table is a param and the sheets are not input, so that reruns depend only on content.
    Contigs, follow-up and labels are left out: added or changed later, they rerun only what reads
    them.
    """
    output:
        samples=ensure("<results>/design/samples.tsv", non_empty=True),
    log:
        "<logs>/save_samples.log",
    benchmark:
        "<benchmarks>/save_samples.tsv"
    localrule: True
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 4),
    params:
        **named(
            table=sample_table_text(RUN.samples.drop(columns=NOT_ANALYZED, errors="ignore")),
            code=code("save_samples"),
        ),
    script:
        "../scripts/save_samples.py"


rule audit_design:
    """Audit the design: arms, pairs, aliasing, confounding, the smallest p, and ambient RNA."""
    input:
        samples="<results>/design/samples.tsv",
        shards=collect("<results>/shards/{sample}.h5ad", sample=SAMPLES),
        contamination=collect("<results>/qc/{sample}.contamination.tsv", sample=SAMPLES),
    output:
        audit=ensure("<results>/design/audit.tsv", non_empty=True),
    log:
        "<logs>/audit_design.log",
    benchmark:
        "<benchmarks>/audit_design.tsv"
    group:
        "prepare"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 0),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            permutation=PERMUTATION,
            sorts=config["sorts"],
            code=code("audit_design"),
        ),
    script:
        "../scripts/audit_design.py"


rule count_cells:
    """Count the cells of every population in every sample."""
    input:
        cells="<results>/annotation/cells.parquet",
        corrected="<results>/annotation/corrected.tsv",
        summary="<results>/qc/summary.tsv",
    output:
        counts=ensure("<results>/abundance/counts.tsv", non_empty=True),
        thresholds=ensure("<results>/abundance/counts.thresholds.tsv", non_empty=True),
        scores=ensure("<results>/abundance/scores.tsv", non_empty=True),
    log:
        "<logs>/count_cells.log",
    benchmark:
        "<benchmarks>/count_cells.tsv"
    priority: FIRST
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 30),
    params:
        **named(
            samples=SAMPLES,
            probability=config["lamm"]["probability"],
            thresholds=THRESHOLDS,
            code=code("count_cells"),
        ),
    script:
        "../scripts/count_cells.py"


rule test_abundance:
    """Test the abundance of populations in all contrasts, and give each row its verdict.

    All contrasts are one job: the LAMM rows of a run are corrected together.
    """
    input:
        counts="<results>/abundance/counts.tsv",
        scores="<results>/abundance/scores.tsv",
        samples="<results>/design/samples.tsv",
    output:
        tables=ensure(
            collect("<results>/abundance/{contrast}.tsv", contrast=CONTRASTS), non_empty=True
        ),
        lamm=ensure("<results>/abundance/lamm.tsv", non_empty=True),
    log:
        "<logs>/test_abundance.log",
    benchmark:
        "<benchmarks>/test_abundance.tsv"
    priority: FIRST
    group:
        "test"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 30),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            primary=config["primary"],
            level=config["lamm"]["level"],
            settings=ABUNDANCE_TESTS,
            permutation=PERMUTATION,
            seed=config["seed"],
            sorts=config["sorts"],
            code=code("test_abundance"),
        ),
    script:
        "../scripts/test_abundance.py"


rule test_robustness:
    """Test LAMM cells again with one choice changed at a time, in all contrasts."""
    input:
        counts="<results>/abundance/counts.tsv",
        scores="<results>/abundance/scores.tsv",
        thresholds="<results>/abundance/counts.thresholds.tsv",
        samples="<results>/design/samples.tsv",
    output:
        tables=ensure(
            collect("<results>/abundance/robustness.{contrast}.tsv", contrast=CONTRASTS),
            non_empty=True,
        ),
    log:
        "<logs>/test_robustness.log",
    benchmark:
        "<benchmarks>/test_robustness.tsv"
    priority: SOON
    group:
        "test"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 20),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            lamm={key: config["lamm"][key] for key in ("level", "probability")},
            denominator=config["primary"]["denominator"],
            settings=ABUNDANCE_TESTS,
            sorts=config["sorts"],
            code=code("test_robustness"),
        ),
    script:
        "../scripts/test_robustness.py"


rule audit_losses:
    """Audit the patients lost because of too few cells: whether one arm loses more than the other."""
    input:
        counts="<results>/abundance/counts.tsv",
        samples="<results>/design/samples.tsv",
        missing=collect("<results>/expression/missing.{contrast}.tsv", contrast=CONTRASTS),
    output:
        losses=ensure("<results>/design/losses.tsv", non_empty=True),
    log:
        "<logs>/audit_losses.log",
    benchmark:
        "<benchmarks>/audit_losses.tsv"
    priority: SOON
    group:
        "test"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 10),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            settings=ABUNDANCE_TESTS,
            min_cells=EXPRESSION_TESTS["min_cells"],
            sorts=config["sorts"],
            code=code("audit_losses"),
        ),
    script:
        "../scripts/audit_losses.py"


rule diagnose_calibration:
    """Check whether the p-values of the primary tests may be too small in this cohort."""
    input:
        counts="<results>/abundance/counts.tsv",
        pseudobulk="<results>/expression/pseudobulk.h5ad",
        samples="<results>/design/samples.tsv",
    output:
        table=ensure("<results>/design/calibration.tsv", non_empty=True),
    log:
        "<logs>/diagnose_calibration.log",
    benchmark:
        "<benchmarks>/diagnose_calibration.tsv"
    group:
        grouped("expression")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 12),
    params:
        **named(
            contrasts=[
                c for name, c in CONTRASTS.items() if name == config["primary"]["contrast"]
            ],
            denominator=config["primary"]["denominator"],
            settings=ABUNDANCE_TESTS,
            permutation=PERMUTATION,
            expression=EXPRESSION_TESTS,
            calibration=config["calibration"],
            sorts=config["sorts"],
            seed=config["seed"],
            code=code("diagnose_calibration"),
        ),
    script:
        "../scripts/diagnose_calibration.py"
