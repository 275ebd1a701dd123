"""Series whose best possible error is known, to judge forecasters by (and the tests by them).

Each function says the best RMSE of a forecast one step ahead; `series.tasks` holds it beside the series.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import SettingError
from backsight.series.series import Series


def autoregressive(steps: int, seed: int, phi: float | Sequence[float] = 0.8, noise: float = 1.0) -> Series:
    """AR(p): y[t] = phi[0] y[t-1] + ... + phi[p-1] y[t-p] + noise e[t]. Best one-step RMSE: `noise`.

    The first p values are drawn from the stationary distribution, so every row is alike.

    Args:
        steps: rows, p or more.
        seed: of the shocks e, drawn from N(0, 1).
        phi: the coefficients; one number for AR(1).
        noise: standard deviation of a shock, in the unit of y.

    Raises:
        SettingError: the process is not stationary, or there are fewer rows than coefficients.

    Source: Box, Jenkins, Reinsel, Ljung, "Time Series Analysis", sections 3.2 and 3.4.

    >>> len(autoregressive(100, seed=0, phi=(0.5, 0.3)))
    100
    """
    weights = np.atleast_1d(np.asarray(phi, dtype=float))
    order = len(weights)
    check_stationary(weights)
    if steps < order:
        raise SettingError(f"AR({order}) needs {order} rows to begin with; {steps} were asked for.")
    shocks = noise * np.random.default_rng(seed).standard_normal(steps)
    y = np.empty(steps)
    y[:order] = _stationary_factor(weights) @ shocks[:order]
    for t in range(order, steps):
        y[t] = weights @ y[t - order : t][::-1] + shocks[t]
    return _daily("autoregressive", y)


def check_stationary(phi: NDArray[np.float64]) -> None:
    """Make sure that shocks die away: all roots of z^p - phi[0] z^(p-1) - ... lie inside the unit circle.

    Raises:
        SettingError: one does not.

    >>> check_stationary(np.array([1.2, -0.3]))
    """
    largest = float(np.abs(np.roots(np.concatenate([[1.0], -phi]))).max(initial=0.0))
    if not largest < 1:
        raise SettingError(
            f"An AR process is stationary if all roots of its polynomial lie inside the unit circle; with "
            f"{', '.join(f'{p:g}' for p in phi)} the largest has modulus {largest:.3g}. Take smaller coefficients."
        )


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


def adding(blocks: int, seed: int, length: int) -> Series:
    """The adding problem: two steps of a block are marked, and the answer is the sum of their values.

    Blocks lie end to end. `value` is uniform in 0..1; `marker` is 1 at one step of a block's first half and at one of
    its second, else 0; `sum` holds, from the step after a block to the end of the next, the sum of that block's two
    marked values (and its mean, 1, before any block has ended). One row follows the last block and holds its sum.

    Windows of a lookback and a stride of `length`, the first of which ends with the first block, never cross blocks:
    the target of each is the sum of the block it holds. Best RMSE: 0. One that sees no marker is at chance: it can only
    answer 1, and its mean squared error is 1/6.

    Args:
        blocks: how many.
        seed: of values and markers.
        length: steps of a block, 2 or more.

    Raises:
        SettingError: a block is too short for two marks.

    Sources: Hochreiter and Schmidhuber 1997, Neural Computation 9, 1735-1780 (experiment 4); in this form Le, Jaitly
    and Hinton 2015, arXiv:1504.00941.

    >>> series = adding(3, seed=0, length=4)
    >>> len(series), series.columns
    (13, ('sum', 'value', 'marker'))
    >>> value, marker = series.column("value")[:4], series.column("marker")[:4]
    >>> bool(np.isclose(series.column("sum")[4], value @ marker))
    True
    """
    if length < 2:
        raise SettingError(f"A block of the adding problem holds two marks: 2 steps or more; {length} was given.")
    rng = np.random.default_rng(seed)
    values = rng.uniform(size=(blocks, length))
    half = length // 2
    marks = np.zeros((blocks, length))
    each = np.arange(blocks)
    marks[each, rng.integers(0, half, blocks)] = 1.0
    marks[each, rng.integers(half, length, blocks)] = 1.0
    sums = np.sum(values * marks, axis=1)
    last = {"value": rng.uniform(size=1), "marker": np.zeros(1)}
    return _evenly(
        "adding",
        "min",  # a million days would outlast the calendar
        sum=np.concatenate([np.ones(length), np.repeat(sums[:-1], length), sums[-1:]]),
        value=np.concatenate([values.ravel(), last["value"]]),
        marker=np.concatenate([marks.ravel(), last["marker"]]),
    )


def _stationary_factor(phi: NDArray[np.float64]) -> NDArray[np.float64]:
    """L with L L' = the covariance of p successive values of an AR(p) with shocks of variance 1."""
    from statsmodels.tsa.arima_process import arma_acovf

    order = len(phi)
    covariance = arma_acovf(np.concatenate([[1.0], -phi]), [1.0], nobs=order)
    apart = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    return np.linalg.cholesky(covariance[apart])


def _daily(name: str, y: NDArray[np.float64], **others: NDArray[np.float64]) -> Series:
    return _evenly(name, "D", y=y, **others)


def _evenly(name: str, step: str, **columns: NDArray[np.float64]) -> Series:
    steps = len(next(iter(columns.values())))
    times = pd.date_range("2000-01-01", periods=steps, freq=step, name="time")
    return Series(name, times, np.column_stack(list(columns.values())), tuple(columns))
