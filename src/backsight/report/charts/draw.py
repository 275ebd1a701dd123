"""Charts drawn with matplotlib."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from backsight.report.charts.chart import (
    SCALES,
    TONES,
    Axis,
    Band,
    Bars,
    Chart,
    Dots,
    Line,
    Mark,
    Note,
    Rule,
    Zone,
    legend_of,
)

#: Characters of a name that a picture has room for.
LONGEST_NAME = 44

#: Names that a legend inside a chart has room for.
MOST_INSIDE = 3

_DASHES: dict[str, Any] = {"solid": "-", "dashed": (0, (5, 3)), "dotted": (0, (1, 2))}
_SHAPES = {"dot": "o", "ring": "o", "cross": "x", "diamond": "D"}


def new_axis(width: float = 7.0, height: float = 4.0) -> Axes:
    """An axis on a new figure; save it with `axis.figure.savefig("plot.png")`."""
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def draw(chart: Chart, ax: Axes | None = None, *, legend: bool = True) -> Axes:
    """Draw a chart on an axis, a new one without it, and return it."""
    ax = new_axis(8.0, 1.0 + 0.38 * len(chart.y.ticks) if chart.rows else 4.2) if ax is None else ax
    _set_axes(chart, ax)
    for mark in chart.marks:
        if not (isinstance(mark, Line) and mark.hidden):
            _DRAW[type(mark)](mark, ax)
    _tell_rules_beyond(chart, ax)
    ax.set_title(plain_name(chart.title, 80), loc="left", fontsize="large", fontweight="bold")
    if legend and legend_of(chart):
        add_legend(ax, chart)
    return ax


def draw_panels(charts: Sequence[Chart], columns: int = 3, width: float = 4.4, height: float = 3.2) -> Figure:
    """Several charts as panels of one figure; with one legend if all have the same names in it."""
    columns = min(columns, max(len(charts), 1))
    lines = max(-(-len(charts) // columns), 1)
    named = [[name for name, _ in legend_of(chart)] for chart in charts]
    together = len(charts) > 1 and all(names == named[0] for names in named)
    figure = Figure(figsize=(width * columns, height * lines + 0.3), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax, chart in zip(axes, charts, strict=False):
        draw(chart, ax, legend=not together)
        ax.title.set_fontsize("medium")
    for ax in axes[len(charts) :]:
        ax.set_axis_off()
    if together and named[0]:
        figure.legend(**_handles(axes[0], charts[0]), loc="outside upper center", ncols=4, frameon=False)
    return figure


#: What a picture says of its maker, by its kind: in matplotlib's words, and as bytes near the beginning of the file.
_MAKER = {
    ".png": ({"Software": "backsight"}, b"Software\x00backsight"),
    ".svg": ({"Creator": "backsight", "Date": None}, b"<dc:title>backsight</dc:title>"),
}


def save(figure: Figure, path: Path, dpi: int = 130) -> None:
    """Write a figure, with the same bytes whenever it is the same figure; it says that it is of backsight."""
    from matplotlib import rc_context

    metadata, _ = _MAKER.get(path.suffix, (None, b""))
    options: dict[str, Any] = {"metadata": metadata} if path.suffix == ".svg" else {"metadata": metadata, "dpi": dpi}

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "backsight"}):
        figure.savefig(path, **options)


def is_saved(path: Path) -> bool:
    """Whether a file is a picture that `save` wrote; links are none.

    Raises:
        OSError: it can't be read.
    """
    if path.suffix not in _MAKER or path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return _MAKER[path.suffix][1] in file.read(4096)


def plain_name(name: str, most: int = LONGEST_NAME) -> str:
    r"""A name as a picture can hold it: not too long, no line breaks, no mathematics, no letter that the font lacks.

    >>> plain_name("cost in $"), plain_name("a" * 99, 8), plain_name("two\nlines")
    ('cost in \\$', 'aaaaaaa…', 'two lines')
    """
    known = _letters()
    shown = "".join(c if ord(c) in known and c.isprintable() else " " if c.isspace() else "□" for c in name)
    shown = shown if len(shown) <= most else f"{shown[: most - 1]}…"
    return shown.replace("$", r"\$")


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return frozenset(font.get_charmap())


def add_legend(ax: Axes, chart: Chart) -> None:
    """Inside where there is room, beside the title of rows, else to the right."""
    named = _handles(ax, chart)
    if chart.rows:
        ax.legend(**named, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False, fontsize="small")
    elif len(named["labels"]) <= MOST_INSIDE:
        ax.legend(**named, frameon=False, fontsize="small")
    else:
        ax.legend(**named, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize="small")


def _handles(ax: Axes, chart: Chart) -> dict[str, Any]:
    """What a legend shows, in the order of the chart's."""
    drawn = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    labels = [label for name, _ in legend_of(chart) if (label := _label(name)) in drawn]
    return {"handles": [drawn[label] for label in labels], "labels": labels}


