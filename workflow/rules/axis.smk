# Measures of clones are tested beside those of states.
CLONE_MEASURES = ["<results>/axis/clone_measures.tsv"] if WITH_CONTIGS else []


rule count_terms:
    """Count the genes of ligand-receptor pairs in the groups of cells that send or receive."""
    input:
        pseudobulk="<results>/expression/pseudobulk.h5ad",
        sums=collect("<results>/expression/sums/{part}.npz", part=KEPT_PARTS),
        counts="<results>/abundance/counts.tsv",
    output:
        libraries=ensure("<results>/axis/libraries.tsv", non_empty=True),
        terms=ensure("<results>/axis/terms.tsv.gz", non_empty=True),
        supply=ensure("<results>/axis/supply.tsv", non_empty=True),
    log:
        "<logs>/count_terms.log",
    benchmark:
        "<benchmarks>/count_terms.tsv"
    priority: SOON
    group:
        grouped("expression")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 1.5),
    params:
        **named(
            groups=AXIS_GROUPS,
            pair=AXIS_PRIMARY["pair"],
            level=config["lamm"]["level"],
            min_cells=config["expression"]["min_cells"],
            pairs=config_path("axis", "pairs"),
            pairs_content=content(*config["axis"]["pairs"]),
            code=code("count_terms"),
        ),
    script:
        "../scripts/count_terms.py"


rule test_pairs:
    """Test ligand-receptor pairs in all contrasts, with the patient as the unit."""
    input:
        libraries="<results>/axis/libraries.tsv",
        terms="<results>/axis/terms.tsv.gz",
        counts="<results>/abundance/counts.tsv",
        samples="<results>/design/samples.tsv",
    output:
        tables=ensure(
            collect("<results>/axis/pairs.{contrast}.tsv", contrast=CONTRASTS), non_empty=True
        ),
        values=ensure(
            collect("<results>/axis/values.{contrast}.tsv.gz", contrast=CONTRASTS),
            non_empty=True,
        ),
    log:
        "<logs>/test_pairs.log",
    benchmark:
        "<benchmarks>/test_pairs.tsv"
    priority: SOON
    group:
        "test"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 50),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            groups=AXIS_GROUPS,
            primary=AXIS_PRIMARY,
            level=config["lamm"]["level"],
            settings={
                "min_cells": config["expression"]["min_cells"],
                "max_ambient_share": config["expression"]["max_ambient_share"],
                "exclude_pre_post": config["abundance"]["exclude_pre_post"],
                "sorts": config["sorts"],
            },
            permutation=PERMUTATION,
            seed=config["seed"],
            pairs=config_path("axis", "pairs"),
            pairs_content=content(*config["axis"]["pairs"]),
            code=code("test_pairs"),
        ),
    script:
        "../scripts/test_pairs.py"


rule count_clones:
    """Find the clones of T cells, and measure and follow them within patients."""
    input:
        contigs=[given(sample, "contigs") for sample in WITH_CONTIGS],
        qc=collect("<results>/qc/{sample}.parquet", sample=WITH_CONTIGS),
        doublets=collect(
            "<results>/doublets/{channel}.parquet",
            channel=list(dict.fromkeys(SHEET.loc[WITH_CONTIGS, "channel"])),
        ),
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
    output:
        clones=ensure("<results>/axis/clones.tsv", non_empty=True),
        cells="<results>/axis/clones.parquet",
        measures=ensure("<results>/axis/clone_measures.tsv", non_empty=True),
        tracking=ensure("<results>/axis/clone_tracking.tsv", non_empty=True),
        contigs=ensure("<results>/axis/contigs.tsv", non_empty=True),
        doublets=ensure("<results>/axis/clone_doublets.tsv", non_empty=True),
    log:
        "<logs>/count_clones.log",
    benchmark:
        "<benchmarks>/count_clones.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 8),
    params:
        **named(
            samples=contigs_by_sample(),
            states=contig_states(),
            code=code("count_clones"),
        ),
    script:
        "../scripts/count_clones.py"


rule test_states:
    """Test programs and states of T cells in all contrasts, and their associations with LAMM cells."""
    input:
        measures=["<results>/axis/measures.tsv", *CLONE_MEASURES],
        supply=["<results>/axis/supply.tsv"],
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
    priority: SOON
    group:
        "test"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 60),
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


rule draw_axis:
    """Draw ligand-receptor pairs and T cells of all contrasts, and associations across patients."""
    input:
        libraries="<results>/axis/libraries.tsv",
        terms="<results>/axis/terms.tsv.gz",
        tables=collect("<results>/axis/pairs.{contrast}.tsv", contrast=CONTRASTS),
        values=collect("<results>/axis/values.{contrast}.tsv.gz", contrast=CONTRASTS),
        states=collect("<results>/axis/states.{contrast}.tsv", contrast=CONTRASTS),
        associations=[
            "<results>/axis/associations.tsv",
            "<results>/axis/associations_patients.tsv.gz",
        ],
        samples="<results>/design/samples.tsv",
    output:
        pngs=shown_by_contrast("axis"),
        pdfs=[path for _, path in contrast_figures("axis", "pdf")],
        cohort_pngs=shown("associations"),
        cohort_pdfs=expand(
            "<results>/figures/cohort/{figure}.pdf", figure=figure_names("associations")
        ),
    log:
        "<logs>/draw_axis.log",
    benchmark:
        "<benchmarks>/draw_axis.tsv"
    priority: SOON
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 25),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            groups={role: list(groups) for role, groups in AXIS_GROUPS.items()},
            primary=AXIS_PRIMARY,
            level=config["lamm"]["level"],
            min_cells=config["expression"]["min_cells"],
            dpi=config["report"]["dpi"],
            figures=drawing_functions("axis"),
            cohort_figures=drawing_functions("associations"),
            code=drawing_code("axis", "associations"),
        ),
    script:
        "../scripts/draw_axis.py"
