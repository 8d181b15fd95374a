PRIMARY = config["primary"]["contrast"]
PRIMARY_TABLES = [f"<results>/abundance/{PRIMARY}.tsv"] if PRIMARY in CONTRASTS else []


rule write_definition:
    """Write the definition of the primary comparison, with its result, for a second cohort."""
    input:
        abundance=PRIMARY_TABLES,
        samples="<results>/design/samples.tsv",
        shards=collect("<results>/shards/{sample}.h5ad", sample=SAMPLES),
    output:
        definition=ensure("<results>/definition.yaml", non_empty=True),
    log:
        "<logs>/write_definition.log",
    benchmark:
        "<benchmarks>/write_definition.tsv"
    group:
        "test"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 0),
    params:
        **named(
            config={key: RUN.config[key] for key in definition.SECTIONS_READ},
            contrasts={name: each for name, each in CONTRASTS.items() if name == PRIMARY},
            contents=content(*(config[section][key] for section, key in definition.FILES)),
            code=code("write_definition"),
        ),
    script:
        "../scripts/write_definition.py"


rule test_replication:
    """Test the primary result of a first cohort in this one: one row, in the first direction."""
    input:
        abundance=PRIMARY_TABLES,
        counts="<results>/abundance/counts.tsv",
        samples="<results>/design/samples.tsv",
    output:
        replication=ensure("<results>/outcome/replication.tsv", non_empty=True),
    log:
        "<logs>/test_replication.log",
    benchmark:
        "<benchmarks>/test_replication.tsv"
    group:
        "test"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 20),
    params:
        **named(
            first=RUN.definition.estimate if RUN.definition else {},
            contrast=CONTRASTS.get(PRIMARY, {}),
            settings=ABUNDANCE_TESTS,
            permutation=PERMUTATION,
            sorts=config["sorts"],
            seed=config["seed"],
            code=code("test_replication"),
        ),
    script:
        "../scripts/test_replication.py"


rule draw_replication:
    """Draw the primary result of the first cohort and of this one."""
    input:
        replication="<results>/outcome/replication.tsv",
    output:
        pngs=shown("replication"),
        pdfs=expand("<results>/figures/cohort/{figure}.pdf", figure=figure_names("replication")),
    log:
        "<logs>/draw_replication.log",
    benchmark:
        "<benchmarks>/draw_replication.tsv"
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 4),
    params:
        **named(
            dpi=config["report"]["dpi"],
            figures=drawing_functions("replication"),
            code=drawing_code("replication"),
        ),
    script:
        "../scripts/draw_replication.py"


rule save_follow_up:
    """Save the follow-up of each patient, as `save_samples` does the other columns."""
    output:
        follow_up=ensure("<results>/design/follow_up.tsv", non_empty=True),
    log:
        "<logs>/save_follow_up.log",
    benchmark:
        "<benchmarks>/save_follow_up.tsv"
    localrule: True
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 4),
    params:
        **named(
            table=sample_table_text(
                RUN.samples[["patient", *FOLLOW_UP]].drop_duplicates("patient")
            ),
            code=code("save_follow_up"),
        ),
    script:
        "../scripts/save_follow_up.py"


rule test_survival:
    """Test LAMM cells against follow-up, before infusion and from landmarks after it, and draw both.

    Tests and figures are one job: each takes less time than to start another one.
    """
    input:
        counts="<results>/abundance/counts.tsv",
        scores="<results>/abundance/scores.tsv",
        samples="<results>/design/samples.tsv",
        follow_up="<results>/design/follow_up.tsv",
    output:
        tests=ensure("<results>/outcome/survival.tsv", non_empty=True),
        patients=ensure("<results>/outcome/survival_patients.tsv", non_empty=True),
        excluded=ensure("<results>/outcome/survival_excluded.tsv", non_empty=True),
        curves=ensure("<results>/outcome/curves.tsv", non_empty=True),
        pngs=shown("survival"),
        pdfs=expand("<results>/figures/cohort/{figure}.pdf", figure=figure_names("survival")),
    log:
        "<logs>/test_survival.log",
    benchmark:
        "<benchmarks>/test_survival.tsv"
    group:
        "test"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 20),
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
