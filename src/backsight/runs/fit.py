"""The unit of work: one entry, with one seed or several at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
import pandas as pd

from backsight.errors import WindowError
from backsight.evaluation.exam import Exam, Part
from backsight.evaluation.forecasts import BAND, forecast_rows
from backsight.evaluation.panel_exam import PanelExam
from backsight.evaluation.panel_forecasts import named
from backsight.models.each import EachForecaster, fit_each
from backsight.models.recipe import Forecaster, OnSeedEpoch
from backsight.runs.entry import Entry
from backsight.series.frequency import times_after
from backsight.series.panel import Panel
from backsight.series.series import Series
from backsight.training.checkpoint import Checkpoints
from backsight.training.plan import Plan
from backsight.vocabulary import Band, Origins, Outputs
from backsight.windows.many import alike, drawn, fit_panel_view, in_units
from backsight.windows.scaling import ScaleName
from backsight.windows.windows import View, ViewOptions, fit_view


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted forecaster and what it may see.

    Attributes:
        entry: what was fitted.
        seed: with which seed.
        view: columns, scaling, lookback and horizon, as learnt from the training rows.
        forecaster: the fitted model.
        train_windows: how many windows it learnt from.
        seconds: that fitting took, compilation included; of seeds that were trained together, its share.
    """

    entry: Entry
    seed: int
    view: View
    forecaster: Forecaster
    train_windows: int
    seconds: float

    def predict(self, series: Series | Panel, origins: Origins) -> Outputs:
        """Forecasts of shape (windows, horizon), in the target's unit."""
        windows = self.view.show(series, origins)
        if not self.entry.recipe.reads_window:
            return self.forecaster.predict(windows)
        return in_units(windows, self.forecaster.predict(alike(windows)))

    def predict_band(self, series: Series | Panel, origins: Origins) -> Band | None:
        """What the forecaster says itself that an actual lies between, in the target's unit; None if nothing."""
        windows = self.view.show(series, origins)
        if not self.entry.recipe.reads_window:
            return None
        band = self.forecaster.predict_band(alike(windows))
        return None if band is None else (in_units(windows, band[0]), in_units(windows, band[1]))

    def sit(self, series: Series, exam: Exam, part: Part) -> pd.DataFrame:
        """Forecasts rows of one part of an exam."""
        windows = self.view.show(series, exam.origins(part))
        predicted = self.forecaster.predict(windows)
        band = self.forecaster.predict_band(windows)
        return forecast_rows(windows, predicted, entry=self.entry.name, seed=self.seed, part=part, band=band)


class Fit(Protocol):
    """Fits one entry with each of these seeds, going on from a checkpoint if there is one."""

    def __call__(
        self, seeds: Sequence[int], on_epoch: OnSeedEpoch, checkpoints: Checkpoints | None = None
    ) -> list[Fitted]: ...


class Keeper(Protocol):
    """Keeps finished pieces: gives those it has, and has the others fitted."""

    def fit(self, fit: Fit, entry: str, fold: int, seeds: Sequence[int], on_epoch: OnSeedEpoch) -> list[Fitted]:
        """The pieces of an entry, for one exam, with these seeds."""


def fit_entry(
    series: Series | Panel,
    exam: Exam | PanelExam,
    entry: Entry,
    plan: Plan,
    scale: ScaleName,
    seeds: Sequence[int],
    on_epoch: OnSeedEpoch,
    checkpoints: Checkpoints | None = None,
) -> list[Fitted]:
    """Fit one entry with each of these seeds: a pure function of its arguments, wherever it goes on from.

    Of many series there is one model, which learns from targets in a unit that all share; a recipe that reads no window
    is fitted to each series by itself.

    Reads training and validation targets only.
    """
    began = perf_counter()
    view = _fit_view(series, exam, entry, scale)
    learn = view.show(series, exam.training_origins(entry.lookback))
    if not len(learn):
        raise WindowError(f"{entry.name} has no training window whose targets were all observed. Take other rows.")
    check = learn.at(exam.origins("validation"))
    recipe, lags = entry.recipe, learn.features * learn.lookback
    learn, check = (drawn(windows, recipe.windows_read(len(windows), lags)) for windows in (learn, check))
    forecasters: Sequence[Forecaster]
    if learn.blocks is not None and not recipe.reads_window:
        forecasters = [fit_each(recipe, learn, check, plan, seed) for seed in seeds]
    else:
        forecasters = recipe.fit_together(alike(learn), alike(check), plan, seeds, on_epoch, checkpoints)
    share = (perf_counter() - began) / len(seeds)
    return [
        Fitted(entry, seed, view, forecaster, len(learn), share)
        for seed, forecaster in zip(seeds, forecasters, strict=True)
    ]


