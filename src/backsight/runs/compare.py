"""One comparison: every entry and seed fitted, all of them examined on the same days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

import numpy as np
import pandas as pd

from backsight.errors import Interrupted, RecipeError
from backsight.evaluation.ensemble import base_entry, with_ensembles
from backsight.evaluation.exam import Exam, Part
from backsight.evaluation.forecasts import FOLD
from backsight.evaluation.judge import Judge
from backsight.evaluation.panel_exam import Cut, PanelExam
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts, entry_names, make_sheet
from backsight.evaluation.significance import Paired, holm
from backsight.models.network import Network
from backsight.models.registry import simplicity
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted, predict_every_origin
from backsight.runs.jobs import Outcome, carry_out
from backsight.runs.openings import Openings, note_opening
from backsight.runs.progress import Progress, Silent
from backsight.runs.study import NETWORKS, Model, Study, make_study
from backsight.series.panel import Panel
from backsight.series.series import Series
from backsight.series.source import one_series
from backsight.training.plan import Plan
from backsight.windows.folds import Window
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split

BOTH: tuple[Part, ...] = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes:
        study: what was asked.
        fitted: one an entry and seed that was finished, entry by entry; in a backtest, those of the latest fold.
        forecasts: of every one of them, and of the ensemble of each entry's seeds, on validation and test; see
            `evaluation.forecasts`, and of many series `evaluation.panel_forecasts`.
        seconds: that all of it took.
        interrupted: whether Ctrl-C ended it before every fit was done.
        openings: how often these test days have been opened; None where that is not noted.
    """

    study: Study
    fitted: tuple[Fitted, ...]
    forecasts: Forecasts
    seconds: float
    interrupted: bool = False
    openings: Openings | None = None

    @property
    def series(self) -> Series | Panel:
        """The data."""
        return self.study.series

    @property
    def exam(self) -> Exam | PanelExam:
        """Target, horizon and days; of a backtest, the latest fold's."""
        return self.study.exam

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was compared."""
        return self.study.entries

    @cached_property
    def judge(self) -> Judge:
        """Leaderboard, tie groups, verdicts and paired tests."""
        names = entry_names(self.forecasts)
        entry = {name: self.entry(name) for name in names}
        return Judge(
            self.forecasts,
            self.exam.overlap,
            floors=[name for name in names if not entry[name].recipe.reads_window],
            simple=[name for name in names if not isinstance(entry[name].recipe, Network)],
        )

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Tie groups, and entries in each by mean validation RMSE over seeds; see `evaluation.judge`."""
        return self.judge.leaderboard

    @property
    def recommended(self) -> str:
        """The simplest of the entries that are as good as the best one on validation; see `Judge.as_good_as_best`.

        Simple is what comes first in the registry; among those of one model the shortest lookback, then the fewest
        features, then one model rather than an ensemble. If all have failed, the first.
        """
        return min(self.judge.as_good_as_best or self.leaderboard["entry"].tolist(), key=self._complexity)

    @cached_property
    def findings(self) -> Mapping[str, Paired]:
        """The paired tests on the test days that answer what everybody asks, adjusted together by Holm's method.

        By question: "recommended" (the recommended entry less the best one), "network" (the best network less the
        best simple model) and "best" (the best entry less the best simple model); what was chosen was chosen on
        validation.
        """
        board = self.leaderboard
        finite = set(self.judge.losses("test").columns)
        alive = [name for name in board.sort_values("val_rmse")["entry"] if name in finite]
        networks = [name for name in alive if isinstance(self.entry(name).recipe, Network)]
        simple = next((name for name in alive if name not in networks), None)
        asked = {
            "recommended": (self.recommended, next(iter(alive), None)),
            "network": (next(iter(networks), None), simple),
            "best": (next(iter(alive), None), simple),
        }
        pairs: dict[str, tuple[str, str]] = {}
        for question, (one, other) in asked.items():
            if one not in finite or other not in finite or base_entry(str(one)) == base_entry(str(other)):
                continue
            if {one, other} not in map(set, pairs.values()):
                pairs[question] = (str(one), str(other))
        return dict(zip(pairs, holm(self.judge.paired(*pair) for pair in pairs.values()), strict=True))

    def paired(self, first: str, second: str, part: Part = "test") -> Paired:
        """The difference between two entries, by paired tests; see `evaluation.significance`.

        Raises:
            ExamError: there is no such entry, or it failed.
        """
        return self.judge.paired(first, second, part)

    def entry(self, name: str) -> Entry:
        """The entry of that name; of an ensemble, the one whose seeds it averages.

        Raises:
            RecipeError: there is none.
        """
        return self.members(name)[0].entry

    @property
    def histories(self) -> pd.DataFrame:
        """Training curves of the networks; see `history_rows`."""
        return history_rows(self.fitted)

    def members(self, entry: str) -> list[Fitted]:
        """The fitted seeds of an entry, or of an ensemble.

        Raises:
            RecipeError: no entry of that name was finished.
        """
        members = [f for f in self.fitted if f.entry.name == base_entry(entry)]
        if not members:
            names = ", ".join(dict.fromkeys(f.entry.name for f in self.fitted))
            raise RecipeError(f"There is no entry {entry!r}. The entries are {names}.")
        return members

    def _complexity(self, name: str) -> tuple[int, int, int, bool]:
        entry = self.entry(name)
        return (simplicity(entry.recipe), entry.lookback, len(entry.features), name != entry.name)

    def predict(self, series: Series | Panel | None = None, entry: str | None = None) -> pd.DataFrame:
        """The mean forecast of an entry's seeds at every origin of a series, the last one included.

        Args:
            series: with the same columns; the compared one without it.
            entry: its name; the first of the leaderboard without it.

        Returns:
            one row a forecast: origin, lead, time, actual (NaN after the end), predicted. The last
            `horizon` rows forecast what follows the series. Of many series the first column, series, says of which.

        Raises:
            RecipeError: no such entry.
            ColumnError: the series lacks a column.
        """
        name = entry or str(self.leaderboard["entry"].iloc[0])
        return predict_every_origin(self.members(name), series or self.series)


