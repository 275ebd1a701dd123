"""How far back a fitted forecaster looks: what it loses when steps of its window are taken from it.

To take steps from a forecaster is to let it forecast with those steps of *other* windows in their place, and to
average its forecasts over several such windows. The average is the best that the forecaster, as it was fitted, can
say without knowing them: with none of its own steps left, it is its mean forecast. Steps that are taken together come
from one and the same window, so that they fit each other; they do not fit the steps that stay, and a forecaster may
do odd things with windows that never were.

Source: Covert, Lundberg and Lee 2020, NeurIPS 33 (removal by marginalising, and its loss); Breiman 2001, Machine
Learning 45, 5-32 (permutation).

Only predictions are needed, so all of this works for every model that reads a window. Lag 1 is the window's last step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backsight.errors import SettingError, WindowError
from backsight.training.traces import Inside
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows, with_inputs

Predict = Callable[[Windows], Outputs]
Numbers = NDArray[np.float64]

#: Share of the skill that the lags in question carry.
SHARE = 0.95

#: A forecaster that gains less than this share over knowing nothing has no skill to speak of.
LEAST_SKILL = 0.01


@dataclass(frozen=True, eq=False)
class SeedMemory:
    """How far one fitted forecaster looks back.

    Attributes:
        seed: it was fitted with.
        truncation: shape (lookback + 1,): RMSE with only the last 0, 1, ... lookback steps its own.
        occlusion: shape (lookback,), by lag from 1: rise of the RMSE when that step is taken from it.
        slopes: shape (lookback, features), by lag from 1: mean |d forecast / d input|, in the target's unit per
            standard deviation of the feature; None for models without slopes.
        inside: what its layers do, first step of the window first; None for models without layers.
    """

    seed: int
    truncation: Numbers
    occlusion: Numbers
    slopes: Numbers | None = None
    inside: Inside | None = None

    @property
    def carrying(self) -> int | None:
        """The lags that carry 95 % of the skill; see `carrying_lags`."""
        return carrying_lags(self.truncation)


def carrying_lags(truncation: Numbers, share: float = SHARE) -> int | None:
    """The smallest L for which the last L steps bring back that share of the skill.

    Skill is what the RMSE falls by from knowing no step to knowing all of them.

    Args:
        truncation: RMSE with the last 0, 1, ... lookback steps.
        share: of the skill, above 0 and at most 1.

    Returns:
        None if there is no skill: all steps together lower the RMSE by less than 1 %.

    >>> carrying_lags(np.array([4.0, 3.5, 3.02, 3.0]))
    2
    >>> carrying_lags(np.array([4.0, 4.0, 4.0])) is None
    True
    """
    nothing, everything = truncation[0], truncation[-1]
    if not np.isfinite(truncation).all() or nothing - everything < LEAST_SKILL * nothing:
        return None
    enough = nothing - share * (nothing - everything)
    # Rounding must not cost the last step.
    return int(np.argmax(truncation <= enough * (1 + 1e-12)))


def other_windows(windows: int, draws: int, seed: int = 0) -> NDArray[np.intp]:
    """For each window some others to take steps from: shape (draws, windows), never the window itself.

    >>> other_windows(3, draws=2).shape
    (2, 3)

    Raises:
        WindowError: there are no others.
        SettingError: fewer than two draws, of which no spread can be known.
    """
    if windows < 2:
        raise WindowError(f"What a model remembers is seen on 2 windows or more; there are {windows} to validate on.")
    if draws < 2:
        raise SettingError(f"Steps are taken from 2 other windows or more; {draws} was given.")
    rng = np.random.default_rng(seed)
    others = np.empty((draws, windows), dtype=np.intp)
    for draw in others:
        ring = rng.permutation(windows)
        draw[ring] = np.roll(ring, 1)
    return others


def truncate(predict: Predict, windows: Windows, others: NDArray[np.intp]) -> Numbers:
    """RMSE with only the last 0, 1, ... lookback steps of each window its own: shape (lookback + 1,)."""
    inputs, truth = windows.gather_inputs(), windows.gather_outputs()
    steps = np.arange(windows.lookback)
    return np.array(
        [
            _rmse_without(predict, windows, inputs, truth, steps < windows.lookback - kept, others)
            for kept in range(windows.lookback + 1)
        ]
    )


def occlude(predict: Predict, windows: Windows, others: NDArray[np.intp]) -> Numbers:
    """Rise of the RMSE when one step is taken from each window: shape (lookback,), by lag from 1."""
    inputs, truth = windows.gather_inputs(), windows.gather_outputs()
    steps = np.arange(windows.lookback)
    whole = _rmse_without(predict, windows, inputs, truth, steps < 0, others)
    without = [
        _rmse_without(predict, windows, inputs, truth, steps == windows.lookback - lag, others)
        for lag in range(1, windows.lookback + 1)
    ]
    return np.array(without) - whole


def _rmse_without(
    predict: Predict,
    windows: Windows,
    inputs: NDArray[np.float32],
    truth: Outputs,
    taken: NDArray[np.bool_],
    others: NDArray[np.intp],
) -> float:
    """RMSE of the mean forecast over other windows' steps in place of those taken.

    The mean of a few draws scatters around the mean of all of them, which would add its variance to the squared
    error; that variance is known from the draws, and taken off.
    """
    if not taken.any():
        errors = predict(with_inputs(windows, inputs)) - truth
        return float(np.sqrt(np.mean(errors**2)))
    forecasts = np.empty((len(others), *truth.shape))
    for forecast, donors in zip(forecasts, others, strict=True):
        mixed = inputs.copy()
        mixed[:, taken] = inputs[donors][:, taken]
        forecast[...] = predict(with_inputs(windows, mixed))
    squared = np.mean((forecasts.mean(axis=0) - truth) ** 2)
    scatter = np.mean(forecasts.var(axis=0, ddof=1)) / len(others)
    return float(np.sqrt(max(squared - scatter, 0.0)))
