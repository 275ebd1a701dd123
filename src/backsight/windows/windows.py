"""Windows as row numbers: nothing is copied until somebody asks for the numbers."""

from dataclasses import dataclass, replace
from typing import Required, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import ColumnError, DataError, SettingError, WindowError
from backsight.series.panel import Blocks, Panel
from backsight.series.series import Series
from backsight.vocabulary import Inputs, Origins, Outputs, Steps, Targets
from backsight.windows.calendar import CALENDAR, calendar_features
from backsight.windows.feedback import Feedback
from backsight.windows.scaling import EachScaler, ScaleName, Scaler, fit_scaler
from backsight.windows.split import Split


@dataclass(frozen=True, eq=False)
class Windows:
    """Some windows: for each origin the `lookback` steps up to it, and what followed.

    They are of one series, or of several that lie one below the other (`blocks`) and that no window crosses. Models
    see the first kind alone: see `windows.many`.

    Attributes:
        inputs: shape (steps, features), float32, scaled: the whole series, once.
        targets: shape (steps,), in the target's unit.
        target_mean, target_scale: what turns a target into what a network is trained on.
        times: one a step.
        origins: shape (windows,): the row of each window's last input.
        lookback, horizon: lengths of a window's inputs and outputs.
        feedback: how forecasts become inputs, where the target's own past is all that is read; None otherwise.
        blocks: which steps belong to which of several series; None of one.
        of_each: mean and scale of the target of each series, where several were learnt from; `target_mean` and
            `target_scale` are then 0 and 1.
    """

    inputs: Steps
    targets: Targets
    target_mean: float
    target_scale: float
    times: pd.DatetimeIndex
    origins: Origins
    lookback: int
    horizon: int
    feedback: Feedback | None = None
    blocks: Blocks | None = None
    of_each: Scaler | None = None

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def features(self) -> int:
        """Number of input columns."""
        return self.inputs.shape[1]

    def gather_inputs(self) -> Inputs:
        """The windows' inputs, copied out: shape (windows, lookback, features)."""
        return self.inputs[self.origins[:, None] + np.arange(1 - self.lookback, 1)]

    def gather_lags(self) -> NDArray[np.float64]:
        """The windows' inputs laid out flat, for models of tables: shape (windows, features x lookback).

        Copied once and straight into the type that those models compute in: at a lookback of 360 a second
        copy would be the largest thing in memory.
        """
        if not len(self):
            return np.empty((0, self.features * self.lookback))
        first = self.origins.min() - self.lookback + 1
        steps = self.inputs[first : self.origins.max() + 1].astype(np.float64)
        flat = np.lib.stride_tricks.sliding_window_view(steps, self.lookback, axis=0)
        return flat[self.origins - first - self.lookback + 1].reshape(len(self), self.features * self.lookback)

    def gather_outputs(self) -> Outputs:
        """What followed each origin, shape (windows, horizon), in the target's unit.

        Raises:
            IndexError: an origin lies so near the end that its targets are not known yet.
        """
        return self.targets[target_rows(self.origins, self.horizon)]

    def at(self, origins: Origins) -> "Windows":
        """The windows of other origins of the same series.

        Raises:
            WindowError: an origin has fewer than `lookback` steps up to it, or lies past the end.
        """
        if self.blocks is not None:
            self._check_blocks(self.blocks, origins)
        if len(origins) and not self.lookback - 1 <= origins.min() <= origins.max() < len(self.inputs):
            raise WindowError(
                f"A window needs {self.lookback} steps up to its origin: origins may run from row "
                f"{self.lookback - 1} to {len(self.inputs) - 1}; {origins.min()} to {origins.max()} were given."
            )
        return replace(self, origins=origins)

    def _check_blocks(self, blocks: Blocks, origins: Origins) -> None:
        back = np.asarray(origins, dtype=np.int64) - (self.lookback - 1)
        crossing = np.flatnonzero(back < blocks.starts(origins))
        if len(crossing):
            origin = int(origins[crossing[0]])
            place = int(blocks.of(np.array([origin]))[0])
            raise WindowError(
                f"A window needs {self.lookback} steps of its own series up to its origin: step "
                f"{origin - blocks.bounds[place] + 1} of series {blocks.ids[place]!r} has too few before it."
            )