def compare(
    series: Series | Panel,
    target: str,
    *,
    features: Iterable[str] | None = None,
    models: Iterable[Model] | str = NETWORKS,
    lookback: Iterable[int] = (1, 3, 7, 30),
    horizon: int = 1,
    stride: int = 1,
    seeds: int = 5,
    plan: Plan | None = None,
    scale: ScaleName = "standard",
    split: Split | Cut | None = None,
    folds: int = 1,
    window: Window = "expanding",
    calendar: bool = False,
    dropout: Sequence[float] = (),
    baselines: bool = True,
    skip_short: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Put models at several lookbacks through one exam.

    Args:
        series: the data. Of many series, each model that reads a window is one over all of them.
        target: the column to forecast.
        features: globs of the columns to read; all of them without it.
        models: names (with settings: "lstm(units=7)"), recipes, or functions that take an input shape and
            return a `keras.Model`.
        lookback: numbers of steps.
        horizon: steps to forecast at once.
        stride: steps from one origin to the next.
        seeds: fits of each model that is random, with seeds 0, 1, ...
        plan: how networks are trained.
        scale: "standard" scales inputs, and the target for networks, by training rows; "none" does not.
        split: the parts, or a function that cuts a series into them, as it has to be for many; 80, 10 and 10 % of
            the rows without it.
        folds: exams, for a backtest. The last is the one of `split`; each of the others is the same exam one test
            part earlier. Every model is fitted anew for each, and scores are over the test rows of all.
        window: whether training begins with the first row in every fold ("expanding"), or slides along and always
            has as many rows as in the first fold ("sliding").
        calendar: whether to read sine and cosine of the day of the year too.
        dropout: rates; every model that has dropout is entered once with each.
        baselines: whether persistence, seasonal persistence, climatology, ridge and boosted trees sit the
            exam too, as they should.
        skip_short: of many series, whether to leave those out that are too short for what is asked, or whose target is
            constant, instead of an error.
        workers: fits at a time; one a core without it.
        progress: told what happens.

    Raises:
        ColumnError: no such target, or a glob that fits nothing.
        RecipeError: no such model or setting.
        SettingError: a number outside its range.
        WindowError: the series is too short.

    >>> import backsight
    >>> series = backsight.load("seattle")
    >>> found = compare(series, "temp_max", models=["ridge"], lookback=[3], seeds=1)
    >>> list(found.leaderboard["entry"])[:2]
    ['ridge_3', 'trees_3']
    """
    study = make_study(
        series,
        target,
        features=features,
        models=models,
        lookback=lookback,
        horizon=horizon,
        stride=stride,
        seeds=seeds,
        plan=plan,
        scale=scale,
        split=split,
        folds=folds,
        window=window,
        calendar=calendar,
        dropout=dropout,
        baselines=baselines,
        skip_short=skip_short,
    )
    return examine(study, workers, progress)


def examine(study: Study, workers: int | None = None, progress: Progress | None = None) -> Comparison:
    """Fit every entry and seed, then open the test days once, for all that were finished.

    Raises:
        Interrupted: Ctrl-C came before a single fit was finished.
        BacksightError: whatever a fit raised.
    """
    began = perf_counter()
    outcome = carry_out(study.jobs(), workers, progress or Silent())
    return conclude(study, outcome, perf_counter() - began)


def conclude(study: Study, outcome: Outcome[Fitted], seconds: float) -> Comparison:
    """Open the test days, once, and gather the forecasts of all that was finished.

    Raises:
        Interrupted: nothing was.
    """
    folds = [_finished(study, outcome.results[k :: len(study.exams)]) for k in range(len(study.exams))]
    # A seed that Ctrl-C kept from one fold sits the exam in none: all entries have the same keys.
    whole = set.intersection(*({(f.entry.name, f.seed) for f in fitted} for fitted in folds))
    folds = [[f for f in fitted if (f.entry.name, f.seed) in whole] for fitted in folds]
    if not whole:
        raise Interrupted
    openings = note_opening(study)
    forecasts = _sit_all(study, folds)
    return Comparison(study, tuple(folds[-1]), forecasts, seconds, outcome.interrupted, openings)


def _sit_all(study: Study, folds: list[list[Fitted]]) -> Forecasts:
    """What the fits of each fold forecast, and their ensembles."""
    if isinstance(study.series, Panel) and isinstance(study.exam, PanelExam):
        return _sit_many(study.series, study.exam, folds[0]).with_ensembles()
    exams = [*study.earlier, study.one_exam]
    tables = [_sit(one_series(study.series), exam, of) for exam, of in zip(exams, folds, strict=True)]
    if study.earlier:
        tables = [table.assign(**{FOLD: fold}) for fold, table in enumerate(tables, start=1)]
    return with_ensembles(pd.concat(tables, ignore_index=True))


def _finished(study: Study, results: Iterable[Iterable[Fitted | None]]) -> list[Fitted]:
    """The fits of one fold that were finished, entry by entry."""
    place = {entry.name: i for i, entry in enumerate(study.entries)}
    fits = (f for of_job in results for f in of_job if f is not None)
    return sorted(fits, key=lambda f: (place[f.entry.name], f.seed))


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


def history_rows(fitted: Iterable[Fitted]) -> pd.DataFrame:
    """Training curves: one row an epoch with entry, seed, epoch, train_rmse, val_rmse, kept."""
    tables = []
    for f in fitted:
        if (history := f.forecaster.history) is None:
            continue
        epochs = range(1, history.epochs + 1)
        tables.append(
            pd.DataFrame(
                {
                    "entry": f.entry.name,
                    "seed": f.seed,
                    "epoch": epochs,
                    "train_rmse": history.train_rmse,
                    "val_rmse": history.val_rmse,
                    "kept": [epoch == history.kept_epoch for epoch in epochs],
                }
            )
        )
    empty = pd.DataFrame(columns=["entry", "seed", "epoch", "train_rmse", "val_rmse", "kept"])
    return pd.concat(tables, ignore_index=True) if tables else empty
