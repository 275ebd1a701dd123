"""Forecasts of a model: of what follows a series, or of every origin in a range, with intervals.

An interval is made from the model's own errors on its validation part, and moves with actuals that came later where it
was told of them (see `evaluation.calibration`). How far the seeds lie apart stands beside it, and is no part of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backsight.errors import SettingError, WindowError
from backsight.evaluation.calibration import LEVELS, Calibration
from backsight.evaluation.forecasts import BAND
from backsight.evaluation.intervals import FIXED, Coverage, apply, calibrate, score, updated
from backsight.runs.fit import Fitted, predict_at, steps_needed
from backsight.runs.model_card import check_fits
from backsight.runs.reach import reaching
from backsight.runs.study import check_count
from backsight.series.panel import Panel
from backsight.series.series import Series, day, rows_between
from backsight.vocabulary import Origins

if TYPE_CHECKING:
    from backsight.runs.model_file import Model


@dataclass(frozen=True)
class Span:
    """Which origins: the last row, so many of the last rows, or all between two dates.

    Attributes:
        last: so many.
        first_date, last_date: both included.
    """

    last: int | None = None
    first_date: str | None = None
    last_date: str | None = None

    def origins(self, series: Series, needed: int) -> Origins:
        """Their rows, as far as the steps that are needed lie behind them.

        Raises:
            SettingError: a number and a date are given.
            WindowError: there is no such row.
        """
        dated = self.first_date is not None or self.last_date is not None
        if dated and self.last is not None:
            raise SettingError("Origins are so many of the last rows, or those between two dates: give one of both.")
        last = 1 if self.last is None else check_count("last", self.last)
        kept = rows_between(series.times, self.first_date, self.last_date) if dated else slice(len(series) - last, None)
        rows = np.arange(len(series), dtype=np.int32)[max(kept.start, needed - 1) : kept.stop]
        if not len(rows):
            raise WindowError(
                f"A forecast needs {needed} step{'s' if needed > 1 else ''} up to its origin; {series.name} has "
                f"{len(series)}, {day(series.times[0])} to {day(series.times[-1])}, and no such origin was asked for."
            )
        return rows


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a model says of a series.

    Attributes:
        model: that says it.
        series: what was known, of one or of many.
        level: share of actual values that the intervals are to hold.
        rows: one a forecast: origin, lead, time, actual (NaN where none was observed), predicted (the mean over seeds),
            seed_sd (their standard deviation; NaN for a single one), lower, upper (infinite where too few errors are
            known for the level, NaN where none are for the lead). Of many series the first column, series, says of
            which.
        intervals: by which lower and upper were made; after an update, what they have become. Of many series those of
            each, by its name.
        judged: forecasts of all actuals in the series that the intervals did not know, shown or not: those say how good
            the intervals are.
        scale: of many series, by name, what their errors are divided by where they are put together; None of one.
        updated: whether the intervals were told of these actuals. Then each is the one of its origin.
    """

    model: "Model"
    series: Series | Panel
    level: float
    rows: pd.DataFrame
    intervals: Calibration | Mapping[str, Calibration]
    judged: pd.DataFrame
    scale: pd.Series | None = None
    updated: bool = False

    @property
    def horizon(self) -> int:
        """Steps ahead."""
        return int(self.rows["lead"].max())

    @property
    def coverage(self) -> Coverage | None:
        """What the intervals held of the judged actuals; None where there are none, or no interval."""
        finite = self.judged[np.isfinite(self.judged[list(FIXED)].to_numpy()).all(axis=1)]
        if finite.empty:
            return None
        if self.scale is not None:
            values, scale = finite[["actual", *FIXED]], finite["series"].map(self.scale).astype(float)
            finite = finite.assign(**values.div(scale, axis=0))
        return score(finite, self.level)


