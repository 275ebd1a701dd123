"""How the intervals of an entry did on the test days, as plain values."""

import math
from dataclasses import asdict
from typing import Any

import pandas as pd

from backsight.errors import ExamError
from backsight.evaluation.calibration import errors_needed
from backsight.evaluation.ensemble import base_entry
from backsight.evaluation.forecasts import FOLD
from backsight.evaluation.intervals import ADAPTIVE, FIXED, centred, examined, score
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts

Record = dict[str, Any]

#: Share of actual values that the intervals of a report are to hold.
LEVEL = 0.9


def intervals_record(forecasts: Forecasts, name: str) -> Record | None:
    """The intervals of an entry; None if it failed, or there are many series.

    `fixed` are those that validation errors make, `adaptive` those that move as actuals arrive; each holds coverage,
    its standard error, mean width, interval score and the number of forecasts (see `evaluation.intervals.Coverage`).
    What is infinite is None. `leads` holds both at each lead, where there is more than one. `errors` is how many stand
    behind an interval, of `needed`; `seed_sd` the mean spread of the seeds, None for a single one.

    Args:
        forecasts: of a comparison; see `evaluation.forecasts`.
        name: of the entry. An ensemble's are its entry's: the centre is the mean of the seeds.
    """
    if isinstance(forecasts, PanelForecasts):
        return None
    try:
        rows = centred(forecasts[forecasts["entry"] == base_entry(name)])
    except ExamError:
        return None
    validation = rows[rows["part"] == "validation"]
    test = examined(rows, LEVEL)
    leads = test["lead"].unique()
    spread = float(test["seed_sd"].mean())
    return {
        "level": LEVEL,
        "errors": int(validation.groupby([FOLD, "lead"] if FOLD in rows else "lead").size().min()),
        "needed": errors_needed(LEVEL),
        "seed_sd": spread if math.isfinite(spread) else None,
        **_scores(test),
        "leads": [{"lead": int(lead), **_scores(test[test["lead"] == lead])} for lead in leads if len(leads) > 1],
    }


def _scores(test: pd.DataFrame) -> Record:
    return {
        name: {key: value if math.isfinite(value) else None for key, value in asdict(score(test, LEVEL, ends)).items()}
        for name, ends in (("fixed", FIXED), ("adaptive", ADAPTIVE))
    }
