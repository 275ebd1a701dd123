"""How the intervals of an entry did on the test days, as plain values."""

import math
from dataclasses import asdict
from typing import Any

import pandas as pd

from backsight.errors import ExamError
from backsight.evaluation.calibration import errors_needed
from backsight.evaluation.ensemble import base_entry
from backsight.evaluation.forecasts import FOLD
from backsight.evaluation.intervals import ADAPTIVE, FIXED, Coverage, centred, examined, score
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts
from backsight.evaluation.panel_intervals import PanelIntervals, examined_panel

Record = dict[str, Any]

#: Share of actual values that the intervals of a report are to hold.
LEVEL = 0.9


def intervals_record(forecasts: Forecasts, name: str) -> Record | None:
    """The intervals of an entry; None if it failed.

    `fixed` are those that validation errors make, `adaptive` those that move as actuals arrive; each holds coverage,
    its standard error, mean width, interval score and the number of forecasts (see `evaluation.intervals.Coverage`).
    What is infinite is None. `leads` holds both at each lead, where there is more than one. `errors` is how many stand
    behind an interval, of `needed`; `seed_sd` the mean spread of the seeds, None for a single one.

    Of many series all of that is over all of them, in sd, and `each` holds the share held in each, fixed and adaptive,
    in the order of the series; None where one has no window. It is empty where there is one series.

    Args:
        forecasts: of a comparison; see `evaluation.forecasts`.
        name: of the entry. An ensemble's are its entry's: the centre is the mean of the seeds.
    """
    try:
        if isinstance(forecasts, PanelForecasts):
            return _panel_record(examined_panel(forecasts, base_entry(name), LEVEL))
        rows = centred(forecasts[forecasts["entry"] == base_entry(name)])
    except ExamError:
        return None
    validation = rows[rows["part"] == "validation"]
    test = examined(rows, LEVEL)
    leads = test["lead"].unique()
    return {
        "level": LEVEL,
        "errors": int(validation.groupby([FOLD, "lead"] if FOLD in rows else "lead").size().min()),
        "needed": errors_needed(LEVEL),
        "seed_sd": _plain(test["seed_sd"].mean()),
        **_scores(test),
        "leads": [{"lead": int(lead), **_scores(test[test["lead"] == lead])} for lead in leads if len(leads) > 1],
        "each": {},
    }


def _panel_record(found: PanelIntervals) -> Record:
    ways = {"fixed": found.fixed, "adaptive": found.adaptive}
    horizon = found.predicted.shape[1]
    leads = range(1, horizon + 1) if horizon > 1 else []
    return {
        "level": LEVEL,
        "errors": found.errors,
        "needed": errors_needed(LEVEL),
        "seed_sd": _plain((found.seed_sd / found.sheet.scale[:, None]).mean()),
        **{way: _plain_score(found.score(ends)) for way, ends in ways.items()},
        "leads": [
            {"lead": lead, **{way: _plain_score(found.score(ends, lead)) for way, ends in ways.items()}}
            for lead in leads
        ],
        "each": {way: list(map(_plain, found.of_each(ends))) for way, ends in ways.items()}
        if len(found.ids) > 1
        else {},
    }


def _scores(test: pd.DataFrame) -> Record:
    return {way: _plain_score(score(test, LEVEL, ends)) for way, ends in (("fixed", FIXED), ("adaptive", ADAPTIVE))}


def _plain_score(found: Coverage) -> Record:
    return {key: _plain(value) for key, value in asdict(found).items()}


def _plain(value: float) -> float | None:
    """A number as JSON can hold it; counts stay counts."""
    if isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
