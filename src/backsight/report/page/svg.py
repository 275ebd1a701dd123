"""Charts as parts of a page: they fit every width, and their colours follow the page's.

A chart is one SVG whose places are shares of its width. Curves lie in an inner SVG that is stretched to whatever room
there is, with lines that keep their thickness; letters and dots keep their size. So nothing has to be drawn anew on a
phone, and nothing needs a script to be seen. The script reads the values beside it to answer the mouse, and looks at a
part of x by changing the inner SVG's view.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from backsight.report.charts.chart import Band, Bars, Chart, Dots, Line, Mark, Note, Numbers, Rule, Zone, legend_of
from backsight.report.charts.draw import rules_beyond
from backsight.report.page.html import Attribute, Html, data, join, name, shorten, tag

#: Width and height of the inner SVG, which is stretched.
BOX = 1000

#: Characters of a name at a row, and at a tick.
ROW_NAME, TICK_NAME = 46, 12

#: Letters of all ticks of x that a phone has room for.
MOST_LETTERS = 30

#: Digits of a value that the mouse is told.
DIGITS = 4


def figure(chart: Chart, *, title: bool = True, legend: bool = True) -> Html:
    """A chart with its title, legend, axes, and the values that the mouse is told.

    Args:
        chart: what to draw.
        title: whether it needs one; what stands alone in a section has that one's.
        legend: whether it needs one.
    """
    told = _told(chart)
    return tag(
        "figure",
        tag("figcaption", tag("h3", name(chart.title))) if title else None,
        _legend(chart) if legend else None,
        tag("p", shorten(chart.y.label, 60), class_="ylabel") if chart.y.label else None,
        tag(
            "div",
            _svg(chart),
            tag("div", class_="tip", hidden=True, role="status"),
            class_=f"plot{' rows' if chart.rows else ''}",
            tabindex="0" if told else None,
            data_zoom=chart.zoom,
        ),
        tag("p", shorten(chart.x.label, 60), class_="xlabel") if chart.x.label else None,
        data(told, class_="told") if told else None,
        class_="chart wide" if chart.zoom or chart.rows else "chart",
    )


def panels(charts: Sequence[Chart]) -> Html:
    """Charts side by side where there is room; with one legend if all have the same names in it."""
    named = [[label for label, _ in legend_of(chart)] for chart in charts]
    together = len(charts) > 1 and all(names == named[0] for names in named)
    drawn = (figure(chart, legend=not together) for chart in charts)
    size = "panels two" if len(charts) in (2, 4) else "panels"
    return join((_legend(charts[0]) if together else None, tag("div", *drawn, class_=size)))


def _svg(chart: Chart) -> Html:
    """Zones and grid at the bottom, then the stretched curves, then dots and words."""
    below = [m for m in chart.marks if isinstance(m, Zone)]
    curves = [m for m in chart.marks if isinstance(m, Line | Band)]
    above = [m for m in chart.marks if isinstance(m, Bars | Dots | Note)]
    rules = [m for m in chart.marks if isinstance(m, Rule)]
    inner = tag(
        "svg",
        *(_curve(chart, m, k) for k, m in enumerate(curves)),
        class_="curves",
        viewBox=f"0 0 {BOX} {BOX}",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )
    return tag(
        "svg",
        *(_zone(chart, m) for m in below),
        _grid(chart),
        *(_rule(chart, m) for m in rules),
        inner,
        *(part for m in above for part in _ABOVE[type(m)](chart, m)),
        *_rules_beyond(chart),
        tag("g", *_ticks(chart), class_="ticks"),
        tag("line", class_="cursor", x1="0", x2="0", y1="0", y2="100%", visibility="hidden"),
        role="img",
        aria_label=shorten(chart.alt, 600),
        width="100%",
        height=chart.height,
        class_="drawn",
    )


def _grid(chart: Chart) -> Html:
    lines = [] if chart.rows else [_across(place) for place in _shares(1 - chart.y.place(_values(chart.y.ticks)))]
    if not chart.zoom:  # ticks move when one looks closer
        lines += [_upright(place) for place in _shares(chart.x.place(_values(chart.x.ticks)))]
    frame = () if chart.rows else (tag("line", x1="0", x2="0", y1="0", y2="100%", class_="edge"),)
    return tag("g", *lines, *frame, tag("line", x1="0", x2="100%", y1="100%", y2="100%", class_="edge"), class_="grid")


def _across(place: str) -> Html:
    return tag("line", x1="0", x2="100%", y1=place, y2=place)


def _upright(place: str) -> Html:
    return tag("line", x1=place, x2=place, y1="0", y2="100%")


def _ticks(chart: Chart) -> Iterable[Html]:
    longest = ROW_NAME if chart.rows else TICK_NAME
    for tick, place in zip(chart.y.ticks, _shares(1 - chart.y.place(_values(chart.y.ticks))), strict=True):
        yield tag("text", shorten(tick.text, longest), x="0", y=place, class_="y")
    places = chart.x.place(_values(chart.x.ticks))
    crowded = sum(len(tick.text) for tick in chart.x.ticks) > MOST_LETTERS
    for k, (tick, place) in enumerate(zip(chart.x.ticks, places, strict=True)):
        side = " first" if place < 0.04 else " last" if place > 0.96 else ""
        odd = " odd" if k % 2 and crowded else ""  # left out where there is little room
        yield tag("text", shorten(tick.text, TICK_NAME), x=_share(place), y="100%", class_=f"x{side}{odd}")


def _zone(chart: Chart, mark: Zone) -> Html:
    top, bottom = 1 - chart.y.place([mark.high, mark.low])
    return tag("rect", x="0", width="100%", y=_share(top), height=_share(bottom - top), class_="zone")


def _curve(chart: Chart, mark: Line | Band, place: int) -> Html:
    if isinstance(mark, Band):
        return tag("path", d=_area(chart, mark), class_=f"band {mark.tone}")
    kind = f"line {mark.tone} {mark.dash}{' faint' if mark.faint else ''}{' off' if mark.hidden else ''}"
    return tag("path", d=draw_path(chart, mark), class_=kind, stroke_width=mark.width, data_s=_series_of(chart, place))


def _series_of(chart: Chart, place: int) -> int | None:
    """Which name of the legend a curve belongs to, where names can be pressed."""
    curves = [m for m in chart.marks if isinstance(m, Line | Band)]
    mark = curves[place]
    lines = [m for m in curves if isinstance(m, Line)]
    return lines.index(mark) if chart.zoom and isinstance(mark, Line) else None


def draw_path(chart: Chart, line: Line) -> str:
    """Points joined by lines, broken where one is missing."""
    x, y = _boxed(chart.x.place(line.x)), _boxed(1 - chart.y.place(line.y))
    parts, joined = [], False
    for a, b in zip(x, y, strict=True):
        known = bool(np.isfinite(a) and np.isfinite(b))
        if known:
            parts.append(f"{'L' if joined else 'M'}{a:.7g} {b:.7g}")
        joined = known
    return "".join(parts)


def _area(chart: Chart, band: Band) -> str:
    """One closed shape a stretch without gaps."""
    x = _boxed(chart.x.place(band.x))
    low, high = _boxed(1 - chart.y.place(band.low)), _boxed(1 - chart.y.place(band.high))
    known = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    shapes = []
    for stretch in np.split(np.arange(len(x)), np.flatnonzero(np.diff(known)) + 1):
        if len(stretch) and known[stretch[0]]:
            there = [f"{x[k]:.7g} {high[k]:.7g}" for k in stretch]
            back = [f"{x[k]:.7g} {low[k]:.7g}" for k in stretch[::-1]]
            shapes.append(f"M{'L'.join([*there, *back])}Z")
    return "".join(shapes)


def _boxed(shares: Numbers) -> Numbers:
    """Places in the inner SVG, to a tenth; what lies far outside is brought near, or some browsers draw nothing."""
    return np.round(np.clip(shares, -9, 10) * BOX, 1)


def _dots(chart: Chart, mark: Dots) -> Iterable[Html]:
    for x, y in zip(chart.x.place(mark.x), 1 - chart.y.place(mark.y), strict=True):
        if 0 <= x <= 1 and 0 <= y <= 1:
            kind = f"{mark.shape} {mark.tone}{' faint' if mark.faint else ''}"
            yield _shape(mark, cx=_share(x), cy=_share(y), kind=kind)


def _shape(mark: Dots, cx: str, cy: str, kind: str) -> Html:
    size = mark.size
    if mark.shape in ("dot", "ring"):
        return tag("circle", cx=cx, cy=cy, r=size, class_=kind)
    path = f"M-{size} -{size}L{size} {size}M-{size} {size}L{size} -{size}"
    if mark.shape == "diamond":
        path = f"M0 -{size * 1.25}L{size * 1.25} 0L0 {size * 1.25}L-{size * 1.25} 0Z"
    return tag("svg", tag("path", d=path, class_=kind), x=cx, y=cy, class_="mark", width="1", height="1")


def _bars(chart: Chart, mark: Bars) -> Iterable[Html]:
    left, right = chart.x.place(mark.x - mark.width / 2), chart.x.place(mark.x + mark.width / 2)
    top, bottom = 1 - chart.y.place(mark.high), 1 - chart.y.place(mark.low)
    for a, b, c, d in zip(left, right, top, bottom, strict=True):
        if np.isfinite([a, b, c, d]).all():
            place = {"x": _share(a), "width": _share(b - a), "y": _share(c), "height": _share(max(d - c, 0.0))}
            yield tag("rect", class_=f"bar {mark.tone}", **place)


def _notes(chart: Chart, mark: Note) -> Iterable[Html]:
    x, y = chart.x.place(mark.x), 1 - chart.y.place(mark.y)
    yield tag("text", shorten(mark.text), x=_share(float(x)), y=_share(float(y)), class_=f"note {mark.anchor}")


_ABOVE: dict[type[Mark], Callable[[Chart, Any], Iterable[Html]]] = {Dots: _dots, Bars: _bars, Note: _notes}


def _rule(chart: Chart, mark: Rule) -> Html | None:
    axis = chart.y if mark.of == "y" else chart.x
    place = float(axis.place(mark.at))
    if not 0 <= place <= 1:
        return None
    line = _across(_share(1 - place)) if mark.of == "y" else _upright(_share(place))
    return tag("g", line, class_=f"rule {mark.dash}")


def _rules_beyond(chart: Chart) -> Iterable[Html]:
    beyond = rules_beyond(chart)
    for place, (_, above, words) in enumerate(beyond):
        inwards = 3 + 6 * sum(other[1] == above for other in beyond[:place])
        yield tag("text", shorten(words), x="100%", y=f"{inwards if above else 100 - inwards}%", class_="note end")


def _legend(chart: Chart) -> Html | None:
    """Names and their marks; in a chart that one looks closer at, pressing a name hides or shows its line."""
    if chart.zoom:
        lines = [m for m in chart.marks if isinstance(m, Line)]
        others = [(label, m) for label, m in legend_of(chart) if not isinstance(m, Line)]
        pressed = [
            tag("button", _swatch(m), name(m.label, 60), type="button", data_s=k, aria_pressed=_yes(not m.hidden))
            for k, m in enumerate(lines)
        ]
        items = [*pressed[::-1], *(join((_swatch(m), name(label, 60))) for label, m in others)]
    else:
        items = [join((_swatch(m), name(label, 60))) for label, m in legend_of(chart)]
    return tag("ul", *(tag("li", item) for item in items), class_="legend") if items else None


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _swatch(mark: Mark) -> Html:
    size: dict[str, Attribute] = {"width": "22", "height": "12", "viewBox": "0 0 22 12", "aria_hidden": "true"}
    if isinstance(mark, Line):
        drawn = tag("path", d="M1 6H21", class_=f"line {mark.tone} {mark.dash}", stroke_width=max(mark.width, 1.6))
    elif isinstance(mark, Rule):
        drawn = tag("g", tag("line", x1="1", x2="21", y1="6", y2="6"), class_=f"rule {mark.dash}")
    elif isinstance(mark, Dots):
        drawn = _shape(mark, cx="11", cy="6", kind=f"{mark.shape} {mark.tone}")
    else:
        kind = "band" if isinstance(mark, Band) else "bar"
        tone = mark.tone if isinstance(mark, Band | Bars) else "muted"
        drawn = tag("rect", x="2", y="1", width="18", height="10", class_=f"{kind} {tone}")
    return tag("svg", drawn, **size)


def _told(chart: Chart) -> dict[str, Any] | None:
    """What the script is told: places on x, what stands there, and the values of every line that has a name."""
    lines = [m for m in chart.marks if isinstance(m, Line)]
    named = [(k, m, m.label if m.told is None else m.told) for k, m in enumerate(lines)]
    named = [(k, m, told) for k, m, told in reversed(named) if told]
    if not named or chart.rows:
        return None
    x = np.unique(np.concatenate([m.x for _, m, _ in named]))
    labels = chart.labels if len(chart.labels) == len(x) else [f"{value:g}" for value in x]
    return {
        "x": [round(float(place), 5) for place in chart.x.place(x)],
        "t": list(labels),
        "l": chart.x.label,
        "s": [{"n": shorten(told, 60), "c": m.tone, "k": k, "v": _along(m, x)} for k, m, told in named],
    }


def _along(line: Line, x: Numbers) -> list[float | None]:
    values: list[float | None] = [None] * len(x)
    for place, value in zip(np.searchsorted(x, line.x), line.y, strict=True):
        if np.isfinite(value):
            values[int(place)] = float(f"{value:.{DIGITS}g}")
    return values


def _values(ticks: Iterable[Any]) -> Numbers:
    return np.array([tick.value for tick in ticks], dtype=np.float64)


def _shares(places: Numbers) -> list[str]:
    return [_share(float(place)) for place in places]


def _share(place: float) -> str:
    """A share of the whole, in percent.

    >>> _share(0.125), _share(1.0)
    ('12.5%', '100%')
    """
    return f"{round(100 * place, 2):g}%"
