# Included only if the config lists other choices. A folder below `multiverse/` has its own cells and
# calls, by the rules of the workflow. It holds only files that no earlier folder, nor the run
# itself, holds; `of_stage` finds them.
FOLDERS = MULTIVERSE.folders
FOLDER_CONFIGS = {
    name: multiverse.folder_config(config, values) for name, values in FOLDERS.items()
}
COUNTED = list(dict.fromkeys(MULTIVERSE.holder(name, "counts") for name in FOLDERS))
OWN_METHODS = {
    values["integration"]: METHODS[values["integration"]]
    for name, values in FOLDERS.items()
    if MULTIVERSE.needs_integration(name)
}
SPECIFIED = [
    MULTIVERSE.holder(MULTIVERSE.folder_of(s), "counts") for s in MULTIVERSE.specifications
]
MORE_THRESHOLDS = sorted({*THRESHOLDS, *map(float, MULTIVERSE.choices["probability"])})


wildcard_constraints:
    folder="|".join(map(re.escape, filter(None, FOLDERS))) or "none",


def in_folder(folder, path):
    """Return a path of the run in a folder of the multiverse."""
    return path.replace("<results>", f"<results>/multiverse/{folder}") if folder else path


def of_stage(stage, path, several=False):
    """Return a function for the path of a stage's file in the folder that holds it.

    For a path with a wildcard, or `several`, a list: of all parts, samples or channels.
    """

    def paths(wildcards):
        found = in_folder(MULTIVERSE.holder(wildcards.folder, stage), path)
        if not several and "{" not in path:
            return found
        return expand(found, part=KEPT_PARTS, sample=SAMPLES, channel=CHANNELS)

    return paths


def space_of_folder(wildcards):
    """Return the embedding of a folder: the run's own, or one that a folder computes."""
    method = FOLDERS[wildcards.folder]["integration"]
    is_own = MULTIVERSE.holder(wildcards.folder, "cells") == ""
    if is_own and method in SPACES:
        return SPACES[method]
    stage, name = ("cells", "pca") if method == NONE else ("space", method)
    return in_folder(MULTIVERSE.holder(wildcards.folder, stage), f"<results>/joint/{name}.npz")


def of_config(section, *keys):
    """Return a function for values of a section of a folder's config; the value if it is one."""

    def values(wildcards):
        part = FOLDER_CONFIGS[wildcards.folder][section]
        return part[keys[0]] if len(keys) == 1 else {key: part[key] for key in keys}

    return values


def search_of_folder(wildcards):
    """Return how neighbors within samples or patients are found in a folder."""
    n_neighbors = FOLDER_CONFIGS[wildcards.folder]["clustering"]["n_neighbors"]
    return NEIGHBOR_SEARCH | {"n_neighbors": n_neighbors}


def limits_of_folder(samples):
    """Return a function for the quality limits of samples in a folder."""

    def limits(wildcards):
        qc = FOLDER_CONFIGS[wildcards.folder]["qc"]
        return {sample: qc_of(sample, qc) for sample in samples}

    return limits


def calls_of_folder(wildcards):
    """Return the settings of LAMM calls in a folder."""
    lamm = FOLDER_CONFIGS[wildcards.folder]["lamm"]
    return {key: value for key, value in lamm.items() if key not in CALL_FILES}


for part, samples in KEPT_PARTS.items():

    rule:
        """Flag the barcodes of some samples by other quality limits, and compute gene moments."""
        name:
            f"reassess_samples_{part}"
        input:
            shards=expand(INGESTED["shards"], sample=samples),
            qc=expand(INGESTED["qc"], sample=samples),
        output:
            qc=expand(in_folder("{{folder}}", INGESTED["qc"]), sample=samples),
            moments=expand(in_folder("{{folder}}", INGESTED["moments"]), sample=samples),
        log:
            f"<logs>/reassess_samples/{{folder}}/{part}.log",
        benchmark:
            f"<benchmarks>/reassess_samples/{{folder}}/{part}.tsv"
        group:
            "reassess"
        conda:
            "../../envs/lammscope.yaml"
        resources:
            **needs(450, 20, of=max),
        params:
            **named(
                limits=limits_of_folder(samples),
                code=code("reassess_samples"),
            ),
        script:
            "../scripts/reassess_samples.py"


