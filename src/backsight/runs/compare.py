"""One comparison: every entry and seed fitted, all of them examined on the same days."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

import pandas as pd

from backsight.errors import Interrupted, RecipeError
from backsight.evaluation.exam import Exam
from backsight.evaluation.leaderboard import leaderboard, seed_scores
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted, predict_every_origin
from backsight.runs.jobs import Outcome, carry_out
from backsight.runs.progress import Progress, Silent
from backsight.runs.study import NETWORKS, Model, Study, make_study
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes:
        study: what was asked.
        fitted: one an entry and seed that was finished, entry by entry.
        forecasts: of every one of them on validation and test; see `evaluation.forecasts`.
        seconds: that all of it took.
        interrupted: whether Ctrl-C ended it before every fit was done.
    """

    study: Study
    fitted: tuple[Fitted, ...]
    forecasts: pd.DataFrame
    seconds: float
    interrupted: bool = False

    @property
    def series(self) -> Series:
        """The data."""
        return self.study.series

    @property
    def exam(self) -> Exam:
        """Target, horizon and days."""
        return self.study.exam

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was compared."""
        return self.study.entries

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """Entries ranked by mean validation RMSE over seeds; see `evaluation.leaderboard`."""
        return leaderboard(self.forecasts)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row an entry and seed, with its errors."""
        return seed_scores(self.forecasts)

    @property
    def histories(self) -> pd.DataFrame:
        """Training curves of the networks; see `history_rows`."""
        return history_rows(self.fitted)

    def members(self, entry: str) -> list[Fitted]:
        """The fitted seeds of an entry.

        Raises:
            RecipeError: no entry of that name was finished.
        """
        members = [f for f in self.fitted if f.entry.name == entry]
        if not members:
            names = ", ".join(dict.fromkeys(f.entry.name for f in self.fitted))
            raise RecipeError(f"There is no entry {entry!r}. The entries are {names}.")
        return members

    def predict(self, series: Series | None = None, entry: str | None = None) -> pd.DataFrame:
        """The mean forecast of an entry's seeds at every origin of a series, the last one included.

        Args:
            series: with the same columns; the compared one without it.
            entry: its name; the first of the leaderboard without it.

        Returns:
            one row a forecast: origin, lead, time, actual (NaN after the end), predicted. The last
            `horizon` rows forecast what follows the series.

        Raises:
            RecipeError: no such entry.
            ColumnError: the series lacks a column.
        """
        name = entry or str(self.leaderboard["entry"].iloc[0])
        return predict_every_origin(self.members(name), series or self.series)


def compare(
    series: Series,
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
    split: Split | None = None,
    calendar: bool = False,
    dropout: Sequence[float] = (),
    baselines: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Put models at several lookbacks through one exam.

    Args:
        series: the data.
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
        split: the parts; 80, 10 and 10 % of the rows without it.
        calendar: whether to read sine and cosine of the day of the year too.
        dropout: rates; every model that has dropout is entered once with each.
        baselines: whether persistence, seasonal persistence, climatology, ridge and boosted trees sit the
            exam too, as they should.
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
        calendar=calendar,
        dropout=dropout,
        baselines=baselines,
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
    place = {entry.name: i for i, entry in enumerate(study.entries)}
    fits = (f for of_job in outcome.results for f in of_job if f is not None)
    finished = sorted(fits, key=lambda f: (place[f.entry.name], f.seed))
    if not finished:
        raise Interrupted
    forecasts = pd.concat(
        [f.sit(study.series, study.exam, part) for f in finished for part in ("validation", "test")],
        ignore_index=True,
    )
    return Comparison(study, tuple(finished), forecasts, seconds, interrupted=outcome.interrupted)


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
