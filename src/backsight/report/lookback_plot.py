"""The plot of lookback curves."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backsight.report.charts.draw import draw, new_axis
from backsight.report.charts.lookback import Part, lookback_chart


def plot_lookback(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
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
    draw(lookback_chart(table, unit, part, lines), ax, legend=False)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return ax


def plot_lookbacks(
    table: pd.DataFrame, unit: str = "", lines: Mapping[Part, Mapping[str, float]] | None = None
) -> Figure:
    """Validation, where lookbacks are chosen, beside test: a figure of two panels with one legend.

    Arguments as in `plot_lookback`.
    """
    figure = Figure(figsize=(12.0, 5.0), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    parts: tuple[Part, Part] = ("validation", "test")
    for ax, part in zip(axes, parts, strict=True):
        draw(lookback_chart(table, unit, part, (lines or {}).get(part)), ax, legend=False)
        ax.set_title("", loc="left")
        ax.set_title(part)
    axes[1].set_ylabel("")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure
