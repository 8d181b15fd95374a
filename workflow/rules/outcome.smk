rule test_survival:
    """Test LAMM cells against follow-up, before infusion and from landmarks after it, and draw both.

    Tests and figures are one job: each takes less time than to start another one.
    """
    input:
        counts="<results>/abundance/counts.tsv",
        scores="<results>/abundance/scores.tsv",
        samples="<results>/design/samples.tsv",
    output:
        tests=ensure("<results>/outcome/survival.tsv", non_empty=True),
        patients=ensure("<results>/outcome/survival_patients.tsv", non_empty=True),
        excluded=ensure("<results>/outcome/survival_excluded.tsv", non_empty=True),
        curves=ensure("<results>/outcome/curves.tsv", non_empty=True),
        pngs=report(
            expand("<results>/figures/cohort/{figure}.png", figure=figure_names("survival")),
            caption="../report/cohort.rst",
            category="Cohort",
        ),
        pdfs=expand("<results>/figures/cohort/{figure}.pdf", figure=figure_names("survival")),
    log:
        "<logs>/test_survival.log",
    benchmark:
        "<benchmarks>/test_survival.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(800, 20),
    params:
        **named(
            endpoints=ENDPOINTS,
            settings={
                "denominator": config["primary"]["denominator"],
                "timepoints": config["timepoints"],
                **{
                    key: config["survival"][key]
                    for key in ("adjust", "where", "response_day", "horizon")
                },
                **ABUNDANCE_TESTS,
                "sorts": config["sorts"],
            },
            permutation=PERMUTATION,
            seed=config["seed"],
            dpi=config["report"]["dpi"],
            figures=drawing_functions("survival"),
            code=code("test_survival", *drawing_functions("survival").values()),
        ),
    script:
        "../scripts/test_survival.py"