for part, channels in parts.divide_channels(PARTS, channels=CHANNELS).items():
    members = [sample for channel in channels for sample in CHANNELS[channel]]

    rule:
        """Score the cells that pass other quality limits as doublets."""
        name:
            f"score_doublets_again_{part}"
        input:
            shards=expand(INGESTED["shards"], sample=members),
            qc=expand(in_folder("{{folder}}", INGESTED["qc"]), sample=members),
        output:
            doublets=expand(in_folder("{{folder}}", DOUBLETS), channel=channels),
        log:
            f"<logs>/score_doublets_again/{{folder}}/{part}.log",
        benchmark:
            f"<benchmarks>/score_doublets_again/{{folder}}/{part}.tsv"
        group:
            "reassess"
        conda:
            "../../envs/lammscope.yaml"
        resources:
            **needs(400, 60, of=max),
        params:
            **named(
                channels={channel: CHANNELS[channel] for channel in channels},
                settings={channel: doublets_of(channel) for channel in channels},
                seed=config["seed"],
                code=code("score_doublets"),
            ),
        script:
            "../scripts/score_doublets.py"


use rule select_cells as select_cells_again with:
    input:
        qc=of_stage("quality", "<results>/qc/{sample}.parquet"),
        doublets=of_stage("quality", DOUBLETS),
        verdicts=verdicts_to_drop,
    output:
        cells="<results>/multiverse/{folder}/joint/cells.parquet",
        summary="<results>/multiverse/{folder}/qc/summary.tsv",
        lineages="<results>/multiverse/{folder}/qc/lineages.tsv",
    log:
        "<logs>/select_cells_again/{folder}.log",
    benchmark:
        "<benchmarks>/select_cells_again/{folder}.tsv"
    params:
        **named(
            samples=SAMPLES,
            patients=SHEET["patient"].tolist(),
            channels=SHEET["channel"].tolist(),
            remove_doublets=of_config("doublets", "remove"),
            code=code("select_cells"),
        ),


use rule select_genes as select_genes_again with:
    input:
        moments=of_stage("quality", "<results>/qc/{sample}.moments.parquet"),
        reference="<results>/joint/reference.tsv.gz",
    output:
        genes=ensure("<results>/multiverse/{folder}/joint/genes.tsv", non_empty=True),
    log:
        "<logs>/select_genes_again/{folder}.log",
    benchmark:
        "<benchmarks>/select_genes_again/{folder}.tsv"


use rule extract_genes as extract_genes_again with:
    input:
        shards=shards_of_part,
        cells=of_stage("cells", "<results>/joint/cells.parquet"),
        genes=of_stage("quality", "<results>/joint/genes.tsv"),
        reference="<results>/joint/reference.tsv.gz",
    output:
        counts="<results>/multiverse/{folder}/joint/hvg/{part}.npz",
    log:
        "<logs>/extract_genes_again/{folder}/{part}.log",
    benchmark:
        "<benchmarks>/extract_genes_again/{folder}/{part}.tsv"


use rule extract_panel as extract_panel_again with:
    input:
        shards=shards_of_part,
        cells=of_stage("cells", "<results>/joint/cells.parquet"),
        reference="<results>/joint/reference.tsv.gz",
    output:
        counts="<results>/multiverse/{folder}/joint/panel/{part}.npz",
    log:
        "<logs>/extract_panel_again/{folder}/{part}.log",
    benchmark:
        "<benchmarks>/extract_panel_again/{folder}/{part}.tsv"


use rule label_cells as label_cells_again with:
    input:
        shards=shards_of_part,
        cells=of_stage("cells", "<results>/joint/cells.parquet"),
        reference="<results>/joint/reference.tsv.gz",
    output:
        labels="<results>/multiverse/{folder}/annotation/labels/{part}.parquet",
    log:
        "<logs>/label_cells_again/{folder}/{part}.log",
    benchmark:
        "<benchmarks>/label_cells_again/{folder}/{part}.tsv"


