EXTRA_MEASURES = []  # further tables of measures of T cells
SUPPLY = []  # a table of measures of senders, for associations


rule test_states:
    """Test programs and states of T cells in all contrasts, and their associations with LAMM cells."""
    input:
        measures=["<results>/axis/measures.tsv", *EXTRA_MEASURES],
        supply=SUPPLY,
        counts="<results>/abundance/counts.tsv",
        scores="<results>/abundance/scores.tsv",
        quality="<results>/qc/summary.tsv",
        samples="<results>/design/samples.tsv",
    output:
        tables=ensure(
            collect("<results>/axis/states.{contrast}.tsv", contrast=CONTRASTS), non_empty=True
        ),
        associations=ensure("<results>/axis/associations.tsv", non_empty=True),
        patients=ensure("<results>/axis/associations_patients.tsv.gz", non_empty=True),
    log:
        "<logs>/test_states.log",
    benchmark:
        "<benchmarks>/test_states.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 4),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            min_cells={
                "lamm": ABUNDANCE_TESTS["min_cells"],
                "t": EXPRESSION_TESTS["min_cells"],
            },
            permutation=PERMUTATION,
            timepoints=config["timepoints"],
            sorts=config["sorts"],
            seed=config["seed"],
            code=code("test_states"),
        ),
    script:
        "../scripts/test_states.py"
