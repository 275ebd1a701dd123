"""Plots from stored results. Each function takes an axis, draws on it and returns it."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Colours that people with any colour vision tell apart (Okabe and Ito 2008).
TRAIN, VALIDATION, TEST, PUBLISHED = "#0072B2", "#D55E00", "#009E73", "#000000"


def new_axis(width: float = 7.0, height: float = 4.0) -> Axes:
    """An axis on a new figure; save it with `axis.figure.savefig("plot.png")`."""
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def plot_history(histories: pd.DataFrame, entry: str | None = None, ax: Axes | None = None, unit: str = "") -> Axes:
    """Training curves of one entry: train and validation RMSE by epoch, a line a seed, the kept epoch marked.

    Args:
        histories: rows of entry, seed, epoch, train_rmse, val_rmse, kept.
        entry: which; needed only if there are several.
        ax: where to draw; a new one without it.
        unit: of the target.

    Raises:
        ValueError: there are several entries and none is named, or none of that name.

    >>> rows = pd.DataFrame({"entry": "a", "seed": 0, "epoch": [1, 2], "train_rmse": [2.0, 1.0],
    ...                      "val_rmse": [2.5, 2.0], "kept": [False, True]})
    >>> plot_history(rows).get_xlabel()
    'epoch'
    """
    ax = new_axis() if ax is None else ax
    names = list(histories["entry"].unique())
    if entry is None and len(names) != 1:
        raise ValueError(f"Name one entry of {', '.join(names)}.")
    chosen = histories[histories["entry"] == (entry or names[0])]
    if chosen.empty:
        raise ValueError(f"There is no training curve of {entry!r}; there are {', '.join(names)}.")
    for place, (_, rows) in enumerate(chosen.groupby("seed")):
        curves, dots = ("train", "validation"), "kept epoch"
        if place > 0:  # a name that begins with "_" stays out of the legend
            curves, dots = ("_train", "_validation"), "_kept epoch"
        for column, colour, label in zip(("train_rmse", "val_rmse"), (TRAIN, VALIDATION), curves, strict=True):
            ax.plot(rows["epoch"], rows[column], color=colour, alpha=0.75, lw=1.1, label=label)
        kept = rows[rows["kept"]]
        ax.plot(kept["epoch"], kept["val_rmse"], "o", color=VALIDATION, ms=4, mec="white", mew=0.6, label=dots)
    # A first epoch far above the rest would press everything else flat.
    errors = chosen[["train_rmse", "val_rmse"]].to_numpy()
    finite = errors[np.isfinite(errors)]
    if finite.size:
        low, high = finite.min(), np.quantile(finite, 0.97)
        ax.set_ylim(low - 0.05 * (high - low) - 1e-9, high + 0.15 * (high - low) + 1e-9)
    ax.set(title=entry or names[0], xlabel="epoch", ylabel=f"RMSE{f' ({unit})' if unit else ''}")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_histories(histories: pd.DataFrame, unit: str = "") -> Figure:
    """Training curves of every entry, a panel each, with one legend."""
    names = list(histories["entry"].unique())
    columns = min(3, max(len(names), 1))
    lines = max(-(-len(names) // columns), 1)
    figure = Figure(figsize=(4.2 * columns, 2.8 * lines + 0.4), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        plot_history(histories, name, ax, unit)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    if names:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def plot_leaderboard(board: pd.DataFrame, ax: Axes | None = None, unit: str = "") -> Axes:
    """Validation and test RMSE of every entry, best on top; bars are means, whiskers one sd over seeds.

    Args:
        board: entry, val_rmse, val_sd, test_rmse, test_sd, in order of rank.
        ax: where to draw; a new one without it.
        unit: of the target.

    >>> board = pd.DataFrame({"entry": ["a"], "val_rmse": [3.0], "val_sd": [0.1], "test_rmse": [3.1], "test_sd": [0.1]})
    >>> [text.get_text() for text in plot_leaderboard(board).get_yticklabels()]
    ['a']
    """
    ax = new_axis(8.0, 0.42 * len(board) + 1.0) if ax is None else ax
    shown = board[np.isfinite(board[["val_rmse", "test_rmse"]]).all(axis=1)]
    place = np.arange(len(shown))
    for offset, part, colour, label in ((-0.2, "val", VALIDATION, "validation"), (0.2, "test", TEST, "test")):
        means, spreads = shown[f"{part}_rmse"], shown[f"{part}_sd"]
        whiskers = {"lw": 1, "capsize": 2}
        ax.barh(place + offset, means, 0.38, xerr=spreads, color=colour, alpha=0.75, label=label, error_kw=whiskers)
        for y, mean, spread in zip(place + offset, means, spreads, strict=True):
            _print_value(ax, mean + spread, y, f"{mean:.3f}" + (f" ± {spread:.3f}" if spread else ""))
    _name_bars(ax, list(shown["entry"]), unit)
    return ax


def plot_lesson(rows: list[dict[str, Any]], ax: Axes | None = None, unit: str = "") -> Axes:
    """Test RMSE of the lesson's rows: bars are means over seeds, dots the seeds, diamonds the published numbers.

    Args:
        rows: records with name, test_rmse (one a seed) and published_rmse.
        ax: where to draw; a new one without it.
        unit: of the target.

    >>> plot_lesson([{"name": "a", "test_rmse": [3.0, 3.2], "published_rmse": 3.1}]).get_xlabel()
    'RMSE'
    """
    ax = new_axis(8.0, 0.5 * len(rows) + 1.0) if ax is None else ax
    for place, row in enumerate(rows):
        errors = [e for e in row["test_rmse"] if e is not None]
        if not errors:
            continue
        first = place == 0
        ax.barh(place, np.mean(errors), 0.6, color=TEST, alpha=0.45, label="mean over seeds" if first else None)
        ax.plot(errors, [place] * len(errors), "o", ms=3.5, color=TEST, label="one seed" if first else None)
        published = row["published_rmse"]
        if published is not None:
            ax.plot(published, place, "D", ms=6, mfc="none", color=PUBLISHED, label="published" if first else None)
        text = f"{np.mean(errors):.3f}" + (f", published {published:.2f}" if published is not None else "")
        _print_value(ax, max([*errors, published or 0.0]), place, text)
    _name_bars(ax, [row["name"] for row in rows], unit)
    return ax


def _print_value(ax: Axes, x: float, y: float, text: str) -> None:
    """Print a number to the right of its bar: bars begin at 0, where small differences are hard to see."""
    ax.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize="small")


def _name_bars(ax: Axes, names: list[str], unit: str) -> None:
    # A "$" would start mathematics in matplotlib.
    ax.set_yticks(range(len(names)), [name.replace("$", r"\$") for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.margins(x=0.25)  # room for the numbers
    ax.set_xlabel(f"RMSE{f' ({unit})' if unit else ''}")
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