use rule embed_cells as embed_cells_again with:
    input:
        counts=of_stage("cells", "<results>/joint/hvg/{part}.npz"),
        cells=of_stage("cells", "<results>/joint/cells.parquet"),
    output:
        pca="<results>/multiverse/{folder}/joint/pca.npz",
    log:
        "<logs>/embed_cells_again/{folder}.log",
    benchmark:
        "<benchmarks>/embed_cells_again/{folder}.tsv"


for name, method in OWN_METHODS.items():
    settings = config["integration"].get(name, {})
    read = {
        COMPONENTS: "<results>/joint/pca.npz",
        COUNTS: "<results>/joint/hvg/{part}.npz",
    }[method.reads]
    model = f"<results>/multiverse/{{folder}}/joint/{name}_model"

    rule:
        """Compute an integrated embedding of the cells of a folder."""
        name:
            f"integrate_{name}_again"
        input:
            data=of_stage("cells", read, several=True),
            cells=of_stage("cells", "<results>/joint/cells.parquet"),
        output:
            **({"model": directory(model)} if method.saves_model else {}),
            space=f"<results>/multiverse/{{folder}}/joint/{name}.npz",
        log:
            f"<logs>/integrate_{name}_again/{{folder}}.log",
        benchmark:
            f"<benchmarks>/integrate_{name}_again/{{folder}}.tsv"
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


use rule find_neighbors as find_neighbors_again with:
    input:
        space=space_of_folder,
        cells=of_stage("cells", "<results>/joint/cells.parquet"),
    output:
        neighbors="<results>/multiverse/{folder}/joint/neighbors.npz",
    log:
        "<logs>/find_neighbors_again/{folder}.log",
    benchmark:
        "<benchmarks>/find_neighbors_again/{folder}.tsv"
    params:
        **named(
            n_neighbors=of_config("clustering", "n_neighbors"),
            seed=config["seed"],
            threads=config["threads"],
            code=code("find_neighbors"),
        ),


use rule cluster_cells as cluster_cells_again with:
    input:
        neighbors=of_stage("neighbors", "<results>/joint/neighbors.npz"),
        cells=of_stage("cells", "<results>/joint/cells.parquet"),
    output:
        clusters="<results>/multiverse/{folder}/joint/clusters.parquet",
    log:
        "<logs>/cluster_cells_again/{folder}.log",
    benchmark:
        "<benchmarks>/cluster_cells_again/{folder}.tsv"
    params:
        **named(
            resolution=of_config("clustering", "resolution"),
            seed=config["seed"],
            code=code("cluster_cells"),
        ),


use rule annotate_cells as annotate_cells_again with:
    input:
        labels=(
            of_stage("cells", "<results>/annotation/labels/{part}.parquet") if TYPE_MODEL else []
        ),
        counts=of_stage("cells", "<results>/joint/panel/{part}.npz"),
        cells=of_stage("cells", "<results>/joint/cells.parquet"),
        space=space_of_folder,
        clusters=of_stage("clusters", "<results>/joint/clusters.parquet"),
    output:
        types="<results>/multiverse/{folder}/annotation/types.parquet",
        clusters="<results>/multiverse/{folder}/annotation/cluster_types.tsv",
        missing="<results>/multiverse/{folder}/annotation/missing_markers.tsv",
    log:
        "<logs>/annotate_cells_again/{folder}.log",
    benchmark:
        "<benchmarks>/annotate_cells_again/{folder}.tsv"
    params:
        **named(
            settings=TYPE_SETTINGS,
            search=search_of_folder,
            panel=config_path("annotation", "panel"),
            panel_content=content(config["annotation"]["panel"]),
            code=code("annotate_cells"),
        ),


