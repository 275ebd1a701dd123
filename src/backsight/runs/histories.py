"""Training curves as a table."""

from collections.abc import Iterable

import pandas as pd

from backsight.runs.fit import Fitted
from backsight.training.history import History

COLUMNS = ["entry", "seed", "epoch", "train_rmse", "val_rmse", "kept"]


def history_rows(fitted: Iterable[Fitted]) -> pd.DataFrame:
    """Training curves: one row an epoch with entry, seed, epoch, train_rmse, val_rmse, kept.

    Where a network learnt quantiles, train_pinball and val_pinball too: what it made small, and was stopped by.
    """
    tables = [_rows_of(f, history) for f in fitted if (history := f.forecaster.history) is not None]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _rows_of(fitted: Fitted, history: History) -> pd.DataFrame:
    epochs = range(1, history.epochs + 1)
    rows = {
        "entry": fitted.entry.name,
        "seed": fitted.seed,
        "epoch": epochs,
        "train_rmse": history.train_rmse,
        "val_rmse": history.val_rmse,
        "kept": [epoch == history.kept_epoch for epoch in epochs],
    }
    if history.val_pinball:
        rows |= {"train_pinball": history.train_pinball, "val_pinball": history.val_pinball}
    return pd.DataFrame(rows)