def _fit_view(series: Series | Panel, exam: Exam | PanelExam, entry: Entry, scale: ScaleName) -> View:
    asked = ViewOptions(lookback=entry.lookback, horizon=exam.horizon, calendar=entry.calendar, scale=scale)
    if isinstance(series, Panel) and isinstance(exam, PanelExam):
        return fit_panel_view(series, [one.split for one in exam.exams], exam.target, entry.features, **asked)
    assert isinstance(series, Series)
    assert isinstance(exam, Exam)
    return fit_view(series, exam.split, exam.target, entry.features, **asked)


def predict_every_origin(members: Sequence[Fitted], series: Series | Panel) -> pd.DataFrame:
    """The mean forecast of several seeds at every origin of a series, or of each of many, the last one included.

    Returns:
        one row a forecast: origin, lead, time, actual (NaN after the end of the series, and where
        none was observed), predicted; low and high if
        the forecasters say them; and seed_sd, the standard deviation over seeds (NaN for a single one). Of many series
        the first column, series, says of which.

    Raises:
        WindowError: a series is too short to look back on.
    """
    if isinstance(series, Panel):
        return predict_each_at(members, series, [_every_origin(members, one) for one in series.each()])
    return predict_at(members, series, _every_origin(members, series))


def steps_needed(members: Sequence[Fitted], name: str | None = None) -> int:
    """How many steps up to its origin a forecast of these seeds needs; of many series, one of that name."""
    return max(members[0].view.lookback, *(_steps_back(m.forecaster, name) for m in members))


def _steps_back(forecaster: Forecaster, name: str | None) -> int:
    own = forecaster.of.get(name) if isinstance(forecaster, EachForecaster) and name is not None else None
    return (own or forecaster).steps_back


def predict_at(members: Sequence[Fitted], series: Series, origins: Origins) -> pd.DataFrame:
    """The mean forecast of several seeds at these origins of one series; see `predict_every_origin`."""
    return _forecast_rows(members[0].view, series, origins, _said(members, series, origins))


def predict_each_at(members: Sequence[Fitted], panel: Panel, origins: Sequence[Origins]) -> pd.DataFrame:
    """The mean forecast of several seeds at these origins of each series, in its own rows; see above."""
    starts = panel.blocks.bounds[:-1]
    stacked = np.concatenate([of + start for of, start in zip(origins, starts, strict=True)]).astype(np.int32)
    cuts = np.cumsum([len(of) for of in origins])[:-1]
    said = {name: np.split(values, cuts) for name, values in _said(members, panel, stacked).items()}
    tables = [
        _forecast_rows(members[0].view, series, of, {name: values[place] for name, values in said.items()})
        for place, (series, of) in enumerate(zip(panel.each(), origins, strict=True))
    ]
    rows = pd.concat(tables, ignore_index=True)
    names = named(panel.ids, np.repeat(np.arange(len(tables)), [len(t) for t in tables]))
    rows.insert(0, "series", pd.Series(names))
    return rows


def _every_origin(members: Sequence[Fitted], series: Series) -> Origins:
    back = steps_needed(members, series.name)
    if len(series) < back:
        raise WindowError(f"A forecast needs {back} steps to look back on; {series.name} has {len(series)}.")
    return np.arange(back - 1, len(series), dtype=np.int32)


def _said(members: Sequence[Fitted], series: Series | Panel, origins: Origins) -> dict[str, Outputs]:
    """What several seeds say together, each of shape (windows, horizon); see `predict_every_origin`."""
    of_seeds = np.array([m.predict(series, origins) for m in members])
    bands = [m.predict_band(series, origins) for m in members]
    said = [band for band in bands if band is not None]
    ends = np.mean(said, axis=0) if len(said) == len(members) else ()
    spread = np.std(of_seeds, axis=0, ddof=1) if len(members) > 1 else np.full(of_seeds[0].shape, np.nan)
    return {"predicted": np.mean(of_seeds, axis=0), **dict(zip(BAND, ends, strict=False)), "seed_sd": spread}


def _forecast_rows(view: View, series: Series, origins: Origins, said: Mapping[str, Outputs]) -> pd.DataFrame:
    times = series.times.append(times_after(series.times, view.horizon))
    actual = np.concatenate([series.column(view.target), np.full(view.horizon, np.nan)])
    actual[list(series.filled_rows(view.target))] = np.nan
    rows = (origins[:, None] + np.arange(1, view.horizon + 1)).ravel()
    return pd.DataFrame(
        {
            "origin": np.repeat(series.times[origins].to_numpy(), view.horizon),
            "lead": np.tile(np.arange(1, view.horizon + 1), len(origins)),
            "time": times[rows],
            "actual": actual[rows],
            **{name: values.ravel() for name, values in said.items()},
        }
    )
