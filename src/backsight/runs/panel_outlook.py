"""Forecasts of a model of many series: of what follows each, with its intervals; see `runs.outlook`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backsight.errors import RecipeError
from backsight.evaluation.calibration import LEVELS, Calibration
from backsight.evaluation.forecasts import BAND
from backsight.evaluation.intervals import apply, updated
from backsight.runs.fit import predict_each_at, steps_needed
from backsight.runs.model_card import check_fits
from backsight.runs.outlook import Outlook, Span, check_level, look_ahead, untold
from backsight.runs.study import check_count
from backsight.series.panel import Panel
from backsight.series.series import Series

if TYPE_CHECKING:
    from backsight.runs.model_file import Model

#: Intervals of one series, or of each of many by its name.
Known = Calibration | Mapping[str, Calibration]


def look_ahead_at(
    model: "Model",
    series: Series | Panel,
    *,
    horizon: int | None = None,
    span: Span | None = None,
    level: float = 0.9,
    intervals: Known | None = None,
    update: bool = False,
) -> Outlook:
    """Forecast one series, or each of many; see `runs.outlook.look_ahead`.

    Of many series none is forecast further ahead than the model was trained for.
    """
    if isinstance(series, Panel):
        assert not isinstance(intervals, Calibration)
        return _look_ahead_each(model, series, horizon, span or Span(), level, intervals, update)
    assert intervals is None or isinstance(intervals, Calibration)
    return look_ahead(model, series, horizon=horizon, span=span, level=level, intervals=intervals, update=update)


def _look_ahead_each(
    model: "Model",
    panel: Panel,
    horizon: int | None,
    span: Span,
    level: float,
    intervals: Mapping[str, Calibration] | None,
    update: bool,
) -> Outlook:
    check_fits(model.card, panel)
    check_level(level)
    own = model.card.horizon
    asked = own if horizon is None else check_count("horizon", horizon)
    if asked > own:
        raise RecipeError(
            f"{model.card.name} is of many series and was trained for {own} step{'s' if own > 1 else ''} ahead; "
            f"{asked} were asked for. Compare anew with --horizon {asked} and save that model."
        )
    members = list(model.fitted)
    each = model.fitted[0].view.each
    assert each is not None and model.calibration.of_series is not None
    each.of(panel.ids)  # an unknown series is refused before anything is forecast
    known = dict(intervals or model.calibration.each(each.ids, sorted({*LEVELS, level})))
    chosen, origins = [], []
    for series in panel.each():
        needed = steps_needed(members, series.name)
        chosen.append(span.origins(series, needed))
        origins.append(np.union1d(chosen[-1], untold(known[series.name], series, needed, own)).astype(np.int32))
    # Intervals begin with the errors of the median alone, so what networks say of quantiles is left out.
    rows = predict_each_at(members, panel, origins).drop(columns=list(BAND), errors="ignore")
    shown = np.concatenate([np.isin(of, wanted) for of, wanted in zip(origins, chosen, strict=True)]).repeat(own)
    tables, judged = [], []
    for name, of_series in rows.groupby("series", observed=True, sort=False):
        until = pd.Timestamp(max(of_lead.standing[-1].time for of_lead in known[str(name)].leads))
        if update:
            known[str(name)], moved = updated(known[str(name)], of_series, level)
        else:
            moved = apply(known[str(name)], of_series, level)
        tables.append(moved)
        judged.append(moved[moved["actual"].notna() & (moved["time"] > until)])
    all_rows = pd.concat(tables)
    said = all_rows[shown & (all_rows["lead"] <= asked).to_numpy()]
    scale = pd.Series(model.calibration.of_series.scale, index=list(each.ids))
    return Outlook(model, panel, level, said.reset_index(drop=True), known, pd.concat(judged), scale, update)
