"""Intervals of forecasts rows, and whether they hold what they say.

Errors on validation make them (see `evaluation.calibration`), test rows show how many actual values they hold: as they
were made, and with updates as actuals arrive. The centre is the mean forecast of an entry's seeds; how far these lie
apart is told beside it, and is no part of the interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import ExamError, SettingError
from backsight.evaluation.calibration import (
    LEVELS,
    NARROW,
    Arrival,
    Calibration,
    OfLead,
    Standing,
    calibrate_lead,
    ends,
    follow,
)
from backsight.evaluation.forecasts import BAND, FOLD, key_columns

#: Columns of the intervals' ends, as they were made and as actuals move them.
FIXED, ADAPTIVE = ("lower", "upper"), ("adaptive_lower", "adaptive_upper")


def centred(forecasts: pd.DataFrame) -> pd.DataFrame:
    """One row a forecast of an entry: the mean over its seeds, and their spread.

    Args:
        forecasts: rows of one entry; see `evaluation.forecasts`.

    Returns:
        the columns of the key, actual, predicted, low and high if forecasters say them, and seed_sd: the standard
        deviation over seeds, NaN for a single one.

    Raises:
        ExamError: a forecast is missing.

    >>> rows = {"part": "test", "origin": 1, "lead": 1, "time": 2, "actual": 3.0, "seed": [0, 1]}
    >>> centred(pd.DataFrame({**rows, "predicted": [2.0, 4.0]}))[["predicted", "seed_sd"]].round(2).values.tolist()
    [[3.0, 1.41]]
    """
    if not np.isfinite(forecasts["predicted"].to_numpy()).all():
        raise ExamError("There are no intervals around forecasts that are missing.")
    said = [name for name in BAND if name in forecasts and forecasts[name].notna().all()]
    of_key = forecasts.groupby(key_columns(forecasts), sort=False)
    rows = of_key[["actual", "predicted", *said]].mean()
    return rows.assign(seed_sd=of_key["predicted"].std(ddof=1)).reset_index()


def calibrate(rows: pd.DataFrame, levels: Sequence[float] = LEVELS) -> Calibration:
    """The calibration of an entry from its errors on validation.

    Args:
        rows: validation rows; see `centred`. Those of one fold.
        levels: shares of actual values to hold, rising.

    Raises:
        ExamError: there are none, or a lead is missing.
        SettingError: a level is no share.
    """
    if wrong := [level for level in levels if not 0 < level < 1]:
        raise SettingError(f"A level is a share between 0 and 1, such as 0.9; {wrong[0]} was given.")
    leads = sorted(rows["lead"].unique())
    if not leads or leads != list(range(1, len(leads) + 1)):
        raise ExamError("Intervals are made from validation errors of all leads, from 1.")
    return Calibration(tuple(levels), tuple(_calibrate_lead(rows[rows["lead"] == lead], levels) for lead in leads))


def _calibrate_lead(rows: pd.DataFrame, levels: Sequence[float]) -> OfLead:
    rows = rows.sort_values("time", kind="stable")
    below, above, band = _errors(rows)
    known = calibrate_lead(
        below,
        above,
        until=rows["time"].iloc[-1].to_pydatetime(),
        levels=levels,
        overlap=_overlap(rows),
        narrowest=0.0,
    )
    first = known.standing[0]
    width = first.upper[-1] - first.lower[-1] + float(band.mean())
    # Forecasts that were right on all validation days leave no width to take steps of; nor does a single error.
    narrowest = NARROW * width if width > 0 else 0.01 * float(rows["actual"].std(ddof=0))
    return OfLead(known.step, narrowest, known.standing)


def _overlap(rows: pd.DataFrame) -> int:
    """Forecasts of one lead that are made from one's origin until its actual comes: horizon over stride, rounded up."""
    origins, times = rows["origin"].to_numpy(), rows["time"].to_numpy()
    return int((np.searchsorted(origins, times, side="left") - np.arange(len(rows))).max())


