"""A place's daily weather out of a random generator: seasons, persistence, and a known best forecast."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import SettingError
from backsight.series.series import Series

#: Days of a mean year of the Gregorian calendar.
YEAR = 365.2425


@dataclass(frozen=True)
class Climate:
    """What a place's weather is drawn from.

    Column i on day t is `mean[i] + swing[i] cos(2 pi (t - warmest) / year) + spread[i] g(t) z[i, t]`: a season, and
    around it weather z that persists from day to day, z[t] = carry z[t-1] + mix e[t] with e from N(0, 1). Its
    spread changes with the season too: g(t) = 1 + gusty cos(2 pi (t - windiest) / year), the same for all columns.

    Attributes:
        columns, units: names, the target first.
        mean, swing, spread: in each column's unit.
        carry: shape (columns, columns): how today's weather follows from yesterday's.
        mix: shape (columns, columns): how a day's shocks mix into the columns.
        gusty: share by which the spread swings, 0 to below 1.
        warmest, windiest: days after the first of January.
    """

    columns: tuple[str, ...]
    units: tuple[str, ...]
    mean: tuple[float, ...]
    swing: tuple[float, ...]
    spread: tuple[float, ...]
    carry: tuple[tuple[float, ...], ...]
    mix: tuple[tuple[float, ...], ...]
    gusty: float = 0.3
    warmest: float = 200.0
    windiest: float = 20.0

    def spread_factor(self, days: NDArray[np.float64]) -> NDArray[np.float64]:
        """The factor g of the days, counted from the first of January of a year; same shape."""
        return 1 + self.gusty * np.cos(2 * np.pi * (days - self.windiest) / YEAR)


#: A temperate place: the wind of one day cools the next, and falling pressure brings cloud.
TEMPERATE = Climate(
    columns=("temperature", "pressure", "cloud", "wind"),
    units=("degC", "hPa", "oktas", "m/s"),
    mean=(10.0, 1015.0, 5.0, 4.0),
    swing=(9.0, -1.5, -0.8, -0.7),
    spread=(3.0, 8.0, 1.8, 1.5),
    carry=((0.70, 0.05, 0.00, -0.25), (0.00, 0.65, 0.00, 0.00), (0.00, -0.35, 0.20, 0.00), (0.05, -0.15, 0.10, 0.30)),
    mix=((0.60, 0.00, 0.00, 0.00), (0.00, 0.75, 0.00, 0.00), (-0.20, -0.30, 0.80, 0.00), (0.00, -0.25, 0.10, 0.85)),
)


def daily_weather(days: int, seed: int, climate: Climate = TEMPERATE) -> Series:
    """Daily weather from 2000-01-01 on. The best one-step error of a day is `best_error` of it.

    The first day is drawn from the stationary distribution of z, so every day of the year is alike in every year.
    Nothing is cut off at its physical limits (a cloud cover below 0 may occur): the error would not be known any more.

    Args:
        days: rows.
        seed: of the shocks.
        climate: what the weather is drawn from.

    Raises:
        SettingError: weather of that climate would grow without bounds.

    Source: a vector autoregression around a seasonal mean, as in Richardson 1981, Water Resources Research 17, 182-190.

    >>> daily_weather(3, seed=0).columns
    ('temperature', 'pressure', 'cloud', 'wind')
    """
    carry, mix = np.array(climate.carry), np.array(climate.mix)
    largest = float(np.abs(np.linalg.eigvals(carry)).max())
    if not largest < 1:
        raise SettingError(
            f"Weather is stationary if all eigenvalues of `carry` lie inside the unit circle; the largest has modulus "
            f"{largest:.3g}. Take smaller numbers."
        )
    shocks = np.random.default_rng(seed).standard_normal((days, len(carry)))
    z = np.empty_like(shocks)
    z[0] = np.linalg.cholesky(_stationary_covariance(carry, mix)) @ shocks[0]
    for t in range(1, days):
        z[t] = carry @ z[t - 1] + mix @ shocks[t]
    times = pd.date_range("2000-01-01", periods=days, freq="D", name="time")
    elapsed = np.arange(days, dtype=float)
    season = np.cos(2 * np.pi * (elapsed - climate.warmest) / YEAR)[:, None]
    spread = climate.spread_factor(elapsed)[:, None] * np.array(climate.spread)
    values = np.array(climate.mean) + season * np.array(climate.swing) + spread * z
    return Series(
        "daily weather", times, values, climate.columns, dict(zip(climate.columns, climate.units, strict=True))
    )


def best_error(days: int, climate: Climate = TEMPERATE) -> NDArray[np.float64]:
    """Standard deviation of the error of the best one-step forecast of the first column, by the day forecast.

    It is that of the day's shocks alone: spread g(t) times the length of the first row of `mix`.

    Returns:
        shape (days,), in the first column's unit.

    >>> float(best_error(365).mean().round(2))
    1.8
    """
    factor = climate.spread_factor(np.arange(days, dtype=float))
    return factor * climate.spread[0] * float(np.linalg.norm(climate.mix[0]))


def _stationary_covariance(carry: NDArray[np.float64], mix: NDArray[np.float64]) -> NDArray[np.float64]:
    """C with C = carry C carry' + mix mix'."""
    from scipy.linalg import solve_discrete_lyapunov

    return solve_discrete_lyapunov(carry, mix @ mix.T)
