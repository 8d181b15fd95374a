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
    conda:
        "../../envs/lammscope.yaml"
    threads: config["threads"]
    resources:
        mem_mb=memory(800, 8),
    params:
        **named(
            settings={
                key: NEIGHBORHOODS[key]
                for key in ("share", "max_number", "cells_per_sample", "min_size")
            },
            seed=config["seed"],
            threads=config["threads"],
            code=code("sample_neighborhoods"),
        ),
    script:
        "../scripts/sample_neighborhoods.py"


rule test_neighborhoods:
    """Test the abundance of neighborhoods in one contrast, with the patient as the unit."""
    input:
        neighborhoods="<results>/joint/neighborhoods.npz",
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
        samples="<results>/design/samples.tsv",
    output:
        table=ensure("<results>/abundance/neighborhoods.{contrast}.tsv", non_empty=True),
        by_type=ensure("<results>/abundance/neighborhoods_by_type.{contrast}.tsv", non_empty=True),
    log:
        "<logs>/test_neighborhoods/{contrast}.log",
    benchmark:
        "<benchmarks>/test_neighborhoods/{contrast}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(500, 8),
    params:
        **named(
            contrast=contrast_of,
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
    """Draw the neighborhoods of one contrast on the UMAP and by population."""
    input:
        table="<results>/abundance/neighborhoods.{contrast}.tsv",
        umap="<results>/joint/umap.npz",
        index="<results>/joint/cells.parquet",
        cells="<results>/annotation/cells.parquet",
    output:
        pngs=report(
            expand(
                "<results>/figures/{{contrast}}/{figure}.png",
                figure=figure_names("neighborhoods"),
            ),
            caption="../report/contrast.rst",
            category="Contrasts",
            subcategory="{contrast}",
        ),
        pdfs=expand(
            "<results>/figures/{{contrast}}/{figure}.pdf", figure=figure_names("neighborhoods")
        ),
    log:
        "<logs>/draw_neighborhoods/{contrast}.log",
    benchmark:
        "<benchmarks>/draw_neighborhoods/{contrast}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        mem_mb=memory(800, 20),
    params:
        **named(
            contrast=contrast_of,
            limits={key: NEIGHBORHOODS[key] for key in ("max_spatial_fdr", "min_fraction")},
            max_points=config["report"]["max_points"],
            seed=config["seed"],
            dpi=config["report"]["dpi"],
            figures=drawing_functions("neighborhoods"),
            code=drawing_code("neighborhoods"),
        ),
    script:
        "../scripts/draw_neighborhoods.py"
