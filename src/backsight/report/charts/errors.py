"""Where errors come from: by month, by lead, by size of what came, and what is left in the residuals."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from backsight.report.charts.chart import (
    Axis,
    Band,
    Bars,
    Chart,
    Dots,
    Line,
    Mark,
    Numbers,
    Rule,
    Tick,
    numbers,
    with_unit,
)
from backsight.report.charts.forecast import mean_forecasts
from backsight.report.charts.ticks import counted_axis, number_axis, round_ticks

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: Groups of equally many rows that what came is cut into.
SIZES = 8

#: Lags of residuals that are looked at, at most, and the forecasts without which nothing is said.
LAGS, ENOUGH = 30, 20


def month_chart(forecasts: pd.DataFrame, tones: Mapping[str, str], unit: str = "") -> Chart | None:
    """RMSE on test rows by month of the year; None if they lie in fewer than three months.

    Args:
        forecasts: see `evaluation.forecasts`.
        tones: the entries to draw, and their colours.
        unit: of the target.
    """
    rows = _test_rows(forecasts, tones)
    months = rows["time"].dt.month
    if months.nunique() < 3:
        return None
    errors = _rmse_by(rows, months)
    present = sorted(months.unique())
    marks = _curves(errors, tones, np.array(present, dtype=float))
    ticks = Axis("", present[0] - 0.4, present[-1] + 0.4, tuple(Tick(k, MONTHS[k - 1]) for k in present))
    alt = f"Test RMSE by month of {', '.join(errors)}."
    y = number_axis(with_unit("RMSE", unit), np.concatenate(list(errors.values())))
    return Chart("Error by month", alt, ticks, y, marks, height=230, order=tuple(tones))


def lead_chart(forecasts: pd.DataFrame, tones: Mapping[str, str], unit: str = "") -> Chart | None:
    """RMSE on test rows by lead; None for a horizon of 1. Arguments as in `month_chart`."""
    rows = _test_rows(forecasts, tones)
    leads = sorted(rows["lead"].unique())
    if len(leads) < 2:
        return None
    errors = _rmse_by(rows, rows["lead"])
    marks = _curves(errors, tones, np.array(leads, dtype=float))
    alt = f"Test RMSE by lead, {leads[0]} to {leads[-1]} steps ahead, of {', '.join(errors)}."
    y = number_axis(with_unit("RMSE", unit), np.concatenate(list(errors.values())))
    return Chart(
        "Error by lead", alt, counted_axis("steps ahead", leads[0], leads[-1]), y, marks, height=230, order=tuple(tones)
    )


def size_charts(forecasts: pd.DataFrame, tones: Mapping[str, str], unit: str = "") -> list[Chart]:
    """RMSE and mean error on test rows by the size of what came; none if that hardly varies.

    A mean error that falls from left to right is a forecast that keeps to the middle. Arguments as in `month_chart`.
    """
    rows = _test_rows(forecasts, tones)
    cut = _cut(rows["actual"])
    if cut is None:
        return []
    places = rows["actual"].groupby(cut).mean().to_numpy()
    x = number_axis(with_unit("what came, in groups of equal number", unit), places)
    off = rows.assign(off=rows["predicted"] - rows["actual"])
    bias = {
        str(entry): numbers(of_entry["off"].groupby(cut[of_entry.index]).mean()) for entry, of_entry in _by_entry(off)
    }
    errors = _rmse_by(rows, cut)
    named = ", ".join(errors)
    sized = number_axis(with_unit("RMSE", unit), np.concatenate(list(errors.values())))
    biased = number_axis(with_unit("forecast less what came", unit), np.concatenate(list(bias.values())), zero=True)
    alt = f"by size of what came, of {named}."
    return [
        Chart(
            "Error by size",
            f"Test RMSE {alt}",
            x,
            sized,
            _curves(errors, tones, places),
            height=230,
            order=tuple(tones),
        ),
        Chart(
            "Mean error by size",
            f"Mean test error {alt}",
            x,
            biased,
            (Rule(0.0, "y", dash="solid"), *_curves(bias, tones, places)),
            height=230,
            order=tuple(tones),
        ),
    ]


def residual_chart(forecasts: pd.DataFrame, entry: str) -> Chart | None:
    """Autocorrelation of an entry's test errors one step ahead; None of too few.

    What lies beyond the band is left to be learned: an error tells something of a later one. The band holds 95 of 100
    autocorrelations of errors that tell nothing. Forecasts that are missing at some steps are taken as if they
    followed each other.

    Source: Box, Jenkins, Reinsel, Ljung 2015, "Time Series Analysis", 5th edition, section 2.1.6 and chapter 8.
    """
    rows = forecasts[(forecasts["entry"] == entry) & (forecasts["lead"] == forecasts["lead"].min())]
    means = mean_forecasts(rows).sort_values("time")
    errors = (means["predicted"] - means["actual"]).to_numpy(dtype=float)
    found = autocorrelation(errors, min(LAGS, len(errors) // 4))
    if len(errors) < ENOUGH or not np.isfinite(found).all():
        return None
    lags = np.arange(1, len(found) + 1, dtype=float)
    edge = 1.96 / np.sqrt(len(errors))
    ends = np.array([0.5, lags[-1] + 0.5])
    largest = max(float(np.abs(found).max()), edge, 0.2) * 1.15
    beyond = int((np.abs(found) > edge).sum())
    marks: tuple[Mark, ...] = (
        Band(ends, np.array([-edge, -edge]), np.array([edge, edge]), "muted", "95 % of errors that tell nothing"),
        Bars(lags, np.minimum(found, 0), np.maximum(found, 0), 0.5, "c1", entry),
        Rule(0.0, "y", dash="solid"),
    )
    alt = f"Autocorrelation of the test errors of {entry} at lags 1 to {len(lags)}; {beyond} lie beyond the band."
    x = counted_axis("lag (forecasts)", 0.5, lags[-1] + 0.5)
    y = Axis("autocorrelation", -largest, largest, round_ticks(-largest, largest))
    return Chart("What errors tell of later ones", alt, x, y, marks, height=230)


def autocorrelation(values: Numbers, lags: int) -> Numbers:
    """Sample autocorrelations at lags 1, 2, ...: covariances over all rows, less the one mean, over the variance.

    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]), 2)
    array([-0.75,  0.5 ])
    """
    largest = float(np.abs(values).max()) if len(values) else 0.0
    if not (largest > 0 and np.isfinite(largest)):
        return np.full(lags, np.nan)
    centred = values / largest - np.mean(values / largest)  # or squares of the enormous would be infinite
    power = float(centred @ centred)
    if not power > 0:
        return np.full(lags, np.nan)
    return np.array([centred[lag:] @ centred[:-lag] for lag in range(1, lags + 1)]) / power


def _test_rows(forecasts: pd.DataFrame, tones: Mapping[str, str]) -> pd.DataFrame:
    return forecasts[(forecasts["part"] == "test") & forecasts["entry"].isin(list(tones))].reset_index(drop=True)


def _by_entry(rows: pd.DataFrame) -> list[tuple[object, pd.DataFrame]]:
    return list(rows.groupby("entry", sort=False, observed=True))


def _rmse_by(rows: pd.DataFrame, group: pd.Series) -> dict[str, Numbers]:
    """RMSE of each group, the mean over seeds, by entry."""
    squared = ((rows["predicted"] - rows["actual"]) ** 2).where(np.isfinite(rows["predicted"]), np.inf)
    means = squared.groupby([rows["entry"], rows["seed"], group], sort=True, observed=True).mean() ** 0.5
    of_seeds = means.groupby(level=[0, 2], observed=True).mean()
    return {str(entry): numbers(of_seeds[entry]) for entry in dict.fromkeys(rows["entry"])}


def _curves(errors: Mapping[str, Numbers], tones: Mapping[str, str], x: Numbers) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    for entry in reversed(list(tones)):
        if entry in errors and len(errors[entry]) == len(x):
            dash = "dashed" if tones[entry] == "muted" else "solid"
            marks.append(Line(x, errors[entry], tones[entry], entry, dash=dash))  # type: ignore[arg-type]
            marks.append(Dots(x, errors[entry], tones[entry], size=3.0))
    return tuple(marks)


def _cut(actual: pd.Series) -> pd.Series | None:
    """Which group of sizes each row is in; None if there are fewer than three."""
    edges = np.unique(np.quantile(actual.dropna(), np.linspace(0, 1, SIZES + 1))) if len(actual) else np.empty(0)
    if len(edges) < 4:
        return None
    place = np.searchsorted(edges[1:-1], actual.to_numpy(), side="left")
    return pd.Series(place, index=actual.index)