use rule call_lamm as call_lamm_again with:
    input:
        counts=of_stage("cells", "<results>/joint/panel/{part}.npz"),
        cells=of_stage("cells", "<results>/joint/cells.parquet"),
        neighbors=of_stage("neighbors", "<results>/joint/neighbors.npz"),
        space=space_of_folder,
        types=of_stage("clusters", "<results>/annotation/types.parquet"),
    output:
        cells="<results>/multiverse/{folder}/annotation/cells.parquet",
    log:
        "<logs>/call_lamm_again/{folder}.log",
    benchmark:
        "<benchmarks>/call_lamm_again/{folder}.tsv"
    params:
        **named(
            settings=calls_of_folder,
            before_infusion=[sample for sample, phase in PHASES.items() if phase == "pre"],
            car_sorted=CAR_SORTED,
            car_probability=config["car"]["probability"],
            search=search_of_folder,
            batches=batches(),
            files=call_files,
            files_content=content(*(config["lamm"][name] for name in CALL_FILES)),
            code=code("call_lamm"),
        ),


rule count_calls:
    """Count the cells of every population in a folder, and LAMM cells at all probabilities."""
    input:
        cells=of_stage("calls", "<results>/annotation/cells.parquet"),
    output:
        counts=ensure("<results>/multiverse/{folder}/abundance/counts.tsv", non_empty=True),
        thresholds=ensure(
            "<results>/multiverse/{folder}/abundance/counts.thresholds.tsv", non_empty=True
        ),
    log:
        "<logs>/count_calls/{folder}.log",
    benchmark:
        "<benchmarks>/count_calls/{folder}.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(450, 10),
    params:
        **named(
            samples=SAMPLES,
            probability=config["lamm"]["probability"],
            thresholds=MORE_THRESHOLDS,
            code=code("count_calls"),
        ),
    script:
        "../scripts/count_calls.py"


rule test_multiverse:
    """Compute the primary result in every specification, and test all of them at once."""
    input:
        counts=[in_folder(name, "<results>/abundance/counts.tsv") for name in COUNTED],
        thresholds=[
            in_folder(name, "<results>/abundance/counts.thresholds.tsv") for name in COUNTED
        ],
        samples="<results>/design/samples.tsv",
    output:
        specifications=ensure("<results>/multiverse/specifications.tsv", non_empty=True),
        summary=ensure("<results>/multiverse/summary.tsv", non_empty=True),
        choices=ensure("<results>/multiverse/choices.tsv", non_empty=True),
    log:
        "<logs>/test_multiverse.log",
    benchmark:
        "<benchmarks>/test_multiverse.tsv"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 20),
    params:
        **named(
            contrast=CONTRASTS[config["primary"]["contrast"]],
            folders=[name or "run" for name in COUNTED],
            folder_of=[name or "run" for name in SPECIFIED],
            specifications=MULTIVERSE.specifications,
            choices=dict(MULTIVERSE.choices),
            covariates=dict(MULTIVERSE.covariates),
            settings=ABUNDANCE_TESTS | {"sorts": config["sorts"]},
            permutation=PERMUTATION,
            seed=config["seed"],
            code=code("test_multiverse"),
        ),
    script:
        "../scripts/test_multiverse.py"


rule draw_multiverse:
    """Draw the specification curve of the primary result."""
    input:
        specifications="<results>/multiverse/specifications.tsv",
    output:
        pngs=shown("multiverse"),
        pdfs=expand("<results>/figures/cohort/{figure}.pdf", figure=figure_names("multiverse")),
    log:
        "<logs>/draw_multiverse.log",
    benchmark:
        "<benchmarks>/draw_multiverse.tsv"
    group:
        "draw"
    conda:
        "../../envs/lammscope.yaml"
    resources:
        **needs(500, 20),
    params:
        **named(
            contrast=CONTRASTS[config["primary"]["contrast"]],
            choices=dict(MULTIVERSE.choices),
            dpi=config["report"]["dpi"],
            figures=drawing_functions("multiverse"),
            code=drawing_code("multiverse"),
        ),
    script:
        "../scripts/draw_multiverse.py"
