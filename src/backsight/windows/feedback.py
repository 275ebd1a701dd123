"""Forecasts as inputs: the input rows of steps that were never observed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from backsight.series.frequency import times_after
from backsight.vocabulary import Steps, Targets
from backsight.windows.calendar import calendar_features
from backsight.windows.scaling import Scaler


@dataclass(frozen=True, eq=False)
class Feedback:
    """How the input row of a step follows from the target's value there: all that is read is the target's own past.

    Attributes:
        times: of the series, so that the times after an origin are known.
        scaler: of the input columns.
        calendar: whether sine and cosine of the day of the year are read beside the target.
    """

    times: pd.DatetimeIndex
    scaler: Scaler
    calendar: bool

    def inputs(self, targets: Targets, times: pd.DatetimeIndex) -> Steps:
        """Scaled input rows of steps with these targets: shape (steps, features), as `View.show` would have them."""
        own = targets[:, None]
        table = np.hstack([own, calendar_features(times)]) if self.calendar else own
        return np.ascontiguousarray(self.scaler.apply(table), dtype=np.float32)

    def times_ahead(self, origins: pd.DatetimeIndex, steps: int) -> pd.DatetimeIndex:
        """The times of the steps after each of these times of the series, laid end to end.

        >>> days = pd.date_range("2020-01-01", periods=3)
        >>> ahead = Feedback(days, Scaler(np.zeros(1), np.ones(1)), False).times_ahead(days[[0, 2]], 2)
        >>> ahead.day.tolist()
        [2, 3, 4, 5]
        """
        rows = self.times.searchsorted(origins)[:, None] + np.arange(1, steps + 1)
        return pd.DatetimeIndex(self.times.append(times_after(self.times, steps))[rows.ravel()])
