"""Who sits which exam, and the forecasts that they make there."""

from collections.abc import Iterable, Sequence

import pandas as pd

from backsight.evaluation.ensemble import with_ensembles
from backsight.evaluation.exam import Exam, Part
from backsight.evaluation.forecasts import FOLD
from backsight.runs.fit import Fitted
from backsight.runs.study import Study


def whole_folds(study: Study, results: Sequence[Iterable[Fitted | None]]) -> list[list[Fitted]]:
    """The fits that sit each exam of a study, entry by entry: those that were finished for all of them.

    Args:
        study: what was asked.
        results: of its jobs.
    """
    folds = [_finished(study, results[k :: len(study.exams)]) for k in range(len(study.exams))]
    # A seed that Ctrl-C kept from one fold sits the exam in none: all entries have the same keys.
    whole = set.intersection(*({(f.entry.name, f.seed) for f in fitted} for fitted in folds))
    return [[f for f in fitted if (f.entry.name, f.seed) in whole] for fitted in folds]


def sit_all(study: Study, folds: Iterable[Iterable[Fitted]]) -> pd.DataFrame:
    """Forecasts rows of all exams, on validation and test, and of the ensemble of each entry's seeds."""
    tables = [_sit(study, exam, fitted) for exam, fitted in zip(study.exams, folds, strict=True)]
    if study.earlier:
        tables = [table.assign(**{FOLD: fold}) for fold, table in enumerate(tables, start=1)]
    return with_ensembles(pd.concat(tables, ignore_index=True))


def _finished(study: Study, results: Iterable[Iterable[Fitted | None]]) -> list[Fitted]:
    """The fits of one fold that were finished, entry by entry."""
    place = {entry.name: i for i, entry in enumerate(study.entries)}
    fits = (f for of_job in results for f in of_job if f is not None)
    return sorted(fits, key=lambda f: (place[f.entry.name], f.seed))


def _sit(study: Study, exam: Exam, fitted: Iterable[Fitted]) -> pd.DataFrame:
    """Forecasts rows of both parts of an exam."""
    parts: tuple[Part, ...] = ("validation", "test")
    return pd.concat([f.sit(study.series, exam, part) for f in fitted for part in parts], ignore_index=True)
