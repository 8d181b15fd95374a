rule judge_samples:
    """Judge each sample as a whole, and name those that fail."""
    input:
        qc=collect("<results>/qc/{sample}.parquet", sample=SAMPLES),
        moments=collect("<results>/qc/{sample}.moments.parquet", sample=SAMPLES),
        contamination=collect("<results>/qc/{sample}.contamination.tsv", sample=SAMPLES),
    output:
        verdicts=ensure("<results>/qc/verdicts.tsv", non_empty=True),
    log:
        "<logs>/judge_samples.log",
    benchmark:
        "<benchmarks>/judge_samples.tsv"
    group:
        "prepare"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 1),
    params:
        **named(
            samples=SAMPLES,
            patients=values_of("patient"),
            sexes=values_of("sex"),
            min_cells=config["qc"]["min_cells"],
            code=code("judge_samples"),
        ),
    script:
        "../scripts/judge_samples.py"


rule select_cells:
    """Compare the samples' barcodes, select those that are cells, and write the cell index."""
    input:
        qc=collect("<results>/qc/{sample}.parquet", sample=SAMPLES),
        doublets=collect("<results>/doublets/{channel}.parquet", channel=CHANNELS),
        verdicts=verdicts_to_drop,
    output:
        cells="<results>/joint/cells.parquet",
        summary="<results>/qc/summary.tsv",
        lineages="<results>/qc/lineages.tsv",
    log:
        "<logs>/select_cells.log",
    benchmark:
        "<benchmarks>/select_cells.tsv"
    priority: FIRST
    group:
        "prepare"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 20),
    params:
        **named(
            samples=SAMPLES,
            patients=SHEET["patient"].tolist(),
            channels=SHEET["channel"].tolist(),
            remove_doublets=config["doublets"]["remove"],
            code=code("select_cells"),
        ),
    script:
        "../scripts/select_cells.py"


rule match_genes:
    """Match genes across samples, and refuse samples of another reference."""
    input:
        moments=collect("<results>/qc/{sample}.moments.parquet", sample=SAMPLES),
    output:
        reference=ensure("<results>/joint/reference.tsv.gz", non_empty=True),
        matches=ensure("<results>/qc/gene_matches.tsv", non_empty=True),
    log:
        "<logs>/match_genes.log",
    benchmark:
        "<benchmarks>/match_genes.tsv"
    priority: SOON
    group:
        "prepare"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 3),
    params:
        **named(
            samples=SAMPLES,
            min_overlap=config["genes"]["min_overlap"],
            definers=config["lamm"]["definers"],
            code=code("match_genes"),
        ),
    script:
        "../scripts/match_genes.py"


rule note_genes:
    """Note which mitochondrial genes, panel genes and defining markers each sample lacks."""
    input:
        moments=collect("<results>/qc/{sample}.moments.parquet", sample=SAMPLES),
        reference="<results>/joint/reference.tsv.gz",
        matches="<results>/qc/gene_matches.tsv",
    output:
        overlap=ensure("<results>/qc/gene_overlap.tsv", non_empty=True),
    log:
        "<logs>/note_genes.log",
    benchmark:
        "<benchmarks>/note_genes.tsv"
    group:
        "prepare"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 3),
    params:
        **named(
            samples=SAMPLES,
            definers=config["lamm"]["definers"],
            panel=config_path("annotation", "panel"),
            panel_content=content(config["annotation"]["panel"]),
            code=code("note_genes"),
        ),
    script:
        "../scripts/note_genes.py"


rule select_genes:
    """Select the highly variable genes from the samples' moments."""
    input:
        moments=collect("<results>/qc/{sample}.moments.parquet", sample=SAMPLES),
        reference="<results>/joint/reference.tsv.gz",
    output:
        genes=ensure("<results>/joint/genes.tsv", non_empty=True),
    log:
        "<logs>/select_genes.log",
    benchmark:
        "<benchmarks>/select_genes.tsv"
    priority: SOON
    group:
        "prepare"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 1),
    params:
        **named(
            settings={k: v for k, v in config["genes"].items() if k != "min_overlap"},
            car_features=config["car"]["features"],
            code=code("select_genes"),
        ),
    script:
        "../scripts/select_genes.py"


