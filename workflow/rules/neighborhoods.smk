NEIGHBORHOODS = config["neighborhoods"]


rule sample_neighborhoods:
    """Sample neighborhoods of the integrated embedding and count their cells per sample."""
    input:
        space=JOINT_SPACE,
        cells="<results>/joint/cells.parquet",
    output:
        neighborhoods="<results>/joint/neighborhoods.npz",
    log:
        "<logs>/sample_neighborhoods.log",
    benchmark:
        "<benchmarks>/sample_neighborhoods.tsv"
    priority: SOON
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 12),
    params:
        **named(
            settings={
                key: NEIGHBORHOODS[key]
                for key in ("share", "max_number", "cells_per_sample", "min_size")
            },
            seed=config["seed"],
            threads=1,
            code=code("sample_neighborhoods"),
        ),
    script:
        "../scripts/sample_neighborhoods.py"


rule test_neighborhoods:
    """Test the abundance of neighborhoods in all contrasts, with the patient as the unit."""
    input:
        neighborhoods="<results>/joint/neighborhoods.npz",
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        samples="<results>/design/samples.tsv",
    output:
        tables=ensure(
            collect("<results>/abundance/neighborhoods.{contrast}.tsv", contrast=CONTRASTS),
            non_empty=True,
        ),
        by_type=ensure(
            collect(
                "<results>/abundance/neighborhoods_by_type.{contrast}.tsv", contrast=CONTRASTS
            ),
            non_empty=True,
        ),
    log:
        "<logs>/test_neighborhoods.log",
    benchmark:
        "<benchmarks>/test_neighborhoods.tsv"
    priority: SOON
    group:
        grouped("joint")
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 12),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            settings={
                "min_expected": NEIGHBORHOODS["min_expected"],
                "min_cells": config["abundance"]["min_cells"],
                "exclude_pre_post": config["abundance"]["exclude_pre_post"],
            },
            limits={key: NEIGHBORHOODS[key] for key in ("max_spatial_fdr", "min_fraction")},
            code=code("test_neighborhoods"),
        ),
    script:
        "../scripts/test_neighborhoods.py"


rule draw_neighborhoods:
    """Draw the neighborhoods of all contrasts on the UMAP and by population."""
    input:
        tables=collect("<results>/abundance/neighborhoods.{contrast}.tsv", contrast=CONTRASTS),
        umap="<results>/joint/umap.npz",
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
    output:
        pngs=shown_by_contrast("neighborhoods"),
        pdfs=[path for _, path in contrast_figures("neighborhoods", "pdf")],
    log:
        "<logs>/draw_neighborhoods.log",
    benchmark:
        "<benchmarks>/draw_neighborhoods.tsv"
    priority: SOON
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 8),
    params:
        **named(
            contrasts=list(CONTRASTS.values()),
            limits={key: NEIGHBORHOODS[key] for key in ("max_spatial_fdr", "min_fraction")},
            max_points=config["report"]["max_points"],
            seed=config["seed"],
            dpi=config["report"]["dpi"],
            figures=drawing_functions("neighborhoods"),
            code=drawing_code("neighborhoods"),
        ),
    script:
        "../scripts/draw_neighborhoods.py"
