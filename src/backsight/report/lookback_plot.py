"""The plot of lookback curves."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from backsight.report.plots import new_axis

#: One a model, for any colour vision (Okabe and Ito 2008); after these, the same colours with other markers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

#: Marks of the recommended lookback and of the best one.
RING: dict[str, Any] = {"marker": "o", "ms": 11, "mew": 1.8, "mfc": "none"}
CROSS: dict[str, Any] = {"marker": "x", "ms": 9, "mew": 1.8}

Part = Literal["validation", "test"]


def plot_lookback(
    table: pd.DataFrame,
    ax: Axes | None = None,
    unit: str = "",
    part: Part = "validation",
    lines: Mapping[str, float] | None = None,
) -> Axes:
    """Error against lookback, a curve a model; bands run from the lowest to the highest seed.

    A ring marks the shortest lookback that is tied with the model's best one, a cross that best one; both are
    chosen on validation, whichever part is drawn.

    Args:
        table: one row a model and lookback: model, lookback, val_rmse, val_min, val_max (and the same of test),
            best, recommended; such as `Lookbacks.table`.
        ax: where to draw; a new one without it.
        unit: of the target.
        part: whose errors are drawn.
        lines: errors to compare with, by name, such as those of the floor and of the best simple model.

    >>> rows = {"model": "ridge", "lookback": [1, 7], "best": [False, True], "recommended": [True, False]}
    >>> errors = {"val_rmse": [3.0, 2.9], "val_min": [3.0, 2.9], "val_max": [3.0, 2.9]}
    >>> [tick.get_text() for tick in plot_lookback(pd.DataFrame({**rows, **errors})).get_xticklabels()]
    ['1', '7']
    """
    ax = new_axis(8.0, 4.5) if ax is None else ax
    short = "val" if part == "validation" else "test"
    mean, low, high = (f"{short}_{what}" for what in ("rmse", "min", "max"))
    shown = table[np.isfinite(table[[mean, low, high]]).all(axis=1)]
    for place, model in enumerate(dict.fromkeys(table["model"])):
        rows = shown[shown["model"] == model].sort_values("lookback")
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place // len(COLOURS) % len(MARKERS)]
        ax.fill_between(rows["lookback"], rows[low], rows[high], color=colour, alpha=0.15, lw=0)
        ax.plot(rows["lookback"], rows[mean], color=colour, marker=marker, ms=3.5, lw=1.4, label=_plain(str(model)))
        for column, mark in (("best", CROSS), ("recommended", RING)):
            chosen = rows[rows[column]]
            ax.plot(chosen["lookback"], chosen[mean], ls="", color=colour, **mark)
    # The marks have the colours of their curves; the legend explains them once, in grey.
    ax.plot([], [], **RING, ls="", color="0.35", label="shortest tied with best")
    ax.plot([], [], **CROSS, ls="", color="0.35", label="lowest on validation")
    _set_scales(ax, table, unit)
    _draw_lines(ax, lines or {})
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return ax


def plot_lookbacks(
    table: pd.DataFrame, unit: str = "", lines: Mapping[Part, Mapping[str, float]] | None = None
) -> Figure:
    """Validation, where lookbacks are chosen, beside test, with one legend; arguments as in `plot_lookback`."""
    figure = Figure(figsize=(12.0, 5.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    parts: tuple[Part, Part] = ("validation", "test")
    for ax, part in zip(axes, parts, strict=True):
        plot_lookback(table, ax, unit, part, (lines or {}).get(part)).set_title(part)
        ax.get_legend().remove()
    axes[1].set_ylabel("")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def _draw_lines(ax: Axes, lines: Mapping[str, float]) -> None:
    """Errors to compare with; of one that lies beyond the frame, its number at the edge."""
    low, high = ax.get_ylim()
    beyond = {"↑": 0, "↓": 0}
    for dashes, (name, error) in zip(cycle(((5, 3), (1, 2))), lines.items(), strict=False):
        ax.axhline(error, color="0.35", lw=1.1, ls=(0, dashes), zorder=0, label=_plain(name))
        if not low <= error <= high:
            side = "↑" if error > high else "↓"
            inwards = 0.03 + 0.05 * beyond[side]
            beyond[side] += 1
            ax.text(
                0.98,
                1 - inwards if side == "↑" else inwards,
                f"{_plain(name)}, {error:.2f} {side}" if error >= 0.1 else f"{_plain(name)}, {error:.3g} {side}",
                transform=ax.transAxes,
                ha="right",
                va="center",
                fontsize="small",
                color="0.35",
            )


def _set_scales(ax: Axes, table: pd.DataFrame, unit: str) -> None:
    """Lookbacks on a logarithmic scale, each with its number, unless that would stand on its neighbour's.

    Errors from the lowest to the highest seed of both parts, so that two plots of one table can be compared, and a
    floor far above the curves does not press them flat.
    """
    bands = table.filter(regex="_(min|max)$").to_numpy(dtype=float)
    finite = bands[np.isfinite(bands)]
    if finite.size:
        room = float(np.ptp(finite)) or 0.1 * float(finite.max()) or 1.0
        ax.set_ylim(finite.min() - 0.08 * room, finite.max() + 0.12 * room)
    ax.set_xscale("log")
    ordered = sorted(table["lookback"].unique())
    apart = (ordered[-1] / ordered[0]) ** 0.035
    named: list[int] = []
    for lookback in ordered:
        if not named or lookback >= named[-1] * apart:
            named.append(lookback)
    ax.set_xticks(named, [str(lookback) for lookback in named])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel="lookback (steps)", ylabel=f"RMSE{f' ({unit})' if unit else ''}")
    ax.grid(alpha=0.25)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _plain(name: str) -> str:
    """A "$" would start mathematics in matplotlib."""
    return name.replace("$", r"\$")