def with_inputs(windows: Windows, inputs: Inputs) -> Windows:
    """Windows with the same origins' times and other inputs, laid end to end so that none shares a step.

    They are to be forecast from, not scored: what follows a window in this series is another window.

    Args:
        windows: of one series; for all but the inputs.
        inputs: shape (windows, lookback, features), scaled.
    """
    count, lookback, features = inputs.shape
    rows = (windows.origins[:, None] + np.arange(1 - lookback, 1)).ravel()
    return replace(
        windows,
        inputs=inputs.reshape(count * lookback, features),
        targets=windows.targets[rows],
        times=windows.times[rows],
        origins=np.arange(lookback - 1, count * lookback, lookback, dtype=np.int32),
    )


def window_origins(targets: range, lookback: int, horizon: int, stride: int = 1) -> Origins:
    """Origins of the windows whose targets all lie in `targets` and whose inputs all exist.

    Args:
        targets: rows that may be targets, such as a part of a `Split`.
        lookback, horizon: lengths of a window's inputs and outputs.
        stride: steps from one origin to the next.

    Returns:
        shape (windows,), int32, rising; empty if no window fits.

    >>> window_origins(range(0, 6), lookback=3, horizon=2)
    array([2, 3], dtype=int32)
    """
    first = max(targets.start - 1, lookback - 1)
    return np.arange(first, targets.stop - horizon, stride, dtype=np.int32)


def target_rows(origins: Origins, horizon: int) -> Origins:
    """Rows of the targets of each origin, shape (windows, horizon).

    >>> target_rows(np.array([4, 7], dtype=np.int32), horizon=2)
    array([[5, 6],
           [8, 9]], dtype=int32)
    """
    return (origins[:, None] + np.arange(1, horizon + 1)).astype(np.int32)


@dataclass(frozen=True, eq=False)
class View:
    """What a forecaster may see of a series: columns, how they are scaled, how far back and ahead.

    A view is fitted on training rows (`fit_view`) and then shows any series with the same columns.

    Attributes:
        target: the column to forecast.
        features: the columns to read.
        calendar: whether sine and cosine of the day of the year are read as well.
        lookback, horizon: lengths of a window's inputs and outputs.
        scaler: of the input columns.
        target_mean, target_scale: of the target.
        each: of several series, how each is scaled; `scaler` and the numbers of the target then change nothing.
    """

    target: str
    features: tuple[str, ...]
    calendar: bool
    lookback: int
    horizon: int
    scaler: Scaler
    target_mean: float
    target_scale: float
    each: EachScaler | None = None

    def show(self, series: Series | Panel, origins: Origins) -> Windows:
        """The windows of these origins.

        Raises:
            ColumnError: the series lacks one of the columns.
            WindowError: an origin has fewer than `lookback` steps up to it.
            DataError: the view was fitted on one series and this is a panel, or the other way round, or on others.
        """
        if isinstance(series, Panel):
            return self._show_panel(series, origins)
        if self.each is not None:
            raise DataError(f"This was fitted on several series; {series.name} is one. Read it with the column of ids.")
        scaled = self.scaler.apply(input_values(series, self.features, self.calendar))
        whole = Windows(
            inputs=np.ascontiguousarray(scaled, dtype=np.float32),
            targets=series.column(self.target),
            target_mean=self.target_mean,
            target_scale=self.target_scale,
            times=series.times,
            origins=np.empty(0, dtype=np.int32),
            lookback=self.lookback,
            horizon=self.horizon,
            feedback=Feedback(series.times, self.scaler, self.calendar) if self.features == (self.target,) else None,
        )
        return whole.at(origins)

    def _show_panel(self, panel: Panel, origins: Origins) -> Windows:
        if self.each is None:
            raise DataError(f"This was fitted on one series; {panel.name} has {len(panel.ids):,}. Take one of them.")
        each = self.each.of(panel.ids)
        inputs = np.empty((len(panel), len(input_names(self.features, self.calendar))), dtype=np.float32)
        for place, series in enumerate(panel.each()):  # a series at a time: a copy of all in 64 bits would be large
            scaler = Scaler(each.inputs.mean[place], each.inputs.scale[place])
            inputs[panel.blocks.rows(place)] = scaler.apply(input_values(series, self.features, self.calendar))
        whole = Windows(
            inputs=inputs,
            targets=panel.column(self.target),
            target_mean=float(each.target.mean[0]) if each.alone else self.target_mean,
            target_scale=float(each.target.scale[0]) if each.alone else self.target_scale,
            times=panel.times,
            origins=np.empty(0, dtype=np.int32),
            lookback=self.lookback,
            horizon=self.horizon,
            blocks=panel.blocks,
            of_each=None if each.alone else each.target,
        )
        return whole.at(origins)


