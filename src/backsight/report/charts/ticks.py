"""Where ticks stand, and the ends of axes."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, isfinite, log10

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backsight.report.charts.chart import Axis, Scale, Tick, finite

#: Seconds of a year, and of the times that ticks may be apart.
YEAR = 365.25 * 86_400
_MONTH = YEAR / 12


def number_axis(label: str, values: ArrayLike, *, zero: bool = False, room: float = 0.06, about: int = 5) -> Axis:
    """An axis for these values, with round ticks.

    Args:
        label: what is measured.
        values: all that is drawn; what is not finite is passed over.
        zero: whether 0 must be seen.
        room: above and below, as a share of the whole.
        about: how many ticks would be good.

    >>> axis = number_axis("RMSE", [3.02, 3.48])
    >>> [tick.text for tick in axis.ticks]
    ['3.0', '3.2', '3.4']
    >>> [tick.text for tick in number_axis("nothing", []).ticks]
    ['0.0', '0.5', '1.0']
    """
    drawn = finite(values)
    low, high = (float(drawn.min()), float(drawn.max())) if drawn.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    span = high - low
    if not span > 1e-9 * max(abs(low), abs(high)):
        span = abs(high) * 0.1 or 1.0
        low, high = low - span / 2, high + span / 2
    bottom = low if zero and low == 0 else low - room * span
    top = high if zero and high == 0 else high + room * span
    return Axis(label, bottom, top, round_ticks(bottom, top, about))


def round_ticks(low: float, high: float, about: int = 5) -> tuple[Tick, ...]:
    """Ticks at multiples of 1, 2 or 5 times a power of ten.

    >>> [tick.text for tick in round_ticks(0, 2500)]
    ['0', '500', '1,000', '1,500', '2,000', '2,500']
    """
    step = _round_step((high - low) / max(about, 1))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    decimals = max(0, -floor(log10(step) + 1e-9))
    return tuple(Tick(k * step, show_tick(k * step, decimals)) for k in range(first, last + 1))


def show_tick(value: float, decimals: int) -> str:
    """A number as it stands at an axis: in full where it is short.

    >>> show_tick(-0.0, 1), show_tick(1500.0, 0), show_tick(2.5e7, 0), show_tick(3e-7, 7)
    ('0.0', '1,500', '2.5e+07', '3e-07')
    """
    if value != 0 and (abs(value) >= 1e6 or decimals > 4):
        return f"{value:.3g}"
    return f"{value + 0.0:,.{decimals}f}"


def counted_axis(label: str, low: float, high: float, scale: Scale = "linear", about: int = 6) -> Axis:
    """An axis of whole numbers, such as epochs or lags.

    >>> [tick.text for tick in counted_axis("lag", 1, 30).ticks]
    ['5', '10', '15', '20', '25', '30']
    >>> [tick.text for tick in counted_axis("lag", 1, 3).ticks]
    ['1', '2', '3']
    >>> [tick.text for tick in counted_axis("lag", 0, 90, "recent").ticks]
    ['0', '2', '4', '6', '8', '10', '20', '30', '50', '90']
    """
    if not high > low:
        low, high = low - 0.5, high + 0.5
    if scale == "recent":
        wanted = [k for k in (0, 2, 4, 6, 8, 10, 20, 30, 50, 100, 200, 500, 1000) if low <= k < 0.8 * high]
        return Axis(label, low, high, tuple(Tick(k, str(k)) for k in (*wanted, round(high))), scale)
    step = max(1, round(_round_step((high - low) / about)))
    ticks = tuple(Tick(k, f"{k:,}") for k in range(step * ceil(low / step), floor(high) + 1, step))
    return Axis(label, low, high, ticks, scale)


def log_axis(label: str, values: ArrayLike, *, least: float = 0.0) -> Axis:
    """A logarithmic axis with a tick at each power of ten, or at so many as there is room for.

    Args:
        label: what is measured.
        values: all that is drawn; only what is above 1e-300 can be.
        least: below it nothing needs to be seen.

    >>> [tick.text for tick in log_axis("slope", [0.003, 2.0]).ticks]
    ['0.01', '0.1', '1']
    >>> [tick.text for tick in log_axis("slope", [0.3, 0.4]).ticks]
    ['0.1', '1']
    >>> log_axis("slope", [1e-30, 2.0], least=0.01).low
    0.01
    """
    drawn = finite(values)
    drawn = drawn[drawn > 1e-300]
    low, high = (float(drawn.min()), float(drawn.max())) if drawn.size else (0.1, 1.0)
    low, high = max(low, least), max(high, least)
    first, last = ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9)
    if first >= last:  # fewer than two powers between: from one below to one above
        first, last = floor(log10(low)), max(ceil(log10(high)), floor(log10(low)) + 1)
        low, high = 10.0**first, 10.0**last
    apart = max(1, ceil((last - first) / 6))
    ticks = tuple(Tick(10.0**power, f"{10.0**power:g}") for power in range(last, first - 1, -apart))[::-1]
    return Axis(label, low, high, ticks, "log")


def chosen_axis(label: str, values: Iterable[float]) -> Axis:
    """A logarithmic axis with a tick at each of these numbers, unless it would stand on its neighbour's.

    >>> [tick.text for tick in chosen_axis("lookback", [1, 100, 101, 1000]).ticks]
    ['1', '100', '1000']
    """
    ordered = sorted(set(values))
    ratio = (ordered[-1] / ordered[0]) or 1.0
    kept: list[float] = []
    for value in ordered:
        if not kept or value >= kept[-1] * max(ratio**0.035, 1.0):
            kept.append(value)
    room = max(ratio**0.04, 1.05)
    return Axis(label, ordered[0] / room, ordered[-1] * room, tuple(Tick(v, f"{v:g}") for v in kept), "log")


def named_axis(label: str, names: Sequence[str]) -> Axis:
    """An axis with a name at each of 0, 1, 2, ...

    >>> named_axis("month", ["Jan", "Feb"]).ticks[1]
    Tick(value=1, text='Feb')
    """
    return Axis(label, -0.5, max(len(names), 1) - 0.5, tuple(Tick(k, name) for k, name in enumerate(names)))


def row_axis(names: Sequence[str]) -> Axis:
    """An axis of rows that are named, the first on top: row k stands at -k."""
    rows = tuple(Tick(float(-k), name) for k, name in reversed(list(enumerate(names))))
    return Axis("", -(max(len(names), 1) - 0.5), 0.5, rows)


def time_axis(label: str, times: pd.DatetimeIndex, about: int = 6) -> Axis:
    """An axis of times, as seconds since 1970: ticks at the beginnings of years, months or days, or at hours.

    >>> days = pd.date_range("2009-01-01", "2009-12-31")
    >>> [tick.text for tick in time_axis("", days).ticks]
    ['2009-01', '2009-03', '2009-05', '2009-07', '2009-09', '2009-11']
    """
    seconds = as_seconds(times)
    low, high = float(seconds.min()), float(seconds.max())
    if not high > low:
        low, high = low - 43_200, high + 43_200
    apart = (high - low) / about
    first, last = pd.Timestamp(low, unit="s"), pd.Timestamp(high, unit="s")
    if apart > _MONTH * 8:
        step = max(1, round(_round_step(apart / YEAR)))
        found = pd.date_range(first.to_period("Y").start_time, last, freq=f"{step}YS")
        form = "%Y"
    elif apart > 20 * 86_400:
        step = next((k for k in (1, 2, 3, 6) if k * _MONTH >= apart * 0.8), 6)
        found = pd.date_range(first.to_period("Y").start_time, last, freq=f"{step}MS")
        form = "%Y-%m"
    else:
        hours = next((h for h in (1, 2, 3, 6, 12, 24, 48, 120, 240) if h * 3600 >= apart * 0.8), 480)
        found = pd.date_range(first.floor("D"), last, freq=f"{hours}h")
        form = "%Y-%m-%d" if hours >= 24 else "%m-%d %H:%M"
    ticks = (Tick(t, time.strftime(form)) for t, time in zip(as_seconds(found), found, strict=True))
    return Axis(label, low, high, tuple(tick for tick in ticks if low <= tick.value <= high))


def as_seconds(times: pd.DatetimeIndex) -> np.ndarray:
    """Times as seconds since 1970.

    >>> as_seconds(pd.DatetimeIndex(["1970-01-02"])).tolist()
    [86400.0]
    """
    return times.to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below a number."""
    if not (isfinite(least) and least > 0):
        return 1.0
    power = 10.0 ** floor(log10(least))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= least * (1 - 1e-9))
