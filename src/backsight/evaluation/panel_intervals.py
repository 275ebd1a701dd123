"""Intervals of forecasts of many series, and whether they hold what they say.

Series differ in how well they can be forecast, and a few validation errors say little about the 5 % beyond an end. So
each error is divided by the size of its series' *other* errors, all series together say how far such numbers spread
(split conformal), and the size of a series' errors brings that back to its unit. Were an error among those that it is
divided by, it would look smaller than one that is still to come: of twelve errors a series, 90 % intervals would hold
87 %. Few errors are a poor measure of their size, so five of the usual size are added to those of each series.

From there each series goes its own way as its actual values arrive; see `evaluation.calibration`. A series alone has
the intervals of `evaluation.intervals`.

Sources: Lei et al. 2018, J. American Statistical Association 113, 1094-1111, section 5.2 (errors divided by their size
before they are ordered); the rest in `evaluation.calibration`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import ExamError
from backsight.evaluation.calibration import (
    LEVELS,
    NARROW,
    Calibration,
    OfLead,
    Standing,
    conformal_ends,
    errors_needed,
    step_of,
)
from backsight.evaluation.intervals import ADAPTIVE, FIXED, Coverage, coverage_of, share_error
from backsight.evaluation.panel_forecasts import Numbers, PanelForecasts, Sheet, named
from backsight.vocabulary import Outputs

#: Errors of the usual size that are added to those of a series, when the size of its errors is asked for.
SHARED = 5
#: Lower and upper ends, shape (windows, horizon) each.
Ends = tuple[Outputs, Outputs]


@dataclass(frozen=True, eq=False)
class PanelIntervals:
    """The intervals of an entry on the test part of many series, in the unit of each.

    Attributes:
        ids: names of the series.
        level: share of actual values to hold.
        errors: validation windows that they were made from.
        sheet: what was asked.
        predicted: the mean forecast of its seeds, shape (windows, horizon).
        seed_sd: the standard deviation over seeds, of that shape; NaN for a single one.
        fixed: the ends as validation errors make them; infinite where there are too few errors for the level.
        adaptive: as they move when actual values arrive; each is that of its origin, and knows nothing after it.
    """

    ids: tuple[str, ...]
    level: float
    errors: int
    sheet: Sheet
    predicted: Outputs
    seed_sd: Outputs
    fixed: Ends
    adaptive: Ends

    def score(self, ends: Ends, lead: int | None = None) -> Coverage:
        """How intervals did over all series, width and score in sd; see `evaluation.panel_forecasts`.

        Series of one time depend on each other: the standard error is that of a mean over turns.

        Args:
            ends: `fixed` or `adaptive`.
            lead: at that lead alone; at all of them without it.
        """
        leads = slice(None) if lead is None else slice(lead - 1, lead)
        sheet, actual = self.sheet, self.sheet.actual[:, leads]
        lower, upper = (end[:, leads] for end in ends)
        held = sheet.by_turn(_held(actual, lower, upper))
        last = np.full(len(sheet.origins), sheet.time.min())
        np.maximum.at(last, sheet.turn, sheet.time[:, leads].max(axis=1))
        overlap = int((np.searchsorted(sheet.origins, last, side="left") - np.arange(len(last))).max())
        scale = sheet.scale[:, None]
        return coverage_of(actual / scale, lower / scale, upper / scale, self.level, share_error(held, overlap))

    def of_each(self, ends: Ends) -> Numbers:
        """The share of actual values held in each series; shape (series,), NaN where it has no window."""
        return self.sheet.by_series(_held(self.sheet.actual, *ends), len(self.ids))

    def rows(self) -> pd.DataFrame:
        """One row a forecast, in the columns of `evaluation.intervals.examined`, and first of all series."""
        sheet, (windows, horizon) = self.sheet, self.predicted.shape
        columns = {
            "series": named(self.ids, np.repeat(sheet.series, horizon)),
            "origin": np.repeat(sheet.origin, horizon),
            "lead": np.tile(np.arange(1, horizon + 1, dtype=np.int32), windows),
            "time": sheet.time.ravel(),
            "actual": sheet.actual.ravel(),
            "predicted": self.predicted.ravel(),
            "seed_sd": self.seed_sd.ravel(),
        }
        ends = zip((*FIXED, *ADAPTIVE), (*self.fixed, *self.adaptive), strict=True)
        return pd.DataFrame({**columns, **{name: end.ravel() for name, end in ends}})


def examined_panel(forecasts: PanelForecasts, entry: str, level: float = 0.9) -> PanelIntervals:
    """The intervals of an entry on the test part: from its validation errors, and with updates as actuals arrive.

    Args:
        forecasts: of both parts.
        entry: its name.
        level: share of actual values to hold.

    Raises:
        ExamError: a forecast is missing, or there is no such entry.
    """
    validation, test = forecasts.sheets["validation"], forecasts.sheets["test"]
    centres = {part: forecasts.centre(entry, part) for part in ("validation", "test")}
    if not all(np.isfinite(predicted).all() for predicted, _ in centres.values()):
        raise ExamError("There are no intervals around forecasts that are missing.")
    predicted, seed_sd = centres["test"]
    known = (validation.actual - centres["validation"][0]) / validation.scale[:, None]
    errors, count = (test.actual - predicted) / test.scale[:, None], len(forecasts.ids)
    usual = _usual(validation)
    fixed, adaptive = [], []
    for lead in range(errors.shape[1]):
        lower, upper = first_ends(known[:, lead], validation.series, count, level)
        narrowest = _narrowest(lower, upper, usual)
        step = step_of(int(validation.overlap[lead]))
        fixed.append((lower[test.series], upper[test.series]))
        adaptive.append(_follow(lower, upper, errors[:, lead], test, test.observed[:, lead], step, narrowest, level))
    if len(known) < errors_needed(level):
        nothing = np.full(len(errors), np.inf)
        fixed = adaptive = [(-nothing, nothing)] * errors.shape[1]
    made = (_around(predicted, test.scale, ends) for ends in (fixed, adaptive))
    return PanelIntervals(forecasts.ids, level, len(known), test, predicted, seed_sd, *made)


def calibrate_each(
    validation: Sheet, predicted: Outputs, ids: Sequence[str], levels: Sequence[float] = LEVELS
) -> dict[str, Calibration]:
    """The calibration of each series by its name, in its unit: to begin with, from the validation errors of all.

    Args:
        validation: what was asked.
        predicted: the mean forecast of an entry's seeds, shape (windows, horizon).
        ids: names of the series.
        levels: shares of actual values to hold, rising.
    """
    errors, count = (validation.actual - predicted) / validation.scale[:, None], len(ids)
    scale, until = np.ones(count), np.full((count, errors.shape[1]), validation.time.min())
    scale[validation.series] = validation.scale
    np.maximum.at(until, validation.series, validation.time)
    leads: list[list[OfLead]] = [[] for _ in ids]
    for lead in range(errors.shape[1]):
        ends = [first_ends(errors[:, lead], validation.series, count, level) for level in levels]
        narrowest = scale * _narrowest(*ends[-1], _usual(validation))
        lower, upper = (scale[:, None] * np.stack(side, axis=1) for side in zip(*ends, strict=True))
        step = step_of(int(validation.overlap[lead]))
        for place, of_series in enumerate(leads):
            time = pd.Timestamp(until[place, lead]).to_pydatetime()
            begun = Standing(time, len(errors), tuple(lower[place].tolist()), tuple(upper[place].tolist()))
            of_series.append(OfLead(step, float(narrowest[place]), (begun,)))
    return {name: Calibration(tuple(levels), tuple(of_series)) for name, of_series in zip(ids, leads, strict=True)}


def _usual(sheet: Sheet) -> float:
    """The standard deviation of what came, in sd."""
    return float((sheet.actual / sheet.scale[:, None]).std())


def _narrowest(lower: Numbers, upper: Numbers, usual: float) -> Numbers:
    """What steps are taken of at least: forecasts that were right on all validation days leave no width."""
    return np.where(upper > lower, NARROW * (upper - lower), 0.01 * usual)


def first_ends(errors: Numbers, series: NDArray[np.int32], count: int, level: float) -> tuple[Numbers, Numbers]:
    """Lower and upper end of each series, from validation errors of all of them.

    Args:
        errors: actual less forecast, shape (windows,), in units that series have in common.
        series: shape (windows,), the place of the series of each.
        count: how many series there are; one without errors has the usual size.
        level: share of actual values to hold.

    >>> errors, series = np.array([-1.0, 0.0, 1.0, -10.0, 0.0, 10.0]), np.array([0, 0, 0, 1, 1, 1], dtype=np.int32)
    >>> lower, upper = first_ends(errors, series, 2, level=0.5)
    >>> bool(upper[0] < upper[1])
    True
    """
    if count == 1:
        sizes = others = np.ones(1)
    else:
        squares, shared = errors**2, SHARED * float((errors**2).mean())
        sums, windows = np.bincount(series, squares, count), np.bincount(series, minlength=count)
        sizes = np.sqrt((sums + shared) / (windows + SHARED))
        others = np.sqrt((sums[series] - squares + shared) / (windows[series] - 1 + SHARED))
    shares = np.divide(errors, others, out=np.zeros_like(errors), where=others > 0)
    (lower,), (upper,) = conformal_ends(shares, shares, [level])
    return lower * sizes, upper * sizes


def _follow(
    lower: Numbers,
    upper: Numbers,
    errors: Numbers,
    sheet: Sheet,
    observed: NDArray[np.int64],
    step: float,
    narrowest: Numbers,
    level: float,
) -> tuple[Numbers, Numbers]:
    """The ends that stood at each origin; see `evaluation.calibration.follow`, here of all series side by side.

    Args:
        lower, upper, narrowest: shape (series,), to begin with.
        errors: actual less forecast of a lead, shape (windows,).
        sheet: of these windows.
        observed: of how many windows of its series the actual had come at each origin; shape (windows,).
        step, level: see there.
    """
    at, share = (sheet.place, sheet.series), (1 - level) / 2
    count, each = int(sheet.place.max()) + 1, np.arange(len(lower))
    came, known = np.full((count, len(lower)), np.nan), np.zeros((count, len(lower)), dtype=np.int64)
    came[at], known[at] = errors, observed
    lowers, uppers = np.empty((2, count + 1, len(lower)))
    lowers[0], uppers[0] = lower, upper
    for k, (error, then) in enumerate(zip(came, known, strict=True)):
        moved = np.where(np.isnan(error), 0.0, step * np.maximum(uppers[k] - lowers[k], narrowest))
        lowers[k + 1] = lowers[k] - moved * ((error < lowers[then, each]) - share)
        uppers[k + 1] = uppers[k] + moved * ((error > uppers[then, each]) - share)
    stood = (observed, sheet.series)
    return lowers[stood], uppers[stood]


def _around(predicted: Outputs, scale: Numbers, ends: list[tuple[Numbers, Numbers]]) -> Ends:
    """Ends around forecasts, in the unit of each series; those that have crossed enclose what lies between them."""
    lower, upper = (predicted + scale[:, None] * np.stack(side, axis=1) for side in zip(*ends, strict=True))
    return np.minimum(lower, upper), np.maximum(lower, upper)


def _held(actual: Outputs, lower: Outputs, upper: Outputs) -> Numbers:
    """The share of its leads that each window's intervals held."""
    return ((lower <= actual) & (actual <= upper)).mean(axis=1)
