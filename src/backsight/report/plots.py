"""Plots from stored results. Each function takes an axis, draws on it and returns it."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backsight.report.charts.chart import TONES, with_unit
from backsight.report.charts.draw import draw, draw_panels, new_axis, plain_name
from backsight.report.charts.forecast import forecast_chart
from backsight.report.charts.history import history_chart
from backsight.report.charts.leaderboard import leaderboard_chart

#: Colours that people with any colour vision tell apart (Okabe and Ito 2008).
TRAIN, VALIDATION, TEST, PUBLISHED = TONES["c1"], TONES["c2"], TONES["c3"], TONES["ink"]


def plot_history(histories: pd.DataFrame, ax: Axes | None = None, *, entry: str | None = None, unit: str = "") -> Axes:
    """Training curves of one entry: train and validation RMSE by epoch, a line a seed, the kept epoch marked.

    Args:
        histories: rows of entry, seed, epoch, train_rmse, val_rmse, kept, such as `Comparison.histories`.
        ax: where to draw; a new one without it.
        entry: which; needed only if there are several.
        unit: of the target.

    Raises:
        ValueError: there are several entries and none is named, or none of that name.

    >>> rows = pd.DataFrame({"entry": "a", "seed": 0, "epoch": [1, 2], "train_rmse": [2.0, 1.0],
    ...                      "val_rmse": [2.5, 2.0], "kept": [False, True]})
    >>> plot_history(rows).get_xlabel()
    'epoch'
    """
    names = list(histories["entry"].unique())
    if entry is None and len(names) != 1:
        raise ValueError(f"Name one entry of {', '.join(names)}.")
    chosen = names[0] if entry is None else entry
    if chosen not in names:
        raise ValueError(f"There is no training curve of {entry!r}; there are {', '.join(names)}.")
    return draw(history_chart(histories, chosen, unit), ax)


def plot_histories(histories: pd.DataFrame, unit: str = "") -> Figure:
    """Training curves of every entry: a figure of one panel each, with one legend."""
    return draw_panels([history_chart(histories, name, unit) for name in histories["entry"].unique()])


def plot_leaderboard(board: pd.DataFrame, ax: Axes | None = None, *, unit: str = "") -> Axes:
    """Validation and test RMSE of every entry, best on top: means over seeds, and lines from lowest to highest seed.

    Stretches of the same shade hold entries that can't be told apart.

    Args:
        board: entry, val_rmse, test_rmse in order of rank, such as `Comparison.leaderboard`; if known `_min` and
            `_max` or `_sd` of both errors, and `group`.
        ax: where to draw; a new one without it.
        unit: of the target.

    >>> board = pd.DataFrame({"entry": ["a"], "val_rmse": [3.0], "val_sd": [0.1], "test_rmse": [3.1], "test_sd": [0.1]})
    >>> [text.get_text() for text in plot_leaderboard(board).get_yticklabels()]
    ['a']
    """
    return draw(leaderboard_chart(board, unit), ax)


def plot_forecast(
    forecasts: pd.DataFrame,
    ax: Axes | None = None,
    *,
    entries: Iterable[str] | None = None,
    unit: str = "",
    part: str = "test",
    lead: int = 1,
    intervals: pd.DataFrame | None = None,
) -> Axes:
    """What came, and what entries had forecast, by time: means over seeds.

    Args:
        forecasts: see `evaluation.forecasts`; such as `Comparison.forecasts`.
        ax: where to draw; a new one without it.
        entries: names of those to draw; the first of the table without it.
        unit: of the target.
        part: "validation" or "test".
        lead: steps ahead.
        intervals: rows of entry, lead, time, lower, upper, such as `Comparison.intervals`; those of the first entry are
            drawn.

    Raises:
        ValueError: there is no such entry, or nothing of that part and lead, or intervals are of others.

    >>> rows = pd.DataFrame({"entry": "a", "seed": 0, "part": "test", "lead": 1, "actual": [1.0, 2.0],
    ...                      "time": pd.date_range("2020-01-01", periods=2), "predicted": [1.5, 1.5]})
    >>> [line.get_label() for line in plot_forecast(rows).lines]
    ['a', 'what came']
    """
    names = [str(name) for name in forecasts["entry"].unique()]
    chosen = names[:1] if entries is None else list(entries)
    if unknown := [name for name in chosen if name not in names]:
        raise ValueError(f"There is no forecast of {unknown[0]!r}; there are {', '.join(names)}.")
    if not ((forecasts["part"] == part) & (forecasts["lead"] == lead)).any():
        raise ValueError(f"There is no forecast of the {part} part, {lead} steps ahead.")
    if intervals is not None and chosen and chosen[0] not in set(intervals["entry"]):
        raise ValueError(f"The intervals are not those of {chosen[0]!r}: ask for its own, or name it first.")
    return draw(forecast_chart(forecasts, chosen, unit, part, lead, intervals), ax)


def plot_lesson(rows: list[dict[str, Any]], ax: Axes | None = None, *, unit: str = "") -> Axes:
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
    ax.set_yticks(range(len(names)), [plain_name(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.margins(x=0.25)  # room for the numbers
    ax.set_xlabel(with_unit("RMSE", unit))
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
