TEMPLATES = HOME / "lammscope" / "report" / "template"


rule save_config:
    """Save the config with all defaults."""
    output:
        config="<results>/config.yaml",
    log:
        "<logs>/save_config.log",
    benchmark:
        "<benchmarks>/save_config.tsv"
    localrule: True
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(400, 4),
    params:
        **named(
            config=RUN.config,
            code=code("save_config"),
        ),
    script:
        "../scripts/save_config.py"


rule assemble_cohort:
    """Write all kept cells and all genes to one AnnData file, sample by sample."""
    input:
        shards=collect("<results>/shards/{sample}.h5ad", sample=SAMPLES),
        reference="<results>/joint/reference.tsv.gz",
        genes="<results>/joint/genes.tsv",
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        pca="<results>/joint/pca.npz",
        space=JOINT_SPACE,
        scores="<results>/joint/integration_scores.tsv",
        umap="<results>/joint/umap.npz",
        sheets=[
            "<results>/design/samples.tsv",
            *["<results>/design/follow_up.tsv"] * ("survival" in EXTRAS),
        ],
        pseudobulk=["<results>/expression/pseudobulk.h5ad"] * config["ambient"]["correct"],
    output:
        cohort="<results>/cohort.h5ad",
    log:
        "<logs>/assemble_cohort.log",
    benchmark:
        "<benchmarks>/assemble_cohort.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(700, 0.4),
    params:
        **named(
            samples=SAMPLES,
            obsm={method: obsm_name(method) for method in COMPARED},
            log_normalised=config["assembly"]["log_normalised"],
            title=config["report"]["title"],
            cell_ontology=content("resources/markers/cell_ontology.tsv"),
            code=code("assemble_cohort"),
        ),
    script:
        "../scripts/assemble_cohort.py"


rule draw_quality:
    """Draw quality control: barcodes, ambient RNA, losses by lineage, doublets and contamination."""
    input:
        qc=collect("<results>/qc/{sample}.parquet", sample=SAMPLES),
        contamination=collect("<results>/qc/{sample}.contamination.tsv", sample=SAMPLES),
        doublets=collect("<results>/doublets/{channel}.parquet", channel=CHANNELS),
        lineages="<results>/qc/lineages.tsv",
        verdicts="<results>/qc/verdicts.tsv",
        samples="<results>/design/samples.tsv",
    output:
        pngs=shown("quality"),
        pdfs=expand("<results>/figures/cohort/{figure}.pdf", figure=figure_names("quality")),
    log:
        "<logs>/draw_quality.log",
    benchmark:
        "<benchmarks>/draw_quality.tsv"
    priority: SOON
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(800, 12),
    params:
        **named(
            samples=SAMPLES,
            labels=LABELS,
            channels=list(CHANNELS),
            thresholds={
                key: config["qc"][key] for key in ("min_counts", "min_genes", "max_pct_mt")
            },
            dpi=config["report"]["dpi"],
            figures=drawing_functions("quality"),
            code=drawing_code("quality"),
        ),
    script:
        "../scripts/draw_quality.py"


rule draw_cohort:
    """Draw quality, UMAPs, composition and LAMM cells of the cohort."""
    input:
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        umap="<results>/joint/umap.npz",
        neighbors="<results>/joint/neighbors.npz",
        panel=collect("<results>/joint/panel/{part}.npz", part=KEPT_PARTS),
        qc=collect("<results>/qc/{sample}.parquet", sample=SAMPLES),
        summary="<results>/qc/summary.tsv",
        counts="<results>/abundance/counts.tsv",
        samples="<results>/design/samples.tsv",
    output:
        pngs=shown("cohort"),
        pdfs=expand("<results>/figures/cohort/{figure}.pdf", figure=figure_names("cohort")),
    log:
        "<logs>/draw_cohort.log",
    benchmark:
        "<benchmarks>/draw_cohort.tsv"
    priority: SOON
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(750, 5),
    params:
        **named(
            samples=SAMPLES,
            labels=LABELS,
            definers=config["lamm"]["definers"],
            thresholds=config["qc"],
            min_cells=config["abundance"]["min_cells"],
            max_points=config["report"]["max_points"],
            seed=config["seed"],
            dpi=config["report"]["dpi"],
            figures=drawing_functions("cohort"),
            code=drawing_code("cohort"),
        ),
    script:
        "../scripts/draw_cohort.py"