def look_ahead(
    model: "Model",
    series: Series,
    *,
    horizon: int | None = None,
    span: Span | None = None,
    level: float = 0.9,
    intervals: Calibration | None = None,
    update: bool = False,
) -> Outlook:
    """Forecast a series.

    Args:
        model: fitted.
        series: with the model's columns, in its units, at its step.
        horizon: steps ahead; the model's own without it. Fewer are its first ones; more take a model that reads the
            target's own past alone.
        span: the origins; the last row without it.
        level: share of actual values that intervals are to hold.
        intervals: as earlier updates have left them; from validation errors without it.
        update: tell them of all actuals that they don't know yet.

    Raises:
        ColumnError, DataError: the series does not fit the model.
        RecipeError: the model can't forecast so far ahead.
        SettingError: a number outside its range.
        WindowError: no origin has a whole window.
        ExamError: the intervals of earlier updates have no such level.
    """
    check_fits(model.card, series)
    check_level(level)
    own = model.card.horizon
    asked = own if horizon is None else check_count("horizon", horizon)
    members = [reaching(fitted, max(asked, own)) for fitted in model.fitted]
    chosen = (span or Span()).origins(series, steps_needed(members))
    known = intervals or first_intervals(model, level)
    origins = np.union1d(chosen, untold(known, series, steps_needed(members), own)).astype(np.int32)
    rows = predict_at(members, series, origins)
    if not set(BAND) <= set(model.calibration.rows):  # intervals around quantiles begin with the errors of quantiles
        rows = _without_bands(rows)
    near, far = rows[rows["lead"] <= own], rows[(rows["lead"] > own) & (rows["lead"] <= asked)]
    told, near = updated(known, near, level) if update else (known, apply(known, near, level))
    all_rows = pd.concat([near, _apply_beyond(model, series, members, known, far, level)]).sort_index()
    shown = all_rows["origin"].isin(series.times[chosen]) & (all_rows["lead"] <= asked)
    until = pd.Timestamp(max(of_lead.standing[-1].time for of_lead in known.leads))
    judged = near[near["actual"].notna() & (near["time"] > until)]
    said = _without_bands(all_rows[shown]).reset_index(drop=True)
    return Outlook(model, series, level, said, told, judged, updated=update)


def check_level(level: float) -> None:
    """Make sure that a level is one.

    Raises:
        SettingError: it is none.
    """
    if not 0 < level < 1:
        raise SettingError(f"A level is a share between 0 and 1, such as 0.9; {level} was given.")


def first_intervals(model: "Model", level: float) -> Calibration:
    """The intervals that validation errors make: of the usual levels, and of this one."""
    return calibrate(model.calibration.rows, sorted({*LEVELS, level}))


def untold(known: Calibration, series: Series, needed: int, horizon: int) -> Origins:
    """Origins of a target that the intervals have not been told of."""
    until = min(of_lead.standing[-1].time for of_lead in known.leads)
    first = int(series.times.searchsorted(pd.Timestamp(until), side="right"))
    return np.arange(max(first - horizon, needed - 1), len(series) - 1, dtype=np.int32)


def _apply_beyond(
    model: "Model", series: Series, members: Sequence[Fitted], known: Calibration, rows: pd.DataFrame, level: float
) -> pd.DataFrame:
    """Forecasts further ahead than the model was trained for, with intervals where the series can make some.

    The validation forecasts of these leads are in no model file. They are made here, if the series still has the rows
    of the validation part.
    """
    if rows.empty:
        return rows
    errors = _validation_rows(model, series, members)
    if errors is None:
        return rows.assign(**dict.fromkeys(FIXED, np.nan))
    return apply(calibrate(_without_bands(errors), known.levels), _without_bands(rows), level)


def _without_bands(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns=list(BAND), errors="ignore")


def _validation_rows(model: "Model", series: Series, members: Sequence[Fitted]) -> pd.DataFrame | None:
    """Forecasts of the validation part, all leads; None if the series has not the values that the model knew there."""
    of_model = model.calibration
    places = series.times.get_indexer(of_model.origins)
    if places.min() < steps_needed(members) - 1:  # -1 where there is no such time
        return None
    rows = predict_at(members, series, places.astype(np.int32))
    same = rows[rows["lead"] <= model.card.horizon]["actual"].to_numpy()
    if not np.array_equal(same, of_model.actual.ravel()):
        return None
    inside = rows[(rows["time"] <= of_model.times.max()) & rows["actual"].notna()]
    return inside if inside["lead"].nunique() == rows["lead"].nunique() else None
