"""Integration by scVI."""

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.runtime import logger
from lammscope.joint.integration.method import COUNTS, IntegrationInput, Method

# Instead of a random word and the time, with which no saved model would be as another.
NAME = "lammscope"


def integrate_scvi(
    cells: IntegrationInput,
    *,
    max_epochs: int,
    batch_size: int,
    accelerator: str,
    seed: int,
    threads: int,
    model_folder: str | Path,
    **network: int,
) -> np.ndarray:
    """Embed cells with scVI [1]_, an autoencoder of raw counts conditioned on the batch.

    A tenth of the cells is held out, and training stops when their loss has not improved for 20
    epochs. On CPUs of one kind, the same seed and number of threads give the same embedding; on a
    GPU this is not promised.

    Parameters
    ----------
    cells
        Raw counts of the variable genes, batch, and covariates to correct for as well.
    max_epochs
        Maximum epochs; 0 for the rule of scvi-tools (400, fewer above 20,000 cells).
    batch_size
        Cells per training step.
    accelerator
        `cpu`, `gpu`, or `auto` for a GPU if there is one. Saved with the model is which was used.
    seed, threads
        Of the training.
    model_folder
        Folder for the trained model, which `scvi.model.SCVI.load` opens, and `training.json`, which
        says what it was trained on.
    network
        `n_latent`, the latent dimensions, and `n_layers`, the hidden layers of encoder and decoder.

    Returns
    -------
    ndarray
        Cells x `n_latent`, float32.

    Raises
    ------
    ValueError
        If `accelerator` is `gpu` and there is none.

    References
    ----------
    .. [1] Lopez et al., Nat Methods 15, 1053-1058 (2018), doi 10.1038/s41592-018-0229-2.
    """
    import anndata
    import scvi
    import torch
    from lightning.pytorch.callbacks import LambdaCallback

    used = choose_accelerator(
        accelerator, gpus=torch.cuda.device_count(), has_cuda=torch.version.cuda is not None
    )
    logger.info("PyTorch %s trains on the %s", torch.__version__, used.upper())
    scvi.settings.seed = seed
    scvi.settings.num_threads = threads
    columns = cells.covariates.astype("str").reset_index(drop=True)
    obs = columns.assign(_batch=np.asarray(cells.batch, dtype=str))
    obs.index = obs.index.astype(str)
    data = anndata.AnnData(
        sparse.csr_matrix(cells.values, dtype=np.float32),
        obs=obs,
        var=pd.DataFrame(index=cells.genes),
        uns={"_scvi_uuid": NAME},
    )
    scvi.model.SCVI.setup_anndata(
        data, batch_key="_batch", categorical_covariate_keys=list(columns.columns) or None
    )
    model = scvi.model.SCVI(data, gene_likelihood="nb", **network)
    model.run_name = NAME
    model.train(
        callbacks=[LambdaCallback(on_train_epoch_end=_log_progress)],
        max_epochs=max_epochs or None,
        batch_size=batch_size,
        accelerator=used,
        devices=1,
        early_stopping=True,
        early_stopping_patience=20,
        enable_progress_bar=False,
        logger=False,
    )
    logger.info("trained for %d epochs", model.trainer.current_epoch)
    model.save(str(model_folder), overwrite=True)
    about = {
        "accelerator": used,
        "device": torch.cuda.get_device_name() if used == "gpu" else platform.machine(),
        "torch": torch.__version__,
        "epochs": model.trainer.current_epoch,
    }
    (Path(model_folder) / "training.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    return np.ascontiguousarray(model.get_latent_representation(), dtype=np.float32)


def choose_accelerator(asked: str, *, gpus: int, has_cuda: bool) -> str:
    """Return `cpu` or `gpu`.

    Parameters
    ----------
    asked
        `cpu`, `gpu` or `auto`.
    gpus
        Number of GPUs that PyTorch finds.
    has_cuda
        Whether this PyTorch can use GPUs at all.

    Raises
    ------
    ValueError
        If a GPU is asked for, but none can be used.
    """
    if asked == "gpu" and not gpus:
        reason = (
            "PyTorch finds none on this machine: run it where there is one"
            if has_cuda
            else "this PyTorch has no support for NVIDIA GPUs: install one that has it "
            "(`make setup-scvi` on Linux)"
        )
        raise ValueError(
            f"`integration.scvi.accelerator` is gpu, but {reason}, or set it to cpu or auto"
        )
    if asked == "cpu" and gpus:
        logger.info("a GPU is not used; `integration.scvi.accelerator: gpu` would be faster")
    return "cpu" if asked == "cpu" or not gpus else "gpu"


def _log_progress(trainer: Any, _: Any) -> None:
    done = trainer.current_epoch + 1
    if done % 10 == 0:
        logger.info("epoch %d of at most %d", done, trainer.max_epochs)


SCVI = Method(
    integrate_scvi,
    words="scVI",
    reads=COUNTS,
    memory=(3000, 8),
    reference=("scVI", "Lopez R, et al. Nature Methods 2018;15:1053.", "10.1038/s41592-018-0229-2"),
    package="scvi",
    obsm="X_scVI",
    missing=(
        "`integration` uses scvi, which needs scvi-tools, but that is not installed: run "
        "`make setup-scvi`, or let Snakemake create the environment (`--sdm conda`)"
    ),
    environment="scvi",
    saves_model=True,
)
