"""Forecasts against what came, as a chart."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from backsight.report.charts.chart import Band, Chart, Line, Mark, numbers, tone_of, with_unit
from backsight.report.charts.ticks import as_seconds, number_axis, time_axis
from backsight.series.series import day

#: Target rows that a chart draws; of more, the latest.
MOST_ROWS = 4000


def mean_forecasts(forecasts: pd.DataFrame, part: str = "test") -> pd.DataFrame:
    """The mean over seeds: one row an entry, lead and time, with actual and predicted, infinite where a seed failed.

    Args:
        forecasts: see `evaluation.forecasts`.
        part: "validation" or "test".
    """
    rows = forecasts[forecasts["part"] == part]
    # A seed that failed makes the mean infinite, which nobody takes for a number.
    known = rows.assign(predicted=rows["predicted"].where(np.isfinite(rows["predicted"]), np.inf))
    groups = known.groupby(["entry", "lead", "time"], sort=False, observed=True)
    return groups.agg(actual=("actual", "first"), predicted=("predicted", "mean")).reset_index()


def forecast_chart(
    forecasts: pd.DataFrame,
    entries: Iterable[str],
    unit: str = "",
    part: str = "test",
    lead: int = 1,
    intervals: pd.DataFrame | None = None,
    hidden: Iterable[str] = (),
    tones: Mapping[str, str] | None = None,
    target: str = "value",
) -> Chart:
    """What came, and what entries had forecast `lead` steps before: means over seeds.

    Args:
        forecasts: see `evaluation.forecasts`.
        entries: names of those to draw; the interval is that of the first.
        unit: of the target.
        part: "validation" or "test".
        lead: steps ahead.
        intervals: rows of entry, lead, time, lower, upper, if known.
        hidden: names of entries that a page draws when they are asked for.
        tones: colours by entry; in turn without it.
        target: the name of what is forecast.
    """
    wanted, extra = list(entries), list(hidden)
    known = forecasts[(forecasts["lead"] == lead) & forecasts["entry"].isin([*wanted, *extra])]
    means = mean_forecasts(known, part)
    times = pd.DatetimeIndex(sorted(means["time"].unique()))[-MOST_ROWS:]
    x = as_seconds(times)
    marks: list[Mark] = []
    drawn = [numbers(_along(means, None, times, "actual"))]
    if wanted and intervals is not None:
        band = _band(intervals, wanted[0], lead, times, tones or {})
        if band is not None:
            marks.append(band)
            drawn += [band.low, band.high]
    colours = {name: (tones or {}).get(name, tone_of(k)) for k, name in enumerate((*wanted, *extra))}
    for name in reversed((*wanted, *extra)):
        line = numbers(_along(means, name, times, "predicted"))
        dash = "dashed" if colours[name] == "muted" else "solid"
        marks.append(Line(x, line, colours[name], name, dash=dash, width=1.6, hidden=name in extra))  # type: ignore[arg-type]
        if name not in extra:
            drawn.append(line)
    marks.append(Line(x, drawn[0], "ink", "what came", width=1.2))
    ahead = f", {lead} steps ahead" if lead > 1 else ""
    alt = f"{len(times)} {part} rows, {_span(times)}: what came, and the forecasts of {', '.join(wanted)}{ahead}."
    labels = tuple(day(time) for time in times)
    y = number_axis(with_unit(target, unit), np.concatenate(drawn))
    axis = time_axis("", times)
    title = f"Forecast and what came{ahead}"
    return Chart(title, alt, axis, y, tuple(marks), zoom=True, height=320, labels=labels, order=("what came", *wanted))


def _along(means: pd.DataFrame, entry: str | None, times: pd.DatetimeIndex, column: str) -> pd.Series:
    """A column of one entry by time; of whichever entry comes first, if none is named."""
    rows = means if entry is None else means[means["entry"] == entry]
    return rows.drop_duplicates("time").set_index("time")[column].reindex(times)


def _band(
    intervals: pd.DataFrame, entry: str, lead: int, times: pd.DatetimeIndex, tones: Mapping[str, str]
) -> Band | None:
    """The widest interval of an entry, where there is one."""
    rows = intervals[intervals["entry"] == entry]
    rows = rows[rows["lead"] == lead] if "lead" in rows else rows
    percent = ""
    if "level" in rows and len(rows):
        widest = rows["level"].max()
        rows, percent = rows[rows["level"] == widest], f"{100 * widest:g} % "
    if rows.empty:
        return None
    ends = rows.groupby("time")[["lower", "upper"]].mean().reindex(times)
    name = f"{percent}interval of {entry}"
    return Band(as_seconds(times), numbers(ends["lower"]), numbers(ends["upper"]), tones.get(entry, tone_of(0)), name)


def _span(times: pd.DatetimeIndex) -> str:
    return f"{day(times[0])} to {day(times[-1])}" if len(times) else "none"
