"""Series whose best possible error is known, to judge forecasters by (and the tests by them)."""

import numpy as np
import pandas as pd

from backsight.series.series import Series


def autoregressive(steps: int, seed: int, phi: float = 0.8, noise: float = 1.0) -> Series:
    """AR(1): y[t] = phi y[t-1] + noise e[t]. Best one-step RMSE: `noise`.

    Source: Box, Jenkins, Reinsel, Ljung, "Time Series Analysis", section 3.2.

    >>> len(autoregressive(100, seed=0))
    100
    """
    shocks = noise * np.random.default_rng(seed).standard_normal(steps)
    y = np.empty(steps)
    y[0] = shocks[0] / np.sqrt(1 - phi**2)  # start in the stationary distribution
    for t in range(1, steps):
        y[t] = phi * y[t - 1] + shocks[t]
    return _daily("autoregressive", y)


def random_walk(steps: int, seed: int) -> Series:
    """y[t] = y[t-1] + e[t]. Best one-step RMSE: 1, reached by persistence.

    >>> len(random_walk(100, seed=0))
    100
    """
    return _daily("random walk", np.cumsum(np.random.default_rng(seed).standard_normal(steps)))


def white_noise(steps: int, seed: int) -> Series:
    """Independent draws from N(0, 1). Best RMSE: 1, reached by the mean.

    >>> len(white_noise(100, seed=0))
    100
    """
    return _daily("white noise", np.random.default_rng(seed).standard_normal(steps))


def sine(steps: int, seed: int, period: float = 20.0, noise: float = 0.1) -> Series:
    """sin(2 pi t / period) plus N(0, noise). Best RMSE: `noise`.

    >>> len(sine(100, seed=0))
    100
    """
    t = np.arange(steps)
    shocks = noise * np.random.default_rng(seed).standard_normal(steps)
    return _daily("sine", np.sin(2 * np.pi * t / period) + shocks)


def lagged_copy(steps: int, seed: int, lag: int) -> Series:
    """Noise `x`, and `y[t+1] = x[t+1-lag]`. Best RMSE: 0 with a lookback of `lag` or more, else 1.

    >>> series = lagged_copy(10, seed=0, lag=3)
    >>> bool((series.column("y")[3:] == series.column("x")[:-3]).all())
    True
    """
    x = np.random.default_rng(seed).standard_normal(steps + lag)
    return _daily("lagged copy", x[:steps], x=x[lag:])


def _daily(name: str, y: np.ndarray, **others: np.ndarray) -> Series:
    columns = {"y": y, **others}
    times = pd.date_range("2000-01-01", periods=len(y), freq="D", name="time")
    return Series(name, times, np.column_stack(list(columns.values())), tuple(columns))
