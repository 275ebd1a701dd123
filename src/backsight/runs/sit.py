"""Fitted forecasters sit the exam: what they forecast of validation and test days."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from backsight.errors import Interrupted
from backsight.evaluation.ensemble import with_ensembles
from backsight.evaluation.exam import Exam, Part
from backsight.evaluation.forecasts import FOLD
from backsight.evaluation.panel_exam import PanelExam
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts, make_sheet
from backsight.runs.fit import Fitted
from backsight.runs.study import Study
from backsight.series.panel import Panel
from backsight.series.series import Series
from backsight.series.source import one_series

BOTH: tuple[Part, ...] = ("validation", "test")


def finished_folds(study: Study, results: Sequence[Sequence[Fitted | None]]) -> list[list[Fitted]]:
    """The fits of each fold, entry by entry, that were finished in all of them.

    Args:
        study: what was asked.
        results: of its jobs.

    Raises:
        Interrupted: there are none.
    """
    folds = [_finished(study, results[k :: len(study.exams)]) for k in range(len(study.exams))]
    # A seed that Ctrl-C kept from one fold sits the exam in none: all entries have the same keys.
    whole = set.intersection(*({(f.entry.name, f.seed) for f in fitted} for fitted in folds))
    if not whole:
        raise Interrupted
    return [[f for f in fitted if (f.entry.name, f.seed) in whole] for fitted in folds]


def _finished(study: Study, results: Iterable[Iterable[Fitted | None]]) -> list[Fitted]:
    """The fits of one fold that were finished, entry by entry."""
    place = {entry.name: i for i, entry in enumerate(study.entries)}
    fits = (f for of_job in results for f in of_job if f is not None)
    return sorted(fits, key=lambda f: (place[f.entry.name], f.seed))


def sit_all(study: Study, folds: list[list[Fitted]]) -> Forecasts:
    """What the fits of each fold forecast, and their ensembles."""
    if isinstance(study.series, Panel) and isinstance(study.exam, PanelExam):
        return _sit_many(study.series, study.exam, folds[0]).with_ensembles()
    exams = [*study.earlier, study.one_exam]
    tables = [_sit(one_series(study.series), exam, of) for exam, of in zip(exams, folds, strict=True)]
    if study.earlier:
        tables = [table.assign(**{FOLD: fold}) for fold, table in enumerate(tables, start=1)]
    return with_ensembles(pd.concat(tables, ignore_index=True))


def _sit(series: Series, exam: Exam, fitted: Iterable[Fitted]) -> pd.DataFrame:
    """Forecasts rows of both parts of an exam."""
    return pd.concat([f.sit(series, exam, part) for f in fitted for part in BOTH], ignore_index=True)


def _sit_many(panel: Panel, exam: PanelExam, fitted: Iterable[Fitted]) -> PanelForecasts:
    """Forecasts of both parts of an exam of many series."""
    sheets = {part: make_sheet(panel, exam, part) for part in BOTH}
    origins = np.concatenate([exam.origins(part) for part in BOTH])
    first = len(exam.origins(BOTH[0]))
    predicted = {(f.entry.name, f.seed): f.predict(panel, origins) for f in fitted}
    answers = {member: dict(zip(BOTH, (p[:first], p[first:]), strict=True)) for member, p in predicted.items()}
    return PanelForecasts(panel.ids, sheets, answers)
