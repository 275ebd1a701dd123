"""Forecasts of a model as plain values: what `--json` writes, and what is printed."""

from dataclasses import asdict
from math import isfinite
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.evaluation.calibration import Calibration, errors_needed
from backsight.runs.model_file import Model
from backsight.runs.outlook import Outlook
from backsight.runs.told import model_hash
from backsight.series.panel import Panel
from backsight.series.series import Series, day
from backsight.windows.windows import input_names

Record = dict[str, Any]
Place = Literal["before", "learnt", "chosen", "within", "end", "after"]


def next_record(model: Model, series: Series | Panel, level: float = 0.9) -> Record:
    """What a model forecasts for the steps after a series, as plain values: entry, level, and rows.

    A row has time, lead, predicted, lower and upper; these two are None where they are not known. Of many series it
    begins with the name of its series.
    """
    rows = model.forecast(series, level=level)
    return {
        "entry": model.card.name,
        "level": level,
        "rows": [
            {
                **({"series": str(row["series"])} if "series" in row else {}),
                "time": day(row["time"]),
                "lead": int(row["lead"]),
                **{name: _finite(row[name]) for name in ("predicted", "lower", "upper")},
            }
            for row in rows.to_dict("records")
        ],
    }


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def outlook_record(found: Outlook, told_to: str | None = None) -> Record:
    """Model, data, forecasts, what intervals held, and what is to be known before one trusts them.

    `data` says by `place` where the series ends: before all rows that the model learnt from, among them (learnt), among
    those it was chosen by, later within the data it was compared on, at their end, or after it; `steps_after` counts
    the steps that it goes on. Of many series that is said of the latest row of all. `on_learnt_rows` are forecasts of
    rows that the model learnt from. Ends of intervals that are not known are None.

    Args:
        found: the forecasts.
        told_to: the file that an update was written to.
    """
    card, series = found.model.card, found.series
    many = None if isinstance(found.intervals, Calibration) else found.intervals
    known = [found.intervals] if isinstance(found.intervals, Calibration) else list(found.intervals.values())
    standing = [of_lead.standing[-1] for calibration in known for of_lead in calibration.leads]
    learnt = pd.Timestamp(card.split.train.last)
    return {
        "model": {
            "name": card.name,
            "sha256": model_hash(found.model),
            "target": card.target.name,
            "unit": card.target.unit or "",
            "inputs": list(input_names(tuple(column.name for column in card.features), card.calendar)),
            "lookback": card.lookback,
            "horizon": card.horizon,
            "seeds": list(card.seeds),
            "learnt": {"first": _day(card.split.train.first), "last": _day(card.split.train.last)},
            "data": {"name": card.data.name, "last": _day(card.data.rows.last)},
        },
        "data": {
            "name": series.name,
            "rows": len(series),
            "first": day(series.times.min()),
            "last": day(series.times.max()),
            **({} if many is None else {"series": found.rows["series"].nunique()}),
            "place": _place(found),
            "steps_after": _steps_after(found),
            "carried_forward": _carried_forward(found),
        },
        "horizon": found.horizon,
        "origins": int(found.rows["origin"].nunique()),
        "on_learnt_rows": int((found.rows["time"] <= learnt).sum()),
        "level": found.level,
        "intervals": {
            "leads": card.horizon,
            "errors": min(stood.count for stood in standing),
            "needed": errors_needed(found.level),
            "until": day(pd.Timestamp(max(stood.time for stood in standing))),
            "held": None if found.coverage is None else asdict(found.coverage),
            "judged": _judged(found),
        },
        "update": {"file": told_to} if found.updated else None,
        "forecasts": [_forecast(row) for row in found.rows.to_dict("records")],
    }


def _judged(found: Outlook) -> Record | None:
    """Which actuals say how good the intervals are."""
    times = found.judged["time"]
    return None if times.empty else {"first": day(times.min()), "last": day(times.max()), "forecasts": len(times)}


def _place(found: Outlook) -> Place:
    split, last = found.model.card.split, found.series.times.max()
    borders: tuple[tuple[str, Place], ...] = ((split.train.last, "learnt"), (split.validation.last, "chosen"))
    if last < pd.Timestamp(split.train.first):
        return "before"
    for border, place in borders:
        if last <= pd.Timestamp(border):
            return place
    end = pd.Timestamp(found.model.card.data.rows.last)
    return "within" if last < end else "end" if last == end else "after"


def _carried_forward(found: Outlook) -> Record | None:
    """Values in the windows of the forecasts that were not observed, of which the last one's; None if all were."""
    series, card = found.series, found.model.card
    if series.filled is None:
        return None
    read = [series.columns.index(column.name) for column in card.features]
    windows = _origin_rows(found)[:, None] + np.arange(1 - card.lookback, 1)
    filled = series.filled[:, read].sum(axis=1)[np.maximum(windows, 0)].sum(axis=1)
    if isinstance(series, Panel):  # of which there is no last one
        return {"forecasts": int((filled > 0).sum()), "last": 0, "at_origin": 0}
    return {"forecasts": int((filled > 0).sum()), "last": int(filled[-1]), "at_origin": _filled_run(series, read)}


def _origin_rows(found: Outlook) -> NDArray[np.intp]:
    """The row of each origin."""
    series, rows = found.series, found.rows
    if not isinstance(series, Panel):
        return series.times.get_indexer(pd.DatetimeIndex(rows["origin"].unique()))
    origins = {str(name): of["origin"].unique() for name, of in rows.groupby("series", observed=True)}
    return np.concatenate(
        [
            series.blocks.rows(place).start + one.times.get_indexer(pd.DatetimeIndex(origins[one.name]))
            for place, one in enumerate(series.each())
        ]
    )


def _steps_after(found: Outlook) -> int:
    """How many steps the data go on after the model's own; of many series those of the longest."""
    last = pd.Timestamp(found.model.card.data.rows.last)
    several = found.series.each() if isinstance(found.series, Panel) else [found.series]
    return max(int((series.times > last).sum()) for series in several)


def _filled_run(series: Series, read: list[int]) -> int:
    """How many of the last rows of the series hold a value that was carried forward, without a break."""
    assert series.filled is not None
    observed = np.flatnonzero(~series.filled[:, read].any(axis=1))
    return len(series) - 1 - int(observed[-1]) if len(observed) else len(series)


def _forecast(row: dict[Any, Any]) -> Record:
    numbers = {name: row[name] for name in ("actual", "predicted", "seed_sd", "lower", "upper")}
    return {
        **({"series": str(row["series"])} if "series" in row else {}),
        "origin": day(row["origin"]),
        "lead": int(row["lead"]),
        "time": day(row["time"]),
        **{name: float(value) if isfinite(value) else None for name, value in numbers.items()},
    }


def _day(time: str) -> str:
    return day(pd.Timestamp(time))