rule extract_genes:
    """Extract the counts of the variable genes in some samples' kept cells."""
    input:
        shards=shards_of_part,
        cells="<results>/joint/cells.parquet",
        genes="<results>/joint/genes.tsv",
        reference="<results>/joint/reference.tsv.gz",
    output:
        counts="<results>/joint/hvg/{part}.npz",
    log:
        "<logs>/extract_genes/{part}.log",
    benchmark:
        "<benchmarks>/extract_genes/{part}.tsv"
    priority: FIRST
    group:
        "extract"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 20, of=max),
    params:
        **named(
            samples=samples_of_part,
            code=code("extract_genes"),
        ),
    script:
        "../scripts/extract_genes.py"


rule extract_panel:
    """Extract the counts of markers, gene sets and CAR features in some samples' kept cells."""
    input:
        shards=shards_of_part,
        cells="<results>/joint/cells.parquet",
        reference="<results>/joint/reference.tsv.gz",
    output:
        counts="<results>/joint/panel/{part}.npz",
    log:
        "<logs>/extract_panel/{part}.log",
    benchmark:
        "<benchmarks>/extract_panel/{part}.tsv"
    group:
        "extract"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 20, of=max),
    params:
        **named(
            samples=samples_of_part,
            lamm_genes=LAMM_GENES,
            state_genes=config_path("lamm", "state_genes"),
            state_genes_content=content(config["lamm"]["state_genes"]),
            car_features=config["car"]["features"],
            panel=config_path("annotation", "panel"),
            panel_content=content(config["annotation"]["panel"]),
            signatures=config_path("annotation", "states"),
            signatures_content=content(*config["annotation"]["states"]),
            programs=config_path("axis", "states"),
            programs_content=content(*config["axis"]["states"]),
            code=code("extract_panel"),
        ),
    script:
        "../scripts/extract_panel.py"


rule embed_cells:
    """Compute principal components of the variable genes over all cells."""
    input:
        counts=collect("<results>/joint/hvg/{part}.npz", part=KEPT_PARTS),
        cells="<results>/joint/cells.parquet",
    output:
        pca="<results>/joint/pca.npz",
    log:
        "<logs>/embed_cells.log",
    benchmark:
        "<benchmarks>/embed_cells.tsv"
    priority: FIRST
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(550, 1.5),
    params:
        **named(
            n_pcs=config["integration"]["n_pcs"],
            threads=1,
            code=code("embed_cells"),
        ),
    script:
        "../scripts/embed_cells.py"


INTEGRATION_INPUT = {
    COMPONENTS: ["<results>/joint/pca.npz"],
    COUNTS: collect("<results>/joint/hvg/{part}.npz", part=KEPT_PARTS),
}
for name, method in METHODS.items():
    settings = config["integration"].get(name, {})
    model = {"model": directory(f"<results>/joint/{name}_model")} if method.saves_model else {}

    rule:
        """Compute an integrated embedding of all cells by one of the methods."""
        name:
            f"integrate_{name}"
        input:
            data=INTEGRATION_INPUT[method.reads],
            cells="<results>/joint/cells.parquet",
        output:
            **model,
            space=f"<results>/joint/{name}.npz",
        log:
            f"<logs>/integrate_{name}.log",
        benchmark:
            f"<benchmarks>/integrate_{name}.tsv"
        priority: FIRST
        group:
            grouped("joint")
        conda:
            f"../../envs/{method.environment}.yaml"
        threads: JOINT_THREADS if method.reads == COMPONENTS else config["threads"]
        resources:
            **needs(*method.memory, minutes=MINUTES if method.reads == COMPONENTS else TRAINING),
        params:
            **named(
                method=name,
                reads=method.reads,
                batches=batches(),
                covariates={
                    column: values_of(column) for column in settings.get("covariates", [])
                },
                settings={key: value for key, value in settings.items() if key != "covariates"},
                seed=config["seed"],
                threads=config["threads"],
                code=code("integrate_cells", without=tuple(other_modules(name))),
            ),
        script:
            "../scripts/integrate_cells.py"


