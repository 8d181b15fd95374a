rule label_cells:
    """Label some samples' kept cells with a CellTypist model."""
    input:
        shards=shards_of_part,
        cells="<results>/joint/cells.parquet",
        reference="<results>/joint/reference.tsv.gz",
    output:
        labels="<results>/annotation/labels/{part}.parquet",
    log:
        "<logs>/label_cells/{part}.log",
    benchmark:
        "<benchmarks>/label_cells/{part}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(800, 40, of=max),
    params:
        **named(
            samples=samples_of_part,
            model=config_path("annotation", "celltypist_model"),
            model_content=content(TYPE_MODEL),
            trusted=config["annotation"]["celltypist_trusted"],
            code=code("label_cells"),
        ),
    script:
        "../scripts/label_cells.py"


rule annotate_cells:
    """Annotate clusters and cells with the types of the marker panel."""
    input:
        labels=collect(
            "<results>/annotation/labels/{part}.parquet", part=KEPT_PARTS if TYPE_MODEL else []
        ),
        counts=collect("<results>/joint/panel/{part}.npz", part=KEPT_PARTS),
        cells="<results>/joint/cells.parquet",
        space=JOINT_SPACE,
        clusters="<results>/joint/clusters.parquet",
    output:
        types="<results>/annotation/types.parquet",
        clusters=ensure("<results>/annotation/cluster_types.tsv", non_empty=True),
        missing=ensure("<results>/annotation/missing_markers.tsv", non_empty=True),
    log:
        "<logs>/annotate_cells.log",
    benchmark:
        "<benchmarks>/annotate_cells.tsv"
    priority: FIRST
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 5),
    params:
        **named(
            settings=TYPE_SETTINGS,
            search=NEIGHBOR_SEARCH,
            panel=config_path("annotation", "panel"),
            panel_content=content(config["annotation"]["panel"]),
            code=code("annotate_cells"),
        ),
    script:
        "../scripts/annotate_cells.py"


rule call_lamm:
    """Call LAMM cells within the monocytic lineage, and CAR-T cells, blind to response."""
    input:
        counts=collect("<results>/joint/panel/{part}.npz", part=KEPT_PARTS),
        cells="<results>/joint/cells.parquet",
        neighbors="<results>/joint/neighbors.npz",
        space=JOINT_SPACE,
        types="<results>/annotation/types.parquet",
    output:
        cells="<results>/annotation/cells.parquet",
    log:
        "<logs>/call_lamm.log",
    benchmark:
        "<benchmarks>/call_lamm.tsv"
    priority: FIRST
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 5),
    params:
        **named(
            settings=CALL_SETTINGS,
            before_infusion=[sample for sample, phase in PHASES.items() if phase == "pre"],
            car_sorted=CAR_SORTED,
            car_probability=config["car"]["probability"],
            search=NEIGHBOR_SEARCH,
            batches=batches(),
            files=call_files,
            files_content=content(*(config["lamm"][name] for name in CALL_FILES)),
            code=code("call_lamm"),
        ),
    script:
        "../scripts/call_lamm.py"


rule measure_recall:
    """Measure how many macrophage-like cells are found by their number, and correct numbers for it."""
    input:
        counts=collect("<results>/joint/panel/{part}.npz", part=KEPT_PARTS),
        index="<results>/joint/cells.parquet",
        space=JOINT_SPACE,
        cells="<results>/annotation/cells.parquet",
    output:
        recall=ensure("<results>/annotation/recall.tsv", non_empty=True),
        numbers=ensure("<results>/annotation/corrected.tsv", non_empty=True),
    log:
        "<logs>/measure_recall.log",
    benchmark:
        "<benchmarks>/measure_recall.tsv"
    priority: FIRST
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 5),
    params:
        **named(
            settings=CALL_SETTINGS,
            samples=SAMPLES,
            search=NEIGHBOR_SEARCH,
            batches=batches(),
            files=call_files,
            files_content=content(*(config["lamm"][name] for name in CALL_FILES)),
            code=code("measure_recall"),
        ),
    script:
        "../scripts/measure_recall.py"


