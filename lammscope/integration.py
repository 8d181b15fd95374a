"""Batch correction of the joint space: Harmony on principal components, or scVI on counts.

What comes out is for neighbours, clusters and pictures. No test ever sees corrected values.
"""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.runtime import logger

NO_SCVI = (
    "`integration` asks for scvi, which needs scvi-tools, and that is not installed: run "
    "`make setup-scvi`, or let Snakemake make the environment (`--sdm conda`)"
)
# of Harmony, which itself takes 100 at most: too few for a population of one in 200 cells to be one
CELLS_PER_CLUSTER, MAX_CLUSTERS = 30, 200


def has_scvi() -> bool:
    """Whether scvi-tools is installed; importing it would take ten seconds."""
    return find_spec("scvi") is not None


def integrate_harmony(
    scores: np.ndarray,
    batch: np.ndarray,
    *,
    theta: float,
    min_batch_pct: float,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Correct principal component scores for batch with Harmony [1]_, second version [2]_.

    Parameters
    ----------
    scores
        Cells x components.
    batch
        The batch of each cell.
    theta
        Weight of the penalty on clusters in which batches are not alike.
    min_batch_pct
        Share of a batch's cells, in %, that must lie in a cluster for the batch to be moved there.
        Without it the cells of a population that few patients have are moved onto the nearest
        population that all have.
    seed, threads
        Of the algorithm; threads do not change the result.

    Returns
    -------
    ndarray
        Corrected scores, cells x components, float32. With one batch, the scores as they are.

    References
    ----------
    .. [1] Korsunsky et al., Nat Methods 16, 1289-1296 (2019), doi 10.1038/s41592-019-0619-0.
    .. [2] Patikas et al. (2026); `batch.prop.cutoff` of the R package harmony 2.
    """
    import harmonypy

    if len(np.unique(batch)) < 2:
        logger.info("one batch: nothing to correct")
        return scores.astype(np.float32)
    # its messages reach the job's log without its own handler, and the screen stays readable
    logging.getLogger("harmonypy").handlers.clear()
    n_clusters = max(min(len(scores) // CELLS_PER_CLUSTER, MAX_CLUSTERS), 1)
    fitted = harmonypy.run_harmony(
        scores,
        pd.DataFrame({"batch": batch}),
        "batch",
        theta=theta,
        nclust=n_clusters,
        batch_prop_cutoff=min_batch_pct / 100,
        random_state=seed,
        ncores=threads,
    )
    corrected = np.asarray(fitted.Z_corr)
    if corrected.shape != scores.shape:
        corrected = corrected.T
    return np.ascontiguousarray(corrected, dtype=np.float32)


def integrate_scvi(
    counts: sparse.csr_array,
    batch: np.ndarray,
    *,
    covariates: pd.DataFrame,
    genes: pd.DataFrame,
    n_latent: int,
    n_layers: int,
    max_epochs: int,
    batch_size: int,
    seed: int,
    threads: int,
    model_folder: str | Path,
) -> np.ndarray:
    """Embed cells by scVI [1]_: an autoencoder of raw counts that knows the batch.

    Trained on a graphics processor where there is one. A tenth of the cells is held out, and
    training ends when their loss has not improved for 20 epochs. On one kind of processor the same
    seed gives the same space.

    Parameters
    ----------
    counts
        Cells x variable genes, raw.
    batch
        The batch of each cell.
    covariates
        Further categorical columns of each cell that the model corrects for; may have none.
    genes
        `gene` of the columns, for the saved model.
    n_latent, n_layers
        Dimensions of the space; hidden layers of encoder and decoder.
    max_epochs
        Passes over the cells at most; 0 for the rule of scvi-tools (400, fewer over 20,000 cells).
    batch_size
        Cells a training step.
    seed, threads
        Of the training.
    model_folder
        Where the trained model is saved; `scvi.model.SCVI.load` opens it.

    Returns
    -------
    ndarray
        Cells x `n_latent`, float32.

    References
    ----------
    .. [1] Lopez et al., Nat Methods 15, 1053-1058 (2018), doi 10.1038/s41592-018-0229-2.
    """
    if not has_scvi():
        raise ValueError(NO_SCVI)
    import anndata
    import scvi
    from lightning.pytorch.callbacks import LambdaCallback

    scvi.settings.seed = seed
    scvi.settings.num_threads = threads
    columns = covariates.astype("str").reset_index(drop=True)
    obs = columns.assign(_batch=np.asarray(batch, dtype=str))
    obs.index = obs.index.astype(str)
    data = anndata.AnnData(
        sparse.csr_matrix(counts, dtype=np.float32),
        obs=obs,
        var=pd.DataFrame(index=genes["gene"].to_numpy(dtype=str)),
    )
    scvi.model.SCVI.setup_anndata(
        data, batch_key="_batch", categorical_covariate_keys=list(columns.columns) or None
    )
    model = scvi.model.SCVI(data, n_latent=n_latent, n_layers=n_layers, gene_likelihood="nb")
    model.train(
        callbacks=[LambdaCallback(on_train_epoch_end=_tell_progress)],
        max_epochs=max_epochs or None,
        batch_size=batch_size,
        early_stopping=True,
        early_stopping_patience=20,
        enable_progress_bar=False,
        logger=False,
    )
    logger.info("trained for %d epochs", model.trainer.current_epoch)
    model.save(str(model_folder), overwrite=True)
    return np.ascontiguousarray(model.get_latent_representation(), dtype=np.float32)


def _tell_progress(trainer: Any, _: Any) -> None:
    done = trainer.current_epoch + 1
    if done % 10 == 0:
        logger.info("epoch %d of at most %d", done, trainer.max_epochs)
