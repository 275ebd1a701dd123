"""The leaderboard as a chart."""

import numpy as np
import pandas as pd

from backsight.report.charts.chart import Chart, Dots, Line, Mark, Note, Zone, with_unit
from backsight.report.charts.ticks import number_axis, row_axis

#: Rows that a chart has room for.
MOST_ROWS = 30

#: Errors further from the best than so many times the median's distance are told, not drawn.
FAR = 3.0


def leaderboard_chart(board: pd.DataFrame, unit: str = "") -> Chart:
    """Validation and test RMSE of every entry, best on top: marks are means, lines run from lowest to highest seed.

    Args:
        board: entry, val_rmse, test_rmse in order of rank; if known, `_min` and `_max` or `_sd` of both, and `group`.
        unit: of the target.
    """
    known = np.isfinite(board[["val_rmse", "test_rmse"]].to_numpy(dtype=float)).all(axis=1)
    alive = board.loc[known].head(MOST_ROWS)
    rows = -np.arange(len(alive), dtype=float)
    means = alive[["val_rmse", "test_rmse"]].to_numpy(dtype=float)
    edge = _edge(means)
    marks: list[Mark] = [*_zones(alive)]
    spans = []
    for part, tone, shape, nudge in (("val", "c2", "dot", 0.17), ("test", "c1", "diamond", -0.17)):
        low, high = _ends(alive, part)
        mean = alive[f"{part}_rmse"].to_numpy(dtype=float)
        near = high <= edge
        spans += [low[near], high[near], mean[near]]
        for row, a, b in zip(rows[near] + nudge, low[near], high[near], strict=True):
            if b > a:
                marks.append(Line(np.array([a, b]), np.array([row, row]), tone, width=2.4))
        name = "validation" if part == "val" else "test"
        marks.append(Dots(mean[near], rows[near] + nudge, tone, name, shape=shape))  # type: ignore[arg-type]
    left = len(board) - len(alive)
    more = f"; {left} more are not drawn" if left else ""
    x = number_axis(f"{with_unit('RMSE', unit)}{more}", np.concatenate(spans) if spans else [])
    for row, (val, test) in zip(rows, means, strict=True):
        beyond = [f"{name} {error:.2f}" for name, error in (("validation", val), ("test", test)) if error > edge]
        if beyond:
            marks.append(Note(x.high, row, f"{', '.join(beyond)} →"))
    best = str(alive["entry"].iloc[0]) if len(alive) else "none"
    alt = f"Validation and test RMSE of {len(alive)} entries, best on top: {best}."
    names = [str(name) for name in alive["entry"]]
    return Chart("Leaderboard", alt, x, row_axis(names), tuple(marks), rows=True, height=34 * len(alive) + 8)


def _edge(means: np.ndarray) -> float:
    """The largest error that is drawn: one far beyond the others would press them into a corner."""
    if means.size < 6:
        return float("inf")
    best, middle = float(means.min()), float(np.median(means))
    return best + FAR * max(middle - best, 0.02 * abs(best))


def _ends(board: pd.DataFrame, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest seed; a standard deviation to both sides where only that is known."""
    if f"{part}_min" in board:
        return board[f"{part}_min"].to_numpy(dtype=float), board[f"{part}_max"].to_numpy(dtype=float)
    mean = board[f"{part}_rmse"].to_numpy(dtype=float)
    sd = board[f"{part}_sd"].to_numpy(dtype=float) if f"{part}_sd" in board else np.zeros(len(board))
    return mean - sd, mean + sd


def _zones(board: pd.DataFrame) -> list[Zone]:
    """Every other tie group is shaded; the rows of one stand together."""
    if "group" not in board:
        return []
    groups = board["group"].to_numpy()
    places = {group: np.flatnonzero(groups == group) for group in dict.fromkeys(groups.tolist())}
    return [Zone(-(at.max() + 0.5), -(at.min() - 0.5)) for k, at in enumerate(places.values()) if k % 2 == 0]
