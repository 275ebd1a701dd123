"""Plots of a search: how it went, and which settings mattered."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from backsight.report.charts.draw import new_axis
from backsight.report.plots import TEST, TRAIN, VALIDATION

#: Colour of what was given up.
GIVEN_UP = "#888888"


def plot_search(trials: pd.DataFrame, model: str, ax: Axes | None = None, unit: str = "") -> Axes:
    """Every trial of a model in order: its error, the lowest so far, and the untuned model's.

    Trials that were given up have no error; they are marked at the foot, and those far above the rest at the top.

    Args:
        trials: rows of model, trial, state and rmse.
        model: which.
        ax: where to draw; a new one without it.
        unit: of the target.

    >>> trials = pd.DataFrame({"model": "a", "trial": [1, 2], "state": ["untuned", "tuned"], "rmse": [2.0, 1.5]})
    >>> plot_search(trials, "a").get_xlabel()
    'trial'
    """
    ax = new_axis() if ax is None else ax
    of_model = trials[trials["model"] == model]
    done = of_model[np.isfinite(of_model["rmse"])]
    untuned = done.loc[done["state"] == "untuned", "rmse"]
    if len(done):
        best = done["rmse"].cummin()
        ax.step([*done["trial"], of_model["trial"].max()], [*best, best.iloc[-1]], where="post", color=TEST, lw=1.5)
        ax.plot([], [], color=TEST, lw=1.5, label="lowest so far")
        low, high = _frame(done["rmse"].to_numpy(), untuned.to_numpy())
        ax.set_ylim(low, high)
        above = done[done["rmse"] > high]
        _mark(ax, above["trial"], [high] * len(above), "^", GIVEN_UP, "higher than drawn")
    if len(untuned):
        ax.axhline(untuned.min(), color=TRAIN, lw=0.8, ls="--", label="untuned at its best")
    for state, marker, colour in (("untuned", "D", TRAIN), ("tuned", "o", VALIDATION)):
        chosen = done[done["state"] == state]
        _mark(ax, chosen["trial"], chosen["rmse"], marker, colour, state)
    pruned = of_model[of_model["state"] == "pruned"]
    _mark(ax, pruned["trial"], [ax.get_ylim()[0]] * len(pruned), "x", GIVEN_UP, "given up")
    ax.set_title(model, pad=10)  # room for what lies above the frame
    ax.set(xlabel="trial", ylabel=f"RMSE on the folds{f' ({unit})' if unit else ''}")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_searches(trials: pd.DataFrame, unit: str = "") -> Figure:
    """`plot_search` of every model, a panel each, with one legend."""
    names = list(trials["model"].unique())
    figure, axes = _panels(len(names))
    for ax, name in zip(axes, names, strict=True):
        plot_search(trials, name, ax, unit)
    labels = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(
        labels.values(), labels.keys(), loc="outside upper center", ncols=3 if len(names) < 3 else 6, frameon=False
    )
    return figure


def plot_importances(importances: Mapping[str, Mapping[str, float]]) -> Figure:
    """The share of each setting in how much the errors of trials differ: a panel a model.

    Args:
        importances: by model, shares by setting.

    >>> len(plot_importances({"a": {"units": 0.7, "lookback": 0.3}}).axes)
    1
    """
    figure, axes = _panels(len(importances))
    most = max((len(shares) for shares in importances.values()), default=1)
    for ax, (model, shares) in zip(axes, importances.items(), strict=True):
        names = list(shares)
        ax.barh(range(len(names)), list(shares.values()), 0.6, color=TRAIN, alpha=0.75)
        for place, share in enumerate(shares.values()):
            ax.annotate(f"{share:.0%}", (share, place), xytext=(4, 0), textcoords="offset points", va="center")
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(most - 0.4, -0.6)
        ax.set_xlim(0, 1.12)
        ax.set(title=model, xlabel="share of what errors differ by")
        ax.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(3, max(count, 1))
    lines = max(-(-count // columns), 1)
    figure = Figure(figsize=(max(4.6 * columns, 6.5), 3.2 * lines + 0.4), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False).ravel())
    for ax in axes[count:]:
        ax.set_axis_off()
    return figure, axes[:count]


def _mark(ax: Axes, x: Iterable[float], y: Iterable[float], marker: str, colour: str, label: str) -> None:
    """Marks at these places, and nothing in the legend if there are none; those on the frame are drawn whole."""
    x, y = list(x), list(y)
    clip = marker in ("o", "D")
    edge = "white" if clip else colour
    if x:
        ax.plot(x, y, marker, color=colour, ms=5.5, mec=edge, mew=0.6 if clip else 1.0, clip_on=clip, label=label)


def _frame(errors: NDArray[np.float64], untuned: NDArray[np.float64]) -> tuple[float, float]:
    """Limits for the better half and all untuned ones: a few errors far above would press them flat."""
    low, high = errors.min(), max([np.quantile(errors, 0.6), *untuned])
    margin = max(high - low, 1e-9)
    return low - 0.12 * margin, high + 0.25 * margin
