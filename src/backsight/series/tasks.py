"""Tasks with a known answer: a series, what to forecast from it, and the best that anybody can do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backsight.series.generated import adding, autoregressive, lagged_copy, random_walk, sine, white_noise
from backsight.series.series import Series
from backsight.series.weather import best_error, daily_weather


@dataclass(frozen=True, eq=False)
class Task:
    """A series whose best possible forecast is known.

    Attributes:
        series: the data.
        target: the column to forecast.
        features: the columns to read.
        lookback: steps that one must look back on to reach the best error.
        best: shape (steps,): standard deviation of the error of the best one-step forecast of each row, in the
            target's unit; 0 where the target follows from the past exactly.
        chance: RMSE of one who knows the target's distribution and nothing of the past.
        block: steps from one window's origin to the next; more than 1 if windows must not cross blocks.
    """

    series: Series
    target: str
    features: tuple[str, ...]
    lookback: int
    best: NDArray[np.float64]
    chance: float
    block: int = 1

    def noise_floor(self, rows: slice | range | None = None) -> float:
        """The best possible RMSE over these target rows; over all of them without.

        It is an expectation: on n rows of a sample, the best forecast comes out within about 1 / sqrt(2 n) of it.

        >>> autoregressive_task(100, seed=0, noise=2.0).noise_floor()
        2.0
        """
        chosen = self.best if rows is None else self.best[rows.start : rows.stop]
        return float(np.sqrt(np.mean(chosen**2)))

    def parts(self) -> tuple[range, range, range]:
        """Target rows of training, validation and test: 80, 10 and 10 % of the blocks, each part in whole blocks.

        >>> adding_task(20, seed=0, length=5).parts()
        (range(5, 85), range(85, 95), range(95, 101))
        """
        first = self.block if self.block > 1 else self.lookback
        blocks = -(-(len(self.series) - first) // self.block)  # each counted by its target, the row after it
        held = max(blocks // 10, 1)
        validation, test = (first + (blocks - n * held) * self.block for n in (2, 1))
        return range(first, validation), range(validation, test), range(test, len(self.series))


def autoregressive_task(
    steps: int = 3000, seed: int = 0, phi: tuple[float, ...] = (0.6, 0.0, 0.3), noise: float = 1.0
) -> Task:
    """AR(p): the last p values are all there is to know. See `generated.autoregressive`.

    >>> autoregressive_task(seed=1).lookback
    3
    """
    series = autoregressive(steps, seed, phi, noise)
    variance = _autoregressive_variance(phi) * noise**2
    return _plain(series, lookback=len(phi), best=noise, chance=variance**0.5)


def random_walk_task(steps: int = 3000, seed: int = 0) -> Task:
    """The last value is all there is to know; chance has no bound, so it is that of this sample.

    >>> random_walk_task().noise_floor()
    1.0
    """
    series = random_walk(steps, seed)
    return _plain(series, lookback=1, best=1.0, chance=float(series.values.std()))


def white_noise_task(steps: int = 3000, seed: int = 0) -> Task:
    """There is nothing to know.

    >>> task = white_noise_task()
    >>> task.noise_floor() == task.chance
    True
    """
    return _plain(white_noise(steps, seed), lookback=1, best=1.0, chance=1.0)


def sine_task(steps: int = 3000, seed: int = 0, period: float = 20.0, noise: float = 0.1) -> Task:
    """A wave in noise. Two whole periods of lags are enough to come near its best error, not to reach it.

    n lags fit a wave's two coefficients with an error of their own, so the best from n lags is
    `noise` sqrt(1 + 2/n), nearly.

    >>> sine_task().noise_floor().__round__(3)
    0.1
    """
    series = sine(steps, seed, period, noise)
    return _plain(series, lookback=2 * round(period), best=noise, chance=(0.5 + noise**2) ** 0.5)


def copy_task(steps: int = 3000, seed: int = 0, lag: int = 10) -> Task:
    """The answer stands `lag` steps back, and everything since is noise. See `generated.lagged_copy`.

    >>> task = copy_task(lag=5)
    >>> task.lookback, task.noise_floor(), task.chance
    (5, 0.0, 1.0)
    """
    series = lagged_copy(steps, seed, lag)
    return Task(series, "y", ("x",), lag, np.zeros(len(series)), chance=1.0)


def adding_task(blocks: int = 1000, seed: int = 0, length: int = 10) -> Task:
    """Two marked values somewhere in the window, and their sum. See `generated.adding`.

    >>> task = adding_task(length=20)
    >>> task.lookback, task.block, round(task.chance**2, 4)
    (20, 20, 0.1667)
    """
    series = adding(blocks, seed, length)
    best = np.zeros(len(series))
    return Task(series, "sum", ("value", "marker"), length, best, chance=(1 / 6) ** 0.5, block=length)


def weather_task(steps: int = 3653, seed: int = 0) -> Task:
    """Ten years of daily weather: the season and yesterday are all there is to know. See `weather.daily_weather`.

    >>> round(weather_task().noise_floor(), 2)
    1.84
    """
    series = daily_weather(steps, seed)
    chance = float(series.column("temperature").std())  # of this sample: years are alike
    return Task(series, "temperature", series.columns, 1, best_error(steps), chance)


#: Every task, by name; all take `seed`, and have defaults for the rest.
TASKS: Mapping[str, Callable[..., Task]] = {
    "autoregressive": autoregressive_task,
    "walk": random_walk_task,
    "noise": white_noise_task,
    "sine": sine_task,
    "copy": copy_task,
    "adding": adding_task,
    "weather": weather_task,
}


def _plain(series: Series, lookback: int, best: float, chance: float) -> Task:
    return Task(series, "y", ("y",), lookback, np.full(len(series), best), chance)


def _autoregressive_variance(phi: tuple[float, ...]) -> float:
    """Variance of an AR(p) with shocks of variance 1."""
    from statsmodels.tsa.arima_process import arma_acovf

    return float(arma_acovf(np.concatenate([[1.0], -np.asarray(phi)]), [1.0], nobs=1)[0])
