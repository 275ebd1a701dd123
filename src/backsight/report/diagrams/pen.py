"""Boxes, arrows and words of a diagram."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch

from backsight.report.charts.chart import TONES
from backsight.report.charts.draw import new_axis

INK, PALE = TONES["ink"], "#F3F4F6"

Point = tuple[float, float]


def canvas(width: float, height: float, ax: Axes | None, scale: float = 1.0) -> Axes:
    """An empty axis of that many units, without frame and ticks, each unit as wide as high.

    Args:
        width, height: in units.
        ax: where to draw; a new one without it.
        scale: inches a unit, of a new one.
    """
    ax = new_axis(width * scale, height * scale) if ax is None else ax
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.set_axis_off()
    return ax


def box(ax: Axes, centre: Point, size: Point, label: str, tone: str = "ink") -> None:
    """A box with rounded corners and words in its middle."""
    (x, y), (width, height), colour = centre, size, TONES[tone]
    corner = (x - width / 2, y - height / 2)
    style = "round,pad=0,rounding_size=0.12"
    face, alpha = (PALE, 1.0) if tone == "ink" else (colour, 0.16)
    for fill, edge, opacity in (("white", "none", 1.0), (face, "none", alpha), ("none", colour, 1.0)):
        patch = FancyBboxPatch(corner, width, height, boxstyle=style, fc=fill, ec=edge, lw=1.5, alpha=opacity, zorder=3)
        ax.add_patch(patch)
    ax.text(x, y, label, ha="center", va="center", fontsize=11, color=INK, zorder=5)


def frame(ax: Axes, centre: Point, size: Point) -> None:
    """A pale box that lies behind all else."""
    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    style = "round,pad=0,rounding_size=0.2"
    ax.add_patch(FancyBboxPatch(corner, *size, boxstyle=style, fc=PALE, ec="#C9CED6", lw=1.2, zorder=0))


def operation(ax: Axes, centre: Point, sign: str, radius: float = 0.24) -> None:
    """A circle with a sign: what is done with the numbers that meet there, each with its partner."""
    ax.add_patch(Circle(centre, radius, fc="white", ec=INK, lw=1.4, zorder=4))
    ax.text(*centre, sign, ha="center", va="center_baseline", fontsize=12, color=INK, zorder=5)


def arrow(ax: Axes, points: Sequence[Point], tone: str = "ink", *, head: bool = True, hop: bool = False) -> None:
    """A line along points; with a head at its end, and white around it where it passes over another."""
    x, y = zip(*points, strict=True)
    if hop:
        ax.plot(x, y, color=PALE, lw=6, zorder=1.5, solid_capstyle="butt")
    ax.plot(x, y, color=TONES[tone], lw=1.5, zorder=2, solid_joinstyle="round")
    if head:
        style = {"arrowstyle": "-|>,head_width=0.22,head_length=0.42", "color": TONES[tone], "lw": 1.5, "shrinkA": 0}
        start = _just_before(points[-2], points[-1])
        ax.annotate("", points[-1], start, arrowprops={**style, "shrinkB": 0}, zorder=2)


def dot(ax: Axes, at: Point) -> None:
    """Where a line is split: both ends carry the same numbers."""
    ax.plot(*at, "o", ms=4, color=INK, zorder=3)


def words(ax: Axes, at: Point, text: str, *, align: str = "center", size: float = 11, muted: bool = False) -> None:
    """Words by themselves."""
    ax.text(*at, text, ha=align, va="center", fontsize=size, color=TONES["muted"] if muted else INK, zorder=5)


def _just_before(start: Point, end: Point) -> Point:
    """A place on the last stretch, near its end: the head needs a direction alone."""
    return (end[0] - 0.25 * _sign(end[0] - start[0]), end[1] - 0.25 * _sign(end[1] - start[1]))


def _sign(value: float) -> float:
    return (value > 0) - (value < 0)
