"""Lookback curves as charts."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from backsight.report.charts.chart import Axis, Band, Chart, Dots, Line, Mark, Rule, numbers, tone_of, with_unit
from backsight.report.charts.ticks import chosen_axis, round_ticks

Part = Literal["validation", "test"]


def lookback_chart(
    table: pd.DataFrame, unit: str = "", part: Part = "validation", lines: Mapping[str, float] | None = None
) -> Chart:
    """Error against lookback, a curve a model; bands run from the lowest to the highest seed.

    A ring marks the shortest lookback that is tied with the model's best one, a cross that best one; both are chosen
    on validation, whichever part is drawn.

    Args:
        table: one row a model and lookback, such as `Lookbacks.table`.
        unit: of the target.
        part: whose errors are drawn.
        lines: errors to compare with, by name.
    """
    mean, low, high = (f"{'val' if part == 'validation' else 'test'}_{what}" for what in ("rmse", "min", "max"))
    known = np.isfinite(table[[mean, low, high]].to_numpy(dtype=float)).all(axis=1)
    shown = table.loc[known]
    marks: list[Mark] = []
    models = [str(model) for model in dict.fromkeys(table["model"])]
    for place, model in enumerate(models):
        rows = shown[shown["model"] == model].sort_values("lookback")
        x, tone = rows["lookback"].to_numpy(dtype=float), tone_of(place)
        dash = "solid" if place < 7 else "dashed"
        marks.append(Band(x, numbers(rows[low]), numbers(rows[high]), tone))
        marks.append(Line(x, numbers(rows[mean]), tone, model, dash=dash))  # type: ignore[arg-type]
        marks.append(Dots(x, numbers(rows[mean]), tone, size=2.6))
        for column, shape in (("best", "cross"), ("recommended", "ring")):
            at = rows[column].to_numpy(dtype=bool)
            marks.append(Dots(x[at], numbers(rows[mean])[at], tone, shape=shape, size=6.0))  # type: ignore[arg-type]
    # The marks have the colours of their curves; the legend explains them once, in grey.
    none = np.empty(0)
    marks.append(Dots(none, none, "muted", "shortest tied with best", shape="ring", size=6.0))
    marks.append(Dots(none, none, "muted", "lowest on validation", shape="cross", size=6.0))
    rules = zip(lines.items(), ("dashed", "dotted") * len(lines), strict=False) if lines else ()
    marks += [Rule(error, "y", name, dash) for (name, error), dash in rules]  # type: ignore[arg-type]
    x_axis = chosen_axis("lookback (steps)", [float(n) for n in table["lookback"].unique()])
    alt = f"{part.capitalize()} RMSE against lookback of {', '.join(models)}."
    title = f"{part.capitalize()} error by lookback"
    return Chart(title, alt, x_axis, _errors_axis(table, unit), tuple(marks), height=300)


def _errors_axis(table: pd.DataFrame, unit: str) -> Axis:
    """Errors from the lowest to the highest seed of both parts.

    So two charts of one table can be compared, and a floor far above the curves does not press them flat.
    """
    bands = table.filter(regex="_(min|max)$").to_numpy(dtype=float)
    finite = bands[np.isfinite(bands)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    room = (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - 0.08 * room, high + 0.12 * room
    return Axis(with_unit("RMSE", unit), low, high, round_ticks(low, high))