rule gather_cell_map:
    """Gather what the interactive map of the cells shows."""
    input:
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        umap="<results>/joint/umap.npz",
        panel=collect("<results>/joint/panel/{part}.npz", part=KEPT_PARTS),
        clusters="<results>/annotation/clusters.tsv",
        samples="<results>/design/samples.tsv",
    output:
        data="<results>/figures/cohort/cell_map.json",
    log:
        "<logs>/gather_cell_map.log",
    benchmark:
        "<benchmarks>/gather_cell_map.tsv"
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 4),
    params:
        **named(
            definers=config["lamm"]["definers"],
            labels=LABELS,
            seed=config["seed"],
            code=code("gather_cell_map"),
        ),
    script:
        "../scripts/gather_cell_map.py"


rule draw_evidence:
    """Draw the evidence for cell types and LAMM calls."""
    input:
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        clusters="<results>/annotation/clusters.tsv",
        cluster_genes="<results>/annotation/cluster_genes.tsv",
        calls="<results>/annotation/calls.tsv",
        states="<results>/annotation/states.tsv",
        samples="<results>/design/samples.tsv",
    output:
        pngs=shown("evidence"),
        pdfs=expand("<results>/figures/cohort/{figure}.pdf", figure=figure_names("evidence")),
    log:
        "<logs>/draw_evidence.log",
    benchmark:
        "<benchmarks>/draw_evidence.tsv"
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 25),
    params:
        **named(
            definers=config["lamm"]["definers"],
            labels=LABELS,
            min_cells=config["abundance"]["min_cells"],
            dpi=config["report"]["dpi"],
            panel=config_path("annotation", "panel"),
            panel_content=content(config["annotation"]["panel"]),
            figures=drawing_functions("evidence"),
            code=drawing_code("evidence"),
        ),
    script:
        "../scripts/draw_evidence.py"


rule draw_contrast:
    """Draw LAMM cells per patient, abundance and expression of all contrasts."""
    input:
        counts="<results>/abundance/counts.tsv",
        abundance=collect("<results>/abundance/{contrast}.tsv", contrast=CONTRASTS),
        robustness=collect("<results>/abundance/robustness.{contrast}.tsv", contrast=CONTRASTS),
        expression=collect("<results>/expression/{contrast}.tsv.gz", contrast=CONTRASTS),
        samples="<results>/design/samples.tsv",
    output:
        pngs=shown_by_contrast("contrast"),
        pdfs=[path for _, path in contrast_figures("contrast", "pdf")],
    log:
        "<logs>/draw_contrast.log",
    benchmark:
        "<benchmarks>/draw_contrast.tsv"
    priority: SOON
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(580, 20),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            lamm={key: config["lamm"][key] for key in ("level", "probability")},
            denominator=config["primary"]["denominator"],
            cells={key: config["abundance"][key] for key in ("min_cells", "exclude_pre_post")},
            max_fdr=config["report"]["max_fdr"],
            n_labels=config["report"]["n_labels"],
            dpi=config["report"]["dpi"],
            figures=drawing_functions("contrast"),
            code=drawing_code("contrast"),
        ),
    script:
        "../scripts/draw_contrast.py"


rule draw_expression:
    """Draw the top genes of all contrasts by patient."""
    input:
        pseudobulk="<results>/expression/pseudobulk.h5ad",
        tables=collect("<results>/expression/{contrast}.tsv.gz", contrast=CONTRASTS),
        samples="<results>/design/samples.tsv",
    output:
        pngs=shown_by_contrast("expression"),
        pdfs=[path for _, path in contrast_figures("expression", "pdf")],
    log:
        "<logs>/draw_expression.log",
    benchmark:
        "<benchmarks>/draw_expression.tsv"
    priority: SOON
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 10),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            min_cells=config["expression"]["min_cells"],
            dpi=config["report"]["dpi"],
            figures=drawing_functions("expression"),
            code=drawing_code("expression"),
        ),
    script:
        "../scripts/draw_expression.py"


rule write_report:
    """Write the report: one HTML file with all figures and tables."""
    input:
        **report_tables(),
        index="<results>/joint/cells.parquet",
        cell_map="<results>/figures/cohort/cell_map.json",
        figures=[
            collect(
                "<results>/figures/cohort/{figure}.png",
                figure=figure_names("quality", "cohort", "evidence", "associations", *EXTRAS),
            ),
            collect(
                "<results>/figures/{contrast}/{figure}.png",
                contrast=CONTRASTS,
                figure=figure_names("contrast", "expression", "neighborhoods", "axis"),
            ),
        ],
    output:
        report=report(
            "<results>/report.html",
            caption="../report/report.rst",
            category="1 Report",
            labels={"file": "report.html"},
        ),
        methods="<results>/methods.md",
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 8),
    params:
        **named(
            config=RUN.config,
            contrasts=CONTRASTS,
            files=content(*(path for _, path in named_files(RUN.config))),
            labels=LABELS,
            templates=content(*sorted(TEMPLATES.rglob("*.*"))),
            code=code("write_report"),
        ),
    script:
        "../scripts/write_report.py"
