"""Sunshine longer than the day: the latitude is not known, but the column shows it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.series.doctor.finding import Finding, Observed, show_values
from backsight.series.doctor.quantities import quantity

_BINS = 26  # a fortnight each
#: Of the brightest day of a fortnight, the share of the day that has sun: burnt cards and sensors miss an hour or so
#: around sunrise and sunset.
_BRIGHTEST = 0.93
#: Hours above the day that are let pass: for a latitude that is a few degrees off, and for mountain tops.
_MARGIN = 2.0


def day_length(day_of_year: NDArray[np.float64], latitude: float) -> NDArray[np.float64]:
    """Hours from sunrise to sunset, refraction and the sun's disc included.

    Args:
        day_of_year: 1 to 366; shape (days,).
        latitude: degrees north, between the polar circles.

    Source: the sunrise equation; declination by Cooper 1969, Solar Energy 12, 333-346.

    >>> day_length(np.array([80.0, 172.0, 355.0]), 47.5).round(1)
    array([12.1, 16. ,  8.4])
    """
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day_of_year) / 365)
    north, horizon = np.radians(latitude), np.radians(-0.833)
    cosine = (np.sin(horizon) - np.sin(north) * np.sin(declination)) / (np.cos(north) * np.cos(declination))
    return np.asarray(24 / np.pi * np.arccos(np.clip(cosine, -1, 1)), dtype=np.float64)


def fit_latitude(hours: NDArray[np.float64], times: pd.DatetimeIndex) -> float | None:
    """The latitude whose days fit the brightest days of each fortnight best; None with less than a year to see.

    Of several years a fortnight's brightest day is that of the fourth year in five: one bad month moves it little. The
    sum of absolute differences is no more impressed by a few bad fortnights than by others.

    Args:
        hours: of sunshine, shape (days,); NaN where unknown.
        times: of the days.
    """
    fortnight = np.minimum((times.day_of_year.to_numpy() - 1) // 14, _BINS - 1)
    known = pd.DataFrame({"hours": hours, "fortnight": fortnight, "year": times.year}).dropna()
    if known["fortnight"].nunique() < _BINS:
        return None
    brightest = known.groupby(["fortnight", "year"])["hours"].max().groupby("fortnight").quantile(0.8).to_numpy()
    middles = np.arange(8.0, 14.0 * _BINS, 14.0)
    latitudes = np.arange(-65.0, 65.5, 0.5)
    misfit = [np.abs(brightest - _BRIGHTEST * day_length(middles, at)).sum() for at in latitudes]
    return float(latitudes[int(np.argmin(misfit))])


def check_sunshine(seen: Observed) -> list[Finding]:
    """Days with more sunshine than day, at the latitude that the column itself shows."""
    steps = np.diff(seen.times.asi8)
    daily = len(steps) > 0 and np.median(steps) == pd.Timedelta(days=1) // pd.Timedelta(microseconds=1)
    found: list[Finding] = []
    for column in seen.columns if daily else ():
        hours = seen.column(column)
        if quantity(column) != "sunshine" or seen.units.get(column, "h") != "h" or (hours > 24).any():
            continue
        latitude = fit_latitude(hours, seen.times)
        if latitude is None:
            continue
        longest = day_length(seen.times.day_of_year.to_numpy().astype(np.float64), latitude)
        bad = hours > longest + _MARGIN
        if bad.any():
            shortest, most = longest[bad].min(), longest[bad].max()
            found.append(
                Finding(
                    "longer than the day",
                    "wrong",
                    (seen.cells(column, bad),),
                    f"{show_values(hours[bad])} h, where the day has {shortest:.1f} to {most:.1f}",
                    f"no sunshine without day; by its brightest days the column comes from about {abs(latitude):.0f}° "
                    f"{'north' if latitude > 0 else 'south'}",
                    "mask it (--mask), and read the rest with --on-missing ffill",
                )
            )
    return found
