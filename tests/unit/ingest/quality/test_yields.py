"""What quality control leaves of a sample."""

import logging

from lammscope.ingest.quality.metrics import cell_metrics
from lammscope.ingest.quality.yields import describe_yield
from tests.matrices import small_shard
from tests.unit.ingest.quality.test_limits import flags


def test_a_sample_of_hardly_any_cell_is_a_warning_with_its_reasons() -> None:
    none = flags(cell_metrics(small_shard(9)).assign(n_genes=1))
    assert describe_yield(none, sample="A") == (
        logging.WARNING,
        "sample A: 0 of 9 barcodes pass quality control (failed: few_genes 9)",
    )
    good = none.assign(passes=True, reasons="").loc[[0] * 60]
    assert describe_yield(good, sample="A")[0] == logging.INFO
