"""Training curves as charts."""

import numpy as np
import pandas as pd

from backsight.report.charts.chart import Axis, Chart, Dots, Line, Mark, numbers, with_unit
from backsight.report.charts.ticks import counted_axis, round_ticks


def history_chart(histories: pd.DataFrame, entry: str, unit: str = "") -> Chart:
    """Train and validation RMSE of one entry by epoch, a line a seed, the kept epoch marked.

    Args:
        histories: rows of entry, seed, epoch, train_rmse, val_rmse, kept.
        entry: which.
        unit: of the target.
    """
    rows = histories[histories["entry"] == entry]
    marks: list[Mark] = []
    kept: list[Dots] = []
    for place, (seed, of_seed) in enumerate(rows.groupby("seed")):
        epochs = of_seed["epoch"].to_numpy(dtype=float)
        first = place == 0
        # Of five seeds the mouse would be told ten numbers; it is told those of validation.
        curves = (("train_rmse", "c1", "training", ""), ("val_rmse", "c2", "validation", f"seed {seed}, validation"))
        for column, tone, label, told in curves:
            marks.append(Line(epochs, numbers(of_seed[column]), tone, label if first else "", width=1.3, told=told))
        at = of_seed["kept"].to_numpy(dtype=bool)
        kept.append(Dots(epochs[at], numbers(of_seed["val_rmse"])[at], "c2", "kept epoch" if first else ""))
    x = counted_axis("epoch", 1, float(rows["epoch"].max()) if len(rows) else 1.0)
    seeds = rows["seed"].nunique()
    alt = f"RMSE of {entry} on training and validation windows over {x.high:.0f} epochs, {seeds} seeds."
    return Chart(entry, alt, x, _errors_axis(rows, unit), (*marks, *kept), height=190)


def _errors_axis(rows: pd.DataFrame, unit: str) -> Axis:
    """All but a few errors: a first epoch far above the rest would press everything else flat."""
    errors = numbers(rows[["train_rmse", "val_rmse"]]).ravel()
    errors = errors[np.isfinite(errors)]
    low, high = (float(errors.min()), float(np.quantile(errors, 0.97))) if errors.size else (0.0, 1.0)
    span = (high - low) or abs(low) * 0.1 or 1.0
    low, high = low - 0.06 * span, high + 0.15 * span
    return Axis(with_unit("RMSE", unit), low, high, round_ticks(low, high))