def _set_axes(chart: Chart, ax: Axes) -> None:
    for name, axis in (("x", chart.x), ("y", chart.y)):
        _set_scale(ax, name, axis)
        getattr(ax, f"set_{name}lim")(axis.low, axis.high)
        ticks = [tick.value for tick in axis.ticks]
        getattr(ax, f"set_{name}ticks")(ticks, [plain_name(tick.text) for tick in axis.ticks])
        getattr(ax, f"{name}axis").set_minor_locator(NullLocator())
        getattr(ax, f"set_{name}label")(plain_name(axis.label, 60))
    ax.grid(axis="x" if chart.rows else "both", alpha=0.22, lw=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", *(["left"] if chart.rows else [])]].set_visible(False)
    if chart.rows:
        ax.tick_params(axis="y", length=0)


def _set_scale(ax: Axes, name: str, axis: Axis) -> None:
    set_scale = getattr(ax, f"set_{name}scale")
    if axis.scale == "recent":
        set_scale("function", functions=SCALES["recent"])
    else:
        set_scale(axis.scale)


def _line(mark: Line, ax: Axes) -> None:
    width, alpha = (0.8, 0.4) if mark.faint else (mark.width, 1.0)
    ax.plot(
        mark.x, mark.y, color=TONES[mark.tone], lw=width, alpha=alpha, ls=_DASHES[mark.dash], label=_label(mark.label)
    )


def _band(mark: Band, ax: Axes) -> None:
    colour = TONES[mark.tone]
    ax.fill_between(mark.x, mark.low, mark.high, color=colour, alpha=0.17, lw=0, label=_label(mark.label))


def _dots(mark: Dots, ax: Axes) -> None:
    colour = TONES[mark.tone]
    style: dict[str, Any] = {"mec": "white", "mew": 0.6}
    if mark.shape == "ring":
        style = {"mfc": "none", "mec": colour, "mew": 1.8}
    elif mark.shape == "cross":
        style = {"mec": colour, "mew": 1.8}
    size, alpha = mark.size * (1.6 if mark.shape in ("ring", "cross") else 1.2), 0.45 if mark.faint else 1.0
    # Those on the frame are drawn whole, those beyond it not at all. None at all would still take room in a layout.
    ends = ((mark.x, ax.get_xlim()), (mark.y, ax.get_ylim()))
    inside = np.all([(low <= at) & (at <= high) for at, (low, high) in ends], axis=0)
    x, y, label = mark.x[inside], mark.y[inside], _label(mark.label)
    style |= {"color": colour, "ms": size, "alpha": alpha, "clip_on": not len(x)}
    ax.plot(x, y, _SHAPES[mark.shape], label=label, **style)


def _bars(mark: Bars, ax: Axes) -> None:
    colour = TONES[mark.tone]
    ax.bar(
        mark.x, mark.high - mark.low, mark.width, bottom=mark.low, color=colour, alpha=0.85, label=_label(mark.label)
    )


def _rule(mark: Rule, ax: Axes) -> None:
    cross = ax.axhline if mark.of == "y" else ax.axvline
    cross(mark.at, color="0.4", lw=1.1, ls=_DASHES[mark.dash], zorder=0, label=_label(mark.label))


def _note(mark: Note, ax: Axes) -> None:
    align = {"start": "left", "end": "right"}[mark.anchor]
    ax.text(mark.x, mark.y, plain_name(mark.text), ha=align, va="center", fontsize="small", color="0.35")


def _zone(mark: Zone, ax: Axes) -> None:
    ax.axhspan(mark.low, mark.high, color="0.5", alpha=0.09, lw=0)


_DRAW: dict[type[Mark], Callable[[Any, Axes], None]] = {
    Line: _line,
    Band: _band,
    Dots: _dots,
    Bars: _bars,
    Rule: _rule,
    Note: _note,
    Zone: _zone,
}


def _tell_rules_beyond(chart: Chart, ax: Axes) -> None:
    for place, (rule, above, text) in enumerate(rules_beyond(chart)):
        inwards = 0.03 + 0.05 * sum(other[1] == above for other in rules_beyond(chart)[:place])
        y = 1 - inwards if above else inwards
        label = text.replace(rule.label, plain_name(rule.label))
        ax.text(0.98, y, label, transform=ax.transAxes, ha="right", va="center", fontsize="small", color="0.35")


def rules_beyond(chart: Chart) -> list[tuple[Rule, bool, str]]:
    """Rules of y that lie beyond the frame: each with whether it lies above, and what to write there."""
    found = []
    for rule in (m for m in chart.marks if isinstance(m, Rule) and m.of == "y" and np.isfinite(m.at)):
        if not chart.y.low <= rule.at <= chart.y.high:
            above = rule.at > chart.y.high
            number = f"{rule.at:.2f}" if abs(rule.at) >= 0.1 else f"{rule.at:.3g}"
            found.append((rule, above, f"{rule.label}, {number} {'↑' if above else '↓'}"))
    return found


def _label(label: str) -> str | None:
    """A name that begins with "_" would stay out of matplotlib's legend."""
    return f"{' ' if label.startswith('_') else ''}{plain_name(label)}" if label else None
