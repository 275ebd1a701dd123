"""Whether an exported model forecasts what ours does: asked on windows drawn at random."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import ModelFileError, RecipeError
from backsight.runs.fit import Fitted
from backsight.runs.model_file import Model
from backsight.vocabulary import Outputs
from backsight.windows.windows import View, Windows

#: How far an exported forecast may be from ours, in standard deviations of the target; of a forecast that is larger
#: than one, in forecasts, as 32 bits can't hold it better.
TOLERANCE = 1e-5
#: Windows that are tried.
TRIED = 64

Raw = NDArray[np.float64]


def exported_view(model: Model) -> View:
    """What a model may see, if it can be exported: how columns are scaled is a part of what is exported.

    Raises:
        RecipeError: the model is of many series, each of which is scaled by numbers of its own.
    """
    if model.card.many is not None:
        raise RecipeError(
            f"{model.card.name} is of {model.card.many.series:,} series, each of which has scales of its own; only "
            f"models of one series can be exported. The model file itself can be read by backsight."
        )
    return model.fitted[0].view


def draw_windows(view: View, count: int = TRIED) -> Raw:
    """Windows of random numbers around the columns' means, not scaled: shape (windows, lookback, columns)."""
    drawn = np.random.default_rng(0).standard_normal((count, view.lookback, len(view.scaler.mean)))
    return drawn * view.scaler.scale + view.scaler.mean


def forecast(fitted: Fitted, raw: Raw) -> Outputs:
    """What a fitted seed forecasts from windows that are not scaled: shape (windows, horizon)."""
    view = fitted.view
    count, lookback, columns = raw.shape
    scaled = view.scaler.apply(raw.reshape(count * lookback, columns))
    windows = Windows(
        inputs=np.ascontiguousarray(scaled, dtype=np.float32),
        targets=np.zeros(count * lookback),
        target_mean=view.target_mean,
        target_scale=view.target_scale,
        times=pd.date_range("2000-01-01", periods=count * lookback, freq="h"),
        origins=np.arange(lookback - 1, count * lookback, lookback, dtype=np.int32),
        lookback=lookback,
        horizon=view.horizon,
    )
    return fitted.forecaster.predict(windows)


def check_agreement(model: Model, raw: Raw, exported: Callable[[Raw], Outputs], form: str) -> float:
    """Make sure that an exported model forecasts what ours does.

    Args:
        model: ours.
        raw: shape (windows, lookback, columns), as the exported model is given them.
        exported: its forecasts, shape (windows, horizon), in the target's unit.
        form: its name for people.

    Returns:
        the largest difference, measured like `TOLERANCE`.

    Raises:
        ModelFileError: they differ by more than `TOLERANCE`.
    """
    ours = np.mean([forecast(one, raw) for one in model.fitted], axis=0)
    size = np.maximum(np.abs(ours), model.fitted[0].view.target_scale)
    furthest = float((np.abs(exported(raw) - ours) / size).max())
    if not furthest <= TOLERANCE:
        raise ModelFileError(
            f"{model.card.name} as {form} forecasts something else: by {furthest:.1e} standard deviations, more than "
            f"{TOLERANCE:.0e}. It was not exported."
        )
    return furthest
