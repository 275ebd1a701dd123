"""The unit of work: one entry, with one seed or several at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
import pandas as pd

from backsight.errors import WindowError
from backsight.evaluation.exam import Exam, Part
from backsight.evaluation.forecasts import BAND, forecast_rows
from backsight.models.recipe import Forecaster, OnSeedEpoch
from backsight.runs.entry import Entry
from backsight.series.frequency import times_after
from backsight.series.series import Series
from backsight.training.checkpoint import Checkpoints
from backsight.training.plan import Plan
from backsight.vocabulary import Origins, Outputs
from backsight.windows.scaling import ScaleName
from backsight.windows.windows import View, fit_view


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

    def predict(self, series: Series, origins: Origins) -> Outputs:
        """Forecasts of shape (windows, horizon), in the target's unit."""
        return self.forecaster.predict(self.view.show(series, origins))

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
    series: Series,
    exam: Exam,
    entry: Entry,
    plan: Plan,
    scale: ScaleName,
    seeds: Sequence[int],
    on_epoch: OnSeedEpoch,
    checkpoints: Checkpoints | None = None,
) -> list[Fitted]:
    """Fit one entry with each of these seeds: a pure function of its arguments, wherever it goes on from.

    Reads training and validation targets only.
    """
    began = perf_counter()
    view = fit_view(
        series,
        exam.split,
        exam.target,
        entry.features,
        lookback=entry.lookback,
        horizon=exam.horizon,
        calendar=entry.calendar,
        scale=scale,
    )
    learn = view.show(series, exam.training_origins(entry.lookback))
    if not len(learn):
        raise WindowError(f"{entry.name} has no training window whose targets were all observed. Take other rows.")
    check = learn.at(exam.origins("validation"))
    forecasters = entry.recipe.fit_together(learn, check, plan, seeds, on_epoch, checkpoints)
    share = (perf_counter() - began) / len(seeds)
    return [
        Fitted(entry, seed, view, forecaster, len(learn), share)
        for seed, forecaster in zip(seeds, forecasters, strict=True)
    ]


def steps_needed(members: Sequence[Fitted]) -> int:
    """How many steps up to its origin a forecast of these seeds needs."""
    return max(members[0].view.lookback, *(m.forecaster.steps_back for m in members))


def predict_every_origin(members: Sequence[Fitted], series: Series) -> pd.DataFrame:
    """The forecasts of several seeds at every origin of a series, the last one included; see `predict_at`.

    Raises:
        WindowError: the series is too short for one.
    """
    back = steps_needed(members)
    if len(series) < back:
        raise WindowError(f"A forecast needs {back} steps to look back on; {series.name} has {len(series)}.")
    return predict_at(members, series, np.arange(back - 1, len(series), dtype=np.int32))


def predict_at(members: Sequence[Fitted], series: Series, origins: Origins) -> pd.DataFrame:
    """The mean forecast of several seeds at these origins.

    Returns:
        one row a forecast: origin, lead, time, actual (NaN after the end of the series, and where none was observed),
        predicted; low and high if all forecasters say them; and seed_sd, the standard deviation over seeds (NaN for a
        single one).
    """
    view = members[0].view
    of_seeds = np.array([m.predict(series, origins) for m in members])
    bands = [m.forecaster.predict_band(m.view.show(series, origins)) for m in members]
    said = [band for band in bands if band is not None]
    ends = np.mean(said, axis=0) if len(said) == len(members) else ()
    spread = np.std(of_seeds, axis=0, ddof=1) if len(members) > 1 else np.full(of_seeds[0].shape, np.nan)
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
            "predicted": np.mean(of_seeds, axis=0).ravel(),
            **{name: end.ravel() for name, end in zip(BAND, ends, strict=False)},
            "seed_sd": spread.ravel(),
        }
    )