def _errors(rows: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Actual less lower and less upper end of what was forecast, and how far these lie apart."""
    low, high = (rows[name if name in rows else "predicted"].to_numpy(dtype=np.float64) for name in BAND)
    actual = rows["actual"].to_numpy(dtype=np.float64)
    return actual - low, actual - high, high - low


def apply(calibration: Calibration, rows: pd.DataFrame, level: float = 0.9) -> pd.DataFrame:
    """Forecasts with the ends of their intervals, lower and upper, by what the calibration knows now.

    Args:
        calibration: see there.
        rows: lead, predicted, and low and high if the forecaster says them; actuals may be unknown.
        level: one of the calibration's.
    """
    latest = [of_lead.standing[-1] for of_lead in calibration.leads]
    stood = [latest[lead - 1] for lead in rows["lead"]]
    return _with_ends(rows, stood, calibration.place(level), level, FIXED)


def updated(calibration: Calibration, rows: pd.DataFrame, level: float = 0.9) -> tuple[Calibration, pd.DataFrame]:
    """The calibration after all actuals of these rows, and the rows with the intervals of their origins.

    Every interval knows the actuals up to its origin and none after it: what comes later changes it by no bit. Rows
    whose actuals the calibration knew already move nothing.

    Args:
        calibration: before.
        rows: origin, lead, time, actual (NaN where it is unknown), predicted, and low and high if the forecaster
            says them.
        level: one of the calibration's.
    """
    place, tables = calibration.place(level), []
    for lead in range(1, int(rows["lead"].max()) + 1):
        ordered = rows[rows["lead"] == lead].sort_values("time", kind="stable")
        origins, times = (ordered[name].dt.to_pydatetime() for name in ("origin", "time"))
        arrivals = map(Arrival, origins, times, *(errors.tolist() for errors in _errors(ordered)))
        known, stood = follow(calibration.of_lead(lead), calibration.levels, arrivals)
        calibration = calibration.with_lead(lead, known)
        tables.append(_with_ends(ordered, stood, place, level, FIXED))
    return calibration, pd.concat(tables).loc[rows.index]


def _with_ends(
    rows: pd.DataFrame, stood: Sequence[Standing], place: int, level: float, names: tuple[str, str]
) -> pd.DataFrame:
    low, high = (rows[name if name in rows else "predicted"] for name in BAND)
    found = [ends(*each) for each in zip(stood, [place] * len(rows), [level] * len(rows), low, high, strict=True)]
    return rows.assign(**dict(zip(names, np.array(found, dtype=np.float64).reshape(-1, 2).T, strict=True)))


def examined(rows: pd.DataFrame, level: float = 0.9) -> pd.DataFrame:
    """Test rows with their intervals: as validation errors make them, and with updates as actuals arrive.

    Each fold of a backtest begins anew, with the errors of its own model on its own validation part.

    Args:
        rows: of both parts; see `centred`.
        level: share of actual values to hold.

    Returns:
        the test rows without `part`, and lower, upper, adaptive_lower, adaptive_upper; infinite where there are too
        few errors for the level.
    """
    tables = []
    for _, of_fold in rows.groupby(FOLD) if FOLD in rows else [(1, rows)]:
        test = of_fold[of_fold["part"] == "test"].drop(columns="part").reset_index(drop=True)
        calibration = calibrate(of_fold[of_fold["part"] == "validation"], [level])
        moved = updated(calibration, test, level)[1]
        renamed = moved[list(FIXED)].set_axis(list(ADAPTIVE), axis=1)
        tables.append(pd.concat([apply(calibration, test, level), renamed], axis=1))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Coverage:
    """How intervals did.

    Attributes:
        coverage: share of actual values that they held.
        error: its standard error; see `share_error`.
        width: mean distance of their ends, in the target's unit.
        score: mean interval score, in the target's unit: the width, and 2 / (1 - level) times the distance by which an
            actual value lies outside. The lower, the better; no other intervals have a lower one to expect than
            those between the true quantiles.
        forecasts: how many.

    Source of the score: Winkler 1972, J. American Statistical Association 67, 187-191; Gneiting and Raftery 2007, J.
    American Statistical Association 102, 359-378, section 6.2.
    """

    coverage: float
    error: float
    width: float
    score: float
    forecasts: int


def score(rows: pd.DataFrame, level: float, names: tuple[str, str] = FIXED) -> Coverage:
    """Score the intervals of some rows.

    Those of several series that have one origin count as one in the standard error, for they depend on each other.

    Args:
        rows: origin, lead, time, actual, and the ends.
        level: that they were made for.
        names: columns of lower and upper end.

    >>> rows = pd.DataFrame({"origin": [1, 2], "lead": 1, "time": [2, 3], "actual": [0.0, 3.0]})
    >>> found = score(rows.assign(lower=-1.0, upper=1.0), 0.9)
    >>> found.coverage, found.width, round(found.score, 9)
    (0.5, 2.0, 22.0)
    """
    lower, upper = (rows[name].to_numpy(dtype=np.float64) for name in names)
    actual = rows["actual"].to_numpy(dtype=np.float64)
    held = pd.Series((lower <= actual) & (actual <= upper), rows["origin"])
    by_origin = held.groupby(level=0).mean().to_numpy(dtype=np.float64)
    once = rows.drop_duplicates(["origin", "lead"]).sort_values("time", kind="stable")
    overlap = max(_overlap(of_lead) for _, of_lead in once.groupby("lead"))
    return coverage_of(actual, lower, upper, level, share_error(by_origin, overlap))


def coverage_of(
    actual: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64], level: float, error: float
) -> Coverage:
    """How intervals did.

    Args:
        actual, lower, upper: of equal shape, in one unit.
        level: that they were made for.
        error: see `Coverage`.
    """
    outside = np.maximum(lower - actual, 0) + np.maximum(actual - upper, 0)
    width = upper - lower
    return Coverage(
        coverage=float(((lower <= actual) & (actual <= upper)).mean()),
        error=error,
        width=float(width.mean()),
        score=float((width + 2 / (1 - level) * outside).mean()),
        forecasts=actual.size,
    )


def share_error(held: NDArray[np.float64], overlap: int = 1) -> float:
    """Standard error of a mean over origins in time order whose values depend on their neighbours.

    By Bartlett's weights over the cube root of the number of origins, or what overlaps if that is more. It takes the
    forecaster and the intervals as given; other validation days would have made others, of which it knows nothing.

    Args:
        held: share of actual values held at each origin, in time order.
        overlap: origins whose targets overlap.

    Source: Newey and West 1987, Econometrica 55, 703-708.

    >>> round(share_error(np.array([1.0, 0.0] * 50)), 3) < round(share_error(np.array([1.0] * 50 + [0.0] * 50)), 3)
    True
    """
    count = len(held)
    apart = held - held.mean()
    lags = min(max(overlap - 1, ceil(count ** (1 / 3))), count - 1)
    sums = [float(apart[lag:] @ apart[: count - lag]) * (2 if lag else 1) for lag in range(lags + 1)]
    weighted = sum((1 - lag / (lags + 1)) * of_lag for lag, of_lag in enumerate(sums))
    return sqrt(max(weighted, 0.0)) / count