class ViewOptions(TypedDict, total=False):
    """What a view shows of the columns it is given; see `fit_view`."""

    lookback: Required[int]
    horizon: int
    calendar: bool
    scale: ScaleName


def fit_view(
    series: Series,
    split: Split,
    target: str,
    features: tuple[str, ...],
    *,
    lookback: int,
    horizon: int = 1,
    calendar: bool = False,
    scale: ScaleName = "standard",
) -> View:
    """A view whose scaling knows the rows up to the last training target, and no later one.

    Raises:
        SettingError: lookback or horizon below 1.
        ColumnError: no such column, or no features at all.
        WindowError: the training part is too short for one window.
    """
    if lookback < 1 or horizon < 1:
        raise SettingError(f"Lookback and horizon are 1 or more; {lookback} and {horizon} were given.")
    if not features and not calendar:
        raise ColumnError("A forecaster needs at least one feature column.")
    check_lookback(split, lookback, horizon)
    seen = slice(0, split.train.stop)
    scaler = fit_scaler(input_values(series, features, calendar)[seen], scale)
    of_target = fit_scaler(series.column(target)[seen, None], scale)
    return View(
        target=target,
        features=features,
        calendar=calendar,
        lookback=lookback,
        horizon=horizon,
        scaler=scaler,
        target_mean=float(of_target.mean[0]),
        target_scale=float(of_target.scale[0]),
    )


def check_lookback(split: Split, lookback: int, horizon: int) -> None:
    """Make sure that the training part has room for one window.

    Raises:
        WindowError: it has not; the message names the longest possible lookback.
    """
    if not len(window_origins(split.train, lookback, horizon)):
        longest = split.train.stop - horizon
        shorter = f"Take a lookback of at most {longest}" if longest >= 1 else "Take a shorter horizon"
        raise WindowError(
            f"A lookback of {lookback} and a horizon of {horizon} need {lookback + horizon} training rows; "
            f"there are {split.train.stop}. {shorter}, or a longer series."
        )


def input_values(series: Series, features: tuple[str, ...], calendar: bool) -> np.ndarray:
    """The input columns before scaling, shape (steps, features), calendar last; see `input_names`."""
    columns = [series.column(name) for name in features]
    table = np.column_stack(columns) if columns else np.empty((len(series), 0))
    return np.hstack([table, calendar_features(series.times)]) if calendar else table


def input_names(features: tuple[str, ...], calendar: bool) -> tuple[str, ...]:
    """Names of the input columns, in their order.

    >>> input_names(("a",), calendar=True)
    ('a', 'year_sine', 'year_cosine')
    """
    return features + CALENDAR if calendar else features