rule score_integration:
    """Compare embeddings: batches mixed, structure kept, populations and LAMM cells lost."""
    input:
        spaces=[SPACES[method] for method in COMPARED],
        counts=collect("<results>/joint/panel/{part}.npz", part=KEPT_PARTS),
        cells="<results>/joint/cells.parquet",
    output:
        scores=ensure("<results>/joint/integration_scores.tsv", non_empty=True),
        lost=ensure("<results>/joint/lost_populations.tsv", non_empty=True),
        lamm=ensure("<results>/joint/lamm_kept.tsv", non_empty=True),
    log:
        "<logs>/score_integration.log",
    benchmark:
        "<benchmarks>/score_integration.tsv"
    priority: SOON
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(650, 4),
    params:
        **named(
            methods=COMPARED,
            method=METHOD,
            batches=batches(),
            annotation=TYPE_SETTINGS,
            lamm=CALL_SETTINGS,
            search={key: config["clustering"][key] for key in ("n_neighbors", "resolution")},
            seed=config["seed"],
            threads=1,
            panel=config_path("annotation", "panel"),
            panel_content=content(config["annotation"]["panel"]),
            files=call_files,
            files_content=content(*(config["lamm"][name] for name in CALL_FILES)),
            code=code("score_integration"),
        ),
    script:
        "../scripts/score_integration.py"


rule choose_space:
    """Take the embedding that `integration.method: auto` chose."""
    input:
        spaces=[SPACES[method] for method in COMPARED],
        scores="<results>/joint/integration_scores.tsv",
        cells="<results>/joint/cells.parquet",
    output:
        space="<results>/joint/auto.npz",
    log:
        "<logs>/choose_space.log",
    benchmark:
        "<benchmarks>/choose_space.tsv"
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 4),
    params:
        **named(
            methods=COMPARED,
            code=code("choose_space"),
        ),
    script:
        "../scripts/choose_space.py"


rule find_neighbors:
    """Find the nearest neighbors of every cell in the integrated embedding."""
    input:
        space=JOINT_SPACE,
        cells="<results>/joint/cells.parquet",
    output:
        neighbors="<results>/joint/neighbors.npz",
    log:
        "<logs>/find_neighbors.log",
    benchmark:
        "<benchmarks>/find_neighbors.tsv"
    priority: FIRST
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    threads: JOINT_THREADS
    resources:
        **needs(400, 8),
    params:
        **named(
            n_neighbors=config["clustering"]["n_neighbors"],
            seed=config["seed"],
            threads=config["threads"],
            code=code("find_neighbors"),
        ),
    script:
        "../scripts/find_neighbors.py"


rule cluster_cells:
    """Find Leiden clusters of the neighborhood graph."""
    input:
        neighbors="<results>/joint/neighbors.npz",
        cells="<results>/joint/cells.parquet",
    output:
        clusters="<results>/joint/clusters.parquet",
    log:
        "<logs>/cluster_cells.log",
    benchmark:
        "<benchmarks>/cluster_cells.tsv"
    priority: FIRST
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 18),
    params:
        **named(
            resolution=config["clustering"]["resolution"],
            seed=config["seed"],
            code=code("cluster_cells"),
        ),
    script:
        "../scripts/cluster_cells.py"


rule compare_resolutions:
    """Cluster cells at other resolutions, and measure the stability of each resolution."""
    input:
        space=JOINT_SPACE,
        neighbors="<results>/joint/neighbors.npz",
        clusters="<results>/joint/clusters.parquet",
        cells="<results>/joint/cells.parquet",
    output:
        clusters="<results>/joint/resolutions.parquet",
        stability=ensure("<results>/joint/stability.tsv", non_empty=True),
    log:
        "<logs>/compare_resolutions.log",
    benchmark:
        "<benchmarks>/compare_resolutions.tsv"
    priority: SOON
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 12),
    params:
        **named(
            resolution=config["clustering"]["resolution"],
            resolutions=RESOLUTIONS,
            n_neighbors=config["clustering"]["n_neighbors"],
            seed=config["seed"],
            threads=1,
            code=code("compare_resolutions"),
        ),
    script:
        "../scripts/compare_resolutions.py"


rule project_umap:
    """Compute the UMAP of the neighborhood graph."""
    input:
        space=JOINT_SPACE,
        neighbors="<results>/joint/neighbors.npz",
        cells="<results>/joint/cells.parquet",
    output:
        umap="<results>/joint/umap.npz",
    log:
        "<logs>/project_umap.log",
    benchmark:
        "<benchmarks>/project_umap.tsv"
    priority: SOON
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 4),
    params:
        **named(
            min_dist=config["clustering"]["min_dist"],
            epochs=config["clustering"]["umap_epochs"],
            max_cells=config["clustering"]["umap_cells"],
            seed=config["seed"],
            code=code("project_umap"),
        ),
    script:
        "../scripts/project_umap.py"