rule describe_cells:
    """Describe the evidence for the calls: genes per cluster, calls and CAR status per sample."""
    input:
        counts=collect("<results>/joint/panel/{part}.npz", part=KEPT_PARTS),
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        types="<results>/annotation/cluster_types.tsv",
    output:
        clusters=ensure("<results>/annotation/clusters.tsv", non_empty=True),
        genes=ensure("<results>/annotation/cluster_genes.tsv", non_empty=True),
        populations=ensure("<results>/annotation/population_genes.tsv", non_empty=True),
        calls=ensure("<results>/annotation/calls.tsv", non_empty=True),
        signature=ensure("<results>/annotation/lamm_genes.tsv", non_empty=True),
        car=ensure("<results>/annotation/car.tsv", non_empty=True),
    log:
        "<logs>/describe_cells.log",
    benchmark:
        "<benchmarks>/describe_cells.tsv"
    priority: SOON
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 10),
    params:
        **named(
            genes=LAMM_GENES,
            state_genes=config_path("lamm", "state_genes"),
            state_genes_content=content(config["lamm"]["state_genes"]),
            phases=PHASES,
            vetoes=list(config["lamm"]["vetoes"]),
            probability=config["lamm"]["probability"],
            code=code("describe_cells"),
        ),
    script:
        "../scripts/describe_cells.py"


rule score_states:
    """Score gene programs in myeloid cells and in T cells, and sum those of T cells per sample."""
    input:
        counts=collect("<results>/joint/panel/{part}.npz", part=KEPT_PARTS),
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        neighbors="<results>/joint/neighbors.npz",
        space=JOINT_SPACE,
    output:
        scores="<results>/annotation/states.parquet",
        t_scores="<results>/annotation/t_states.parquet",
        means=ensure("<results>/annotation/states.tsv", non_empty=True),
        sets=ensure("<results>/annotation/state_genes.tsv", non_empty=True),
        programs=ensure("<results>/axis/programs.tsv", non_empty=True),
        measures=ensure("<results>/axis/measures.tsv", non_empty=True),
    log:
        "<logs>/score_states.log",
    benchmark:
        "<benchmarks>/score_states.tsv"
    priority: SOON
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 8),
    params:
        **named(
            min_cells=config["expression"]["min_cells"],
            gene_sets=config_path("annotation", "states"),
            gene_sets_content=content(*config["annotation"]["states"]),
            programs=config_path("axis", "states"),
            programs_content=content(*config["axis"]["states"]),
            states={key: config["axis"][key] for key in ("leading", "min_lead")},
            search=NEIGHBOR_SEARCH | {"n_neighbors": config["axis"]["n_neighbors"]},
            car_sorted=CAR_SORTED,
            code=code("score_states"),
        ),
    script:
        "../scripts/score_states.py"


rule sum_groups:
    """Sum counts over clusters and populations, and estimate the populations' ambient RNA."""
    input:
        shards=shards_of_part,
        contamination=contamination_of_part,
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        reference="<results>/joint/reference.tsv.gz",
    output:
        clusters="<results>/annotation/sums/{part}.npz",
        populations="<results>/expression/sums/{part}.npz",
        ambient="<results>/expression/ambient/{part}.npz",
    log:
        "<logs>/sum_groups/{part}.log",
    benchmark:
        "<benchmarks>/sum_groups/{part}.tsv"
    priority: SOON
    group:
        grouped("expression")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(650, 30, of=max),
    params:
        **named(
            samples=samples_of_part,
            lamm={"probability": config["lamm"]["probability"]},
            rows=TESTED_LAMM_ROWS,
            code=code("sum_groups"),
        ),
    script:
        "../scripts/sum_groups.py"


rule find_markers:
    """Rank marker genes of the clusters by effect size over samples."""
    input:
        sums=collect("<results>/annotation/sums/{part}.npz", part=KEPT_PARTS),
        cells="<results>/joint/cells.parquet",
    output:
        markers=ensure("<results>/annotation/markers.tsv", non_empty=True),
    log:
        "<logs>/find_markers.log",
    benchmark:
        "<benchmarks>/find_markers.tsv"
    group:
        grouped("expression")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(600, 0),
    params:
        **named(
            n_top=config["clustering"]["n_markers"],
            min_pct=config["clustering"]["min_pct"],
            code=code("find_markers"),
        ),
    script:
        "../scripts/find_markers.py"
