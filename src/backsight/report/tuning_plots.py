"""Plots of a search: how it went, and which settings mattered."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backsight.report.plots import TEST, TRAIN, VALIDATION, new_axis

#: Colour of what was given up.
GIVEN_UP = "#888888"


def plot_search(trials: pd.DataFrame, model: str, ax: Axes | None = None, unit: str = "") -> Axes:
    """Every trial of a model in order: its error, the lowest so far, and the untuned model's.

    Trials that were given up have no error; they are marked at the foot.

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
    for state, marker, colour, label in (
        ("untuned", "D", TRAIN, "untuned, a lookback each"),
        ("tuned", "o", VALIDATION, "tuned"),
    ):
        chosen = done[done["state"] == state]
        ax.plot(chosen["trial"], chosen["rmse"], marker, color=colour, ms=5, alpha=0.75, mec="white", label=label)
    if len(done):
        best = done["rmse"].cummin()
        ax.step([*done["trial"], of_model["trial"].max()], [*best, best.iloc[-1]], where="post", color=TEST, lw=1.5)
        ax.plot([], [], color=TEST, lw=1.5, label="lowest so far")
        untuned = done.loc[done["state"] == "untuned", "rmse"]
        if len(untuned):
            ax.axhline(untuned.min(), color=TRAIN, lw=0.8, ls="--", label="untuned at its best")
        _frame(ax, done["rmse"].to_numpy())
    pruned = of_model[of_model["state"] == "pruned"]
    if len(pruned):
        foot = ax.get_ylim()[0]
        ax.plot(pruned["trial"], [foot] * len(pruned), "x", color=GIVEN_UP, ms=5, clip_on=False, label="given up")
    ax.set(title=model, xlabel="trial", ylabel=f"RMSE on the folds{f' ({unit})' if unit else ''}")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_searches(trials: pd.DataFrame, unit: str = "") -> Figure:
    """`plot_search` of every model, a panel each, with one legend."""
    names = list(trials["model"].unique())
    figure, axes = _panels(len(names))
    for ax, name in zip(axes, names, strict=True):
        plot_search(trials, name, ax, unit)
    labels = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(labels.values(), labels.keys(), loc="outside upper center", ncols=min(5, len(labels)), frameon=False)
    return figure


def plot_importances(importances: Mapping[str, Mapping[str, float]]) -> Figure:
    """The share of each setting in how much the errors of trials differ: a panel a model.

    Args:
        importances: by model, shares by setting.

    >>> len(plot_importances({"a": {"units": 0.7, "lookback": 0.3}}).axes)
    1
    """
    figure, axes = _panels(len(importances))
    for ax, (model, shares) in zip(axes, importances.items(), strict=True):
        names = list(shares)
        ax.barh(range(len(names)), list(shares.values()), 0.6, color=TRAIN, alpha=0.75)
        for place, share in enumerate(shares.values()):
            ax.annotate(f"{share:.0%}", (share, place), xytext=(4, 0), textcoords="offset points", va="center")
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set_xlim(0, max(shares.values()) * 1.2)
        ax.set(title=model, xlabel="share of the variance of the error")
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


def _frame(ax: Axes, errors: np.ndarray) -> None:
    """A few errors far above the rest would press everything else flat: they are cut off at the top."""
    low, high = errors.min(), np.quantile(errors, 0.9)
    margin = max(high - low, 1e-9)
    ax.set_ylim(low - 0.12 * margin, high + 0.3 * margin)
