for part in PARTS:

    rule:
        """Read the count matrices of some samples, flag barcodes, and estimate ambient RNA.

        Each part has a rule of its own, whose files are named by sample.
        """
        name:
            f"ingest_samples_{part}"
        input:
            matrices=matrices(part),
            barcodes=[path for sample in to_ingest(part) if (path := given(sample, "barcodes"))],
        output:
            **{name: expand(path, sample=to_ingest(part)) for name, path in INGESTED.items()},
        log:
            f"<logs>/ingest_samples/{part}.log",
        benchmark:
            f"<benchmarks>/ingest_samples/{part}.tsv"
        group:
            "read"
        conda:
            "../../envs/lammscope.yaml"
        resources:
            **needs(500, 70, of=max),
        params:
            **named(
                settings=ingest_settings(part),
                with_barcodes=[sample for sample in to_ingest(part) if given(sample, "barcodes")],
                seed=config["seed"],
                compression=config["inputs"]["compression"],
                compared=config_path("inputs", "compare"),
                code=code("ingest_samples"),
            ),
        script:
            "../scripts/ingest_samples.py"


for part, channels in parts.divide_channels(PARTS, channels=CHANNELS).items():
    members = [sample for channel in channels for sample in CHANNELS[channel]]

    rule:
        """Score the cells of some channels as doublets, each channel on its own."""
        name:
            f"score_doublets_{part}"
        input:
            shards=expand(INGESTED["shards"], sample=members),
            qc=expand(INGESTED["qc"], sample=members),
        output:
            doublets=expand(DOUBLETS, channel=channels),
        log:
            f"<logs>/score_doublets/{part}.log",
        benchmark:
            f"<benchmarks>/score_doublets/{part}.tsv"
        priority: FIRST
        group:
            "read"
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
