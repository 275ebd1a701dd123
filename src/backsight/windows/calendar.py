"""The place in the year, as numbers that close the circle."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Names of the calendar features, in the order of the columns of `calendar_features`.
CALENDAR = ("year_sine", "year_cosine")

_DAYS_A_YEAR = 365.2425


def year_phase(times: pd.DatetimeIndex) -> NDArray[np.float64]:
    """How far into the year each time is, as an angle; shape (steps,), radians.

    >>> year_phase(pd.DatetimeIndex(["2001-01-01"]))
    array([0.])
    """
    days = times.day_of_year.to_numpy() - 1 + (times - times.normalize()) / pd.Timedelta(days=1)
    return np.asarray(2 * np.pi * days / _DAYS_A_YEAR, dtype=np.float64)


def calendar_features(times: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Sine and cosine of the day of the year, shape (steps, 2).

    >>> calendar_features(pd.DatetimeIndex(["2001-01-01"]))
    array([[0., 1.]])
    """
    phase = year_phase(times)
    return np.column_stack([np.sin(phase), np.cos(phase)])
