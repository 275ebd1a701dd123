"""What a column measures, by its name and unit, and between which numbers that can lie."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_INFINITY = float("inf")


@dataclass(frozen=True)
class Bounds:
    """Between which numbers a column can lie.

    Attributes:
        low, high: both allowed.
        rule: the same in words.
    """

    low: float
    high: float
    rule: str


#: Words of a name that say what is measured.
_WORDS: Mapping[str, frozenset[str]] = {
    "humidity": frozenset({"humidity", "rh", "relhum"}),
    "cloud": frozenset({"cloud", "clouds", "cloudiness", "okta", "oktas", "cloudcover"}),
    "pressure": frozenset({"pressure", "mslp", "slp", "barometer"}),
    "sunshine": frozenset({"sunshine"}),
    "precipitation": frozenset({"precipitation", "precip", "prcp", "rain", "rainfall", "snowfall"}),
    "radiation": frozenset({"radiation", "irradiance", "ghi", "insolation"}),
    "wind": frozenset({"wind", "gust", "gusts", "windspeed"}),
    "temperature": frozenset({"temp", "temperature", "tmin", "tmax", "tmean", "tavg"}),
}
#: Words that make something else of it: the wind's direction is no speed, a change of pressure no pressure.
_OTHERWISE = frozenset(
    {"direction", "dir", "bearing", "u", "v", "net", "longwave", "absolute", "specific", "change", "tendency", "trend"}
    | {"anomaly", "diff", "delta", "vapor", "vapour", "tyre", "tire", "blood", "deficit"}
)
#: Scales of air pressure: standard sea-level pressure in each.
_AIR = {"hPa": 1013.25, "kPa": 101.325, "Pa": 101_325.0, "1000 hPa": 1.01325, "inHg": 29.92, "mmHg": 760.0}
#: The length of a day, and the unit.
_DAY = ((24.0, "h"), (1440.0, "min"), (86_400.0, "s"))


def quantity(column: str) -> str | None:
    """What a column measures, if its name says so.

    >>> quantity("BASEL_cloud_cover"), quantity("windDirection"), quantity("train_count")
    ('cloud', None, None)
    """
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower()))
    if words & _OTHERWISE:
        return None
    return next((name for name, known in _WORDS.items() if words & known), None)


def possible(column: str, unit: str, values: NDArray[np.float64]) -> Bounds | None:
    """Between which numbers a column can lie, or None where its name says nothing of that.

    Where no unit is given it is taken from the bulk of the values, so that a few wrong ones don't matter.

    Args:
        column: its name.
        unit: "" if it is not known.
        values: shape (rows,); NaN where nothing is known.

    >>> possible("humidity", "", np.array([0.5, 0.7, 0.6] * 20 + [70.0])).high
    1.0
    """
    kind, values = quantity(column), values[np.isfinite(values)]
    if kind is None or not len(values):
        return None
    return _BOUNDS[kind](unit, values)


def _upper(values: NDArray[np.float64]) -> float:
    return float(np.quantile(values, 0.95))


def _humidity(unit: str, values: NDArray[np.float64]) -> Bounds:
    return _share("relative humidity", unit, values)


def _cloud(unit: str, values: NDArray[np.float64]) -> Bounds:
    upper = _upper(values)
    # 9 is the code for a sky that can't be seen, in fog or snow: no mistake.
    if unit == "oktas" or (not unit and 1 < upper <= 9):
        return Bounds(0.0, 9.0, "cloud cover is 0 to 8 oktas, or 9 where the sky can't be seen")
    if not unit and 9 < upper <= 10:
        return Bounds(0.0, 10.0, "cloud cover is 0 to 10 tenths")
    return _share("cloud cover", unit, values)


def _share(what: str, unit: str, values: NDArray[np.float64]) -> Bounds:
    whole = 100.0 if unit == "%" or (unit != "fraction" and _upper(values) > 1.5) else 1.0
    return Bounds(0.0, whole, f"{what} is 0 to {whole:g}{' %' if whole > 1 else ''}")


def _pressure(unit: str, values: NDArray[np.float64]) -> Bounds | None:
    """Air pressure at one place stays within a few percent of its middle.

    870 and 1085 hPa are the records at sea level.

    Source: World Meteorological Organization, archive of weather and climate extremes.
    """
    middle = float(np.median(values))
    scale = _AIR.get(unit) or next((s for s in _AIR.values() if 0.5 < middle / s < 1.1), None)
    if scale is None or not 0.5 < middle / scale < 1.1:
        return None
    rule = f"air pressure stays within 15 % below and 10 % above its middle, {middle:g}"
    return Bounds(0.85 * middle, 1.1 * middle, rule)


def _sunshine(unit: str, values: NDArray[np.float64]) -> Bounds:
    days = (d for d in _DAY if d[1] == unit or (not unit and _upper(values) <= d[0]))
    most, name = next(days, (_INFINITY, ""))
    return Bounds(0.0, most, f"a day has 0 to {most:g} {name} of sunshine")


def _temperature(unit: str, values: NDArray[np.float64]) -> Bounds | None:
    """Air temperature on Earth: -89 to 57 degrees Celsius are the records. Without a unit, Fahrenheit or Kelvin."""
    middle = float(np.median(values))
    if unit in ("degC", "°C", "C"):
        return Bounds(-90.0, 60.0, "air temperature is -90 to 60 °C")
    if unit in ("K", "kelvin") or (not unit and 200 < middle < 330):
        return Bounds(183.0, 333.0, "air temperature is 183 to 333 K")
    if unit in ("degF", "°F", "F") or (not unit and -80 < middle < 120):
        return Bounds(-130.0, 140.0, "air temperature is -130 to 140 °F, and nearer to zero in °C")
    return None


def _radiation(unit: str, values: NDArray[np.float64]) -> Bounds:
    # Pyranometers cool below their surroundings at night and read a little under zero.
    return Bounds(-0.02 * float(np.quantile(values, 0.99)), _INFINITY, "radiation is not negative by more than 2 %")


def _never_negative(unit: str, values: NDArray[np.float64]) -> Bounds:
    return Bounds(0.0, _INFINITY, "it is never negative")


_BOUNDS: Mapping[str, Callable[[str, NDArray[np.float64]], Bounds | None]] = {
    "humidity": _humidity,
    "cloud": _cloud,
    "pressure": _pressure,
    "sunshine": _sunshine,
    "precipitation": _never_negative,
    "radiation": _radiation,
    "wind": _never_negative,
    "temperature": _temperature,
}
