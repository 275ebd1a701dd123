"""Windows that go on past their origins, with forecasts in place of what was not observed."""

from dataclasses import replace

import numpy as np
import pandas as pd

from backsight.errors import WindowError
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows


def lay_out(windows: Windows, ahead: int) -> Windows:
    """The same windows, each copied out beside room for `ahead` more steps, so that no two share a step.

    What is not known yet is NaN: whoever reads past an origin shows it. The calendar is known ahead.

    Args:
        windows: whose feedback is known.
        ahead: steps after each origin.

    Raises:
        WindowError: they read more than the target's own past.
    """
    if windows.feedback is None:
        raise WindowError("Only windows of the target's own past go on with its forecasts; these read other columns.")
    count, length = len(windows), windows.lookback + ahead
    past = windows.origins[:, None] + np.arange(1 - windows.lookback, 1)  # (windows, lookback)
    times = np.empty((count, length), dtype=windows.times.to_numpy().dtype)
    targets = np.full((count, length), np.nan)
    inputs = np.empty((count, length, windows.features), dtype=np.float32)
    times[:, : windows.lookback] = windows.times.to_numpy()[past]
    targets[:, : windows.lookback] = windows.targets[past]
    inputs[:, : windows.lookback] = windows.inputs[past]
    if ahead:
        later = windows.feedback.times_ahead(windows.times[windows.origins], ahead)
        times[:, windows.lookback :] = later.to_numpy().reshape(count, ahead)
        rows = windows.feedback.inputs(np.full(count * ahead, np.nan), later)
        inputs[:, windows.lookback :] = rows.reshape(count, ahead, windows.features)
    return replace(
        windows,
        inputs=inputs.reshape(count * length, windows.features),
        targets=targets.ravel(),
        times=pd.DatetimeIndex(times.ravel()),
        origins=np.arange(windows.lookback - 1, count * length, length, dtype=np.int32),
    )


def observe(windows: Windows, forecasts: Outputs) -> Windows:
    """Windows that were laid out, some steps on: their origins are the steps that were forecast last.

    Args:
        windows: see `lay_out`.
        forecasts: of the next steps, shape (windows, steps), in the target's unit.
    """
    assert windows.feedback is not None
    steps = forecasts.shape[1]
    rows = (windows.origins[:, None] + np.arange(1, steps + 1)).ravel()
    inputs, targets = windows.inputs.copy(), windows.targets.copy()
    targets[rows] = forecasts.ravel()
    inputs[rows] = windows.feedback.inputs(targets[rows], windows.times[rows])
    return replace(windows, inputs=inputs, targets=targets, origins=windows.origins + np.int32(steps))
