"""What a figure is: two axes and marks upon them. Nothing is drawn here.

`charts.draw` draws a chart with matplotlib, `page.svg` as a part of a page; so a picture in a folder and the figure of
the report are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]
Scale = Literal["linear", "log", "recent"]
Shape = Literal["dot", "ring", "cross", "diamond"]
Dash = Literal["solid", "dashed", "dotted"]

#: Colours that people with any colour vision tell apart (Okabe and Ito 2008), by the names that marks call them.
TONES = {
    "ink": "#1B1F24",
    "muted": "#6B7280",
    "c1": "#0072B2",
    "c2": "#D55E00",
    "c3": "#009E73",
    "c4": "#B0568A",
    "c5": "#C98A00",
    "c6": "#3C9DD0",
    "c7": "#7A5C2E",
}

#: Those that take turns.
CYCLE = ("c1", "c2", "c3", "c4", "c5", "c6", "c7")

#: Steps that a "recent" scale draws evenly; older ones by their logarithm.
RECENT = 10.0


@dataclass(frozen=True)
class Tick:
    """A place on an axis, and what stands there."""

    value: float
    text: str


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: what is measured, with its unit.
        low, high: its ends, low below high.
        ticks: rising.
        scale: "recent" draws the first ten steps evenly and older ones by their logarithm.
    """

    label: str
    low: float
    high: float
    ticks: tuple[Tick, ...] = ()
    scale: Scale = "linear"

    def place(self, values: ArrayLike) -> Numbers:
        """Where values stand: 0 at the low end, 1 at the high one; NaN stays NaN.

        >>> Axis("days", 1, 100, scale="log").place([1, 10, 100]).tolist()
        [0.0, 0.5, 1.0]
        """
        forward, _ = SCALES[self.scale]
        low, high = forward(np.array([self.low, self.high]))
        with np.errstate(invalid="ignore", divide="ignore"):
            return (forward(np.asarray(values, dtype=np.float64)) - low) / (high - low)


@dataclass(frozen=True, eq=False)
class Line:
    """Points joined by a line, broken where a value is NaN.

    Attributes:
        x, y: of its points.
        tone: a name of TONES.
        label: in the legend; "" keeps it out.
        faint: thin and pale, as a seed behind its mean.
        hidden: drawn only once its name in the legend is pressed; not drawn by matplotlib.
        told: what the mouse is told it is; the label without it, and nothing if it is "".
    """

    x: Numbers
    y: Numbers
    tone: str
    label: str = ""
    dash: Dash = "solid"
    width: float = 1.8
    faint: bool = False
    hidden: bool = False
    told: str | None = None


@dataclass(frozen=True, eq=False)
class Band:
    """The area between two curves."""

    x: Numbers
    low: Numbers
    high: Numbers
    tone: str
    label: str = ""


@dataclass(frozen=True, eq=False)
class Dots:
    """Points by themselves."""

    x: Numbers
    y: Numbers
    tone: str
    label: str = ""
    shape: Shape = "dot"
    size: float = 4.0
    faint: bool = False


@dataclass(frozen=True, eq=False)
class Bars:
    """Upright bars from one height to another."""

    x: Numbers
    low: Numbers
    high: Numbers
    width: float
    tone: str
    label: str = ""


@dataclass(frozen=True)
class Rule:
    """A straight line across all of the chart: of one error ("y"), or at one place ("x").

    One beyond the frame is told at its edge, so that it does not press everything else flat.
    """

    at: float
    of: Literal["x", "y"] = "y"
    label: str = ""
    dash: Dash = "dashed"


@dataclass(frozen=True)
class Note:
    """A few words at a place; they end there, or begin there."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "end"] = "end"


@dataclass(frozen=True)
class Zone:
    """A shaded stretch of the y axis, such as rows that belong together."""

    low: float
    high: float


Mark = Line | Band | Dots | Bars | Rule | Note | Zone


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure.

    Attributes:
        title: what it shows, in a few words.
        alt: what one sees, in a sentence, for whoever does not.
        x, y: its axes.
        marks: from the lowest to the topmost.
        rows: the ticks of y are names of rows, too long to stand beside an axis.
        zoom: a page may look at a part of x.
        height: in a page, in pixels.
        labels: of x, one a point of the longest line, where the mouse should be told more than a number.
        order: names that come first in the legend; without it they stand as they are drawn.
    """

    title: str
    alt: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    rows: bool = False
    zoom: bool = False
    height: int = 260
    labels: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


def numbers(values: object) -> Numbers:
    """A float array; None becomes NaN, and so does what is infinite: neither can be drawn.

    >>> numbers([1, None, float("inf")])
    array([ 1., nan, nan])
    """
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def finite(*arrays: ArrayLike) -> Numbers:
    """All that can be drawn of some arrays, in one."""
    together = np.concatenate([numbers(a).ravel() for a in arrays]) if arrays else np.empty(0)
    return together[np.isfinite(together)]


def with_unit(what: str, unit: str) -> str:
    """The label of an axis.

    >>> with_unit("RMSE", "h"), with_unit("RMSE", "")
    ('RMSE (h)', 'RMSE')
    """
    return f"{what} ({unit})" if unit else what


def tone_of(place: int) -> str:
    """The colour of so-and-so many things in turn."""
    return CYCLE[place % len(CYCLE)]


def _recent(steps: Numbers) -> Numbers:
    return np.where(steps <= RECENT, steps, RECENT * (1 + np.log10(np.maximum(steps, RECENT) / RECENT)))


def _recent_back(places: Numbers) -> Numbers:
    return np.where(places <= RECENT, places, RECENT * 10 ** (np.maximum(places, RECENT) / RECENT - 1))


def _same(values: Numbers) -> Numbers:
    return values


def _power(values: Numbers) -> Numbers:
    return 10.0**values


#: There and back.
SCALES: dict[Scale, tuple[Callable[[Numbers], Numbers], Callable[[Numbers], Numbers]]] = {
    "linear": (_same, _same),
    "log": (np.log10, _power),
    "recent": (_recent, _recent_back),
}


def legend_of(chart: Chart) -> list[tuple[str, Mark]]:
    """The names in the legend, each once, and what they name; without hidden lines."""
    named: dict[str, Mark] = {}
    for mark in chart.marks:
        if not isinstance(mark, Zone | Note) and mark.label and not (isinstance(mark, Line) and mark.hidden):
            named.setdefault(mark.label, mark)
    order = [name for name in chart.order if name in named]
    return [(name, named[name]) for name in dict.fromkeys((*order, *named))]
