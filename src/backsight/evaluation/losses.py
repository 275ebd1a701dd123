"""Losses window by window: what paired tests compare."""

from typing import get_args

import numpy as np
import pandas as pd

from backsight.errors import ExamError
from backsight.evaluation.exam import Part
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts


def window_losses(forecasts: Forecasts, part: Part) -> pd.DataFrame:
    """Mean squared error of every entry at every origin of a part, over leads and seeds.

    Folds of a backtest are pooled: their test origins follow each other in time. An origin on which several of them
    validate counts once, with the mean. Of many series all that have an origin in one step count as one window; see
    `PanelForecasts.turn_losses`.

    The mean over seeds is what to expect of a model whose seed nobody has chosen. Entries with a forecast
    that is no number are left out: they have failed, and take part in no test.

    Args:
        forecasts: see `evaluation.forecasts`.
        part: validation or test.

    Returns:
        one row an origin, in time order, and one column an entry, in the target's unit squared.

    Raises:
        ExamError: no forecasts of that part are there.

    >>> rows = {"entry": ["a", "a"], "part": ["test", "test"], "origin": [1, 2], "actual": [0.0, 1.0]}
    >>> window_losses(pd.DataFrame({**rows, "predicted": [2.0, 1.0]}), "test")["a"].tolist()
    [4.0, 0.0]
    """
    if isinstance(forecasts, PanelForecasts):
        return forecasts.turn_losses(part)
    rows = forecasts[forecasts["part"] == part]
    if rows.empty:
        raise ExamError(f"There are no {part} forecasts; the parts are {' and '.join(get_args(Part))}.")
    # Infinite where a forecast is missing: a mean would pass over it.
    rows = rows.assign(loss=((rows["predicted"] - rows["actual"]) ** 2).fillna(np.inf))
    means = rows.pivot_table(index="origin", columns="entry", values="loss", aggfunc="mean", dropna=False, sort=False)
    finite = np.isfinite(means.to_numpy()).all(axis=0)
    return means.sort_index().loc[:, finite.tolist()]
