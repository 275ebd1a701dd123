"""The recurrence lesson: its rows under its own protocol, then its models on one fair exam."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from time import perf_counter

import pandas as pd

from backsight.evaluation.exam import Exam, Part
from backsight.evaluation.forecasts import NO_FORECASTS
from backsight.evaluation.leaderboard import seed_scores
from backsight.models.recipe import OnSeedEpoch, Recipe
from backsight.models.recurrent import Recurrent
from backsight.models.registry import RECIPES, recipe_name
from backsight.runs.compare import conclude
from backsight.runs.comparison import Comparison
from backsight.runs.entry import Entry, make_entries
from backsight.runs.fit import Fitted, fit_entry
from backsight.runs.histories import history_rows
from backsight.runs.jobs import Job, Outcome, carry_out
from backsight.runs.progress import Progress, Silent
from backsight.runs.study import Study
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.split import split_by_fractions


@dataclass(frozen=True)
class LessonRow:
    """One row of the lesson's table.

    Attributes:
        name: the lesson's.
        recipe: the model's settings.
        lookback: its window size.
        batch_size: windows a training step.
        rows: how many rows of the Basel file it uses; None for all of them.
        published_rmse: its published test RMSE, hours.
    """

    name: str
    recipe: Recipe
    lookback: int
    batch_size: int
    rows: int | None
    published_rmse: float


#: The lesson takes 3,286 samples for its first rows: nine years and a day, from the first day that has
#: all of its lags. The recurrent rows use the whole file.
_NINE_YEARS = 9 * 365 + 1

LESSON: tuple[LessonRow, ...] = (
    LessonRow("Baseline", RECIPES["persistence"], 1, 32, _NINE_YEARS + 1, 4.55),
    LessonRow("Dense_1", RECIPES["dense"], 1, 32, _NINE_YEARS + 1, 3.59),
    LessonRow("Dense_30", RECIPES["dense"], 30, 32, _NINE_YEARS + 30, 3.96),
    LessonRow("RNN_30", RECIPES["rnn_relu"], 30, 32, None, 3.49),
    LessonRow("RNN_stacked_30", RECIPES["rnn_stacked"], 30, 64, None, 3.42),
    LessonRow("LSTM_stacked_30", RECIPES["lstm_stacked"], 30, 32, None, 3.48),
    LessonRow("LSTM_stacked_90", RECIPES["lstm_stacked"], 90, 32, None, 3.43),
)


@dataclass(frozen=True, eq=False)
class RowResult:
    """What a row of the lesson came to.

    Attributes:
        row: of the lesson.
        exam: its own: each row of the lesson has other test days.
        fitted: one a finished seed.
        forecasts: of them on validation and test; see `evaluation.forecasts`.
    """

    row: LessonRow
    exam: Exam
    fitted: tuple[Fitted, ...]
    forecasts: pd.DataFrame

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One line a finished seed; see `evaluation.leaderboard.seed_scores`."""
        return seed_scores(self.forecasts)


@dataclass(frozen=True, eq=False)
class Lesson:
    """Both tables of the lesson.

    Attributes:
        series: the data.
        rows: as in the lesson.
        comparison: on the same exam.
        published: whether the published numbers are of this data.
        seconds: that all of it took.
    """

    series: Series
    rows: tuple[RowResult, ...]
    comparison: Comparison
    published: bool
    seconds: float

    @property
    def histories(self) -> pd.DataFrame:
        """Training curves of the lesson's rows; see `runs.histories`."""
        return history_rows(f for result in self.rows for f in result.fitted)

    @property
    def forecasts(self) -> pd.DataFrame:
        """Forecasts of the lesson's rows, each on its own days; see `evaluation.forecasts`."""
        return pd.concat([result.forecasts for result in self.rows], ignore_index=True)


def run_lesson(
    series: Series,
    target: str,
    local: Sequence[str],
    *,
    seeds: int = 5,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Lesson:
    """Reproduce the lesson, then put its models and the baselines through one exam.

    Args:
        series: the data; the published numbers are those of "basel".
        target: the column to forecast, a day ahead.
        local: globs of the columns that the lesson's models read.
        seeds: fits of each model that is random.
        workers: fits at a time; one a core without it.
        progress: told what happens.

    Raises:
        SettingError, ColumnError, WindowError: as in `compare`.
        Interrupted: Ctrl-C came before a single fit of the exam was finished.
    """
    began = perf_counter()
    columns = series.select(local).columns
    # The exam of the lesson's own 30-day rows, so that its days can be compared with the lesson's.
    exam = Exam(target, 1, split_by_fractions(len(series), first=30))
    study = Study(series, exam, tuple(lesson_entries(columns, series.columns)), seeds)
    of_rows = row_jobs(series, target, columns, seeds)
    outcome = carry_out(of_rows + study.jobs(), workers, progress or Silent())
    of_exam = Outcome(outcome.results[len(of_rows) :], outcome.interrupted)
    comparison = conclude(study, of_exam, perf_counter() - began)
    rows = tuple(
        _examine_row(series, target, row, [f for f in fits if f is not None])
        for row, fits in zip(LESSON, outcome.results, strict=False)  # those of the exam come after
    )
    return Lesson(series, rows, comparison, series.name == "basel", perf_counter() - began)


def row_jobs(series: Series, target: str, columns: tuple[str, ...], seeds: int) -> list[Job[Fitted]]:
    """One job a row of the lesson, with all of its seeds."""
    return [
        Job(
            row.name,
            row.recipe,
            range(seeds if row.recipe.random else 1),
            partial(_fit_row, series, target, columns, row),
        )
        for row in LESSON
    ]


def lesson_entries(local: tuple[str, ...], everywhere: tuple[str, ...]) -> list[Entry]:
    """The lesson's models, the baselines, and what good practice adds; each model named by what it is.

    Args:
        local: the columns that the lesson's models read.
        everywhere: all columns of the data; the strongest baselines read them too.
    """
    r = RECIPES
    gentle = Recurrent(layer="LSTM", dropout=0.3)
    entries = [
        *make_entries([r["persistence"], r["seasonal"], r["climatology"]], [1], local),
        *make_entries([r["ridge"], r["trees"]], [3, 7, 30], local),
        *make_entries([r["dense"]], [1, 30], local),
        *make_entries([r["rnn_relu"], r["rnn_stacked"], r["lstm_stacked"]], [30], local),
        *make_entries([r["lstm_stacked"]], [90], local),
    ]
    name = recipe_name(gentle)
    entries += [Entry(f"{name}_{n}+calendar", gentle, n, local, calendar=True) for n in (3, 30)]
    if set(everywhere) > set(local):
        count = len(everywhere)
        entries += [Entry(f"{recipe}_3 of all {count}", r[recipe], 3, everywhere) for recipe in ("ridge", "trees")]
        entries.append(Entry(f"{name}_3+calendar of all {count}", gentle, 3, everywhere, calendar=True))
    return entries


def lesson_exam(series: Series, target: str, row: LessonRow) -> tuple[Series, Exam]:
    """The rows and the exam of one row of the lesson: all windows of its lookback, cut 80/10/10."""
    taken = series.head(min(row.rows or len(series), len(series)))
    return taken, Exam(target, 1, split_by_fractions(len(taken), first=row.lookback))


def _fit_row(
    series: Series,
    target: str,
    columns: tuple[str, ...],
    row: LessonRow,
    seeds: Sequence[int],
    on_epoch: OnSeedEpoch,
) -> list[Fitted]:
    taken, exam = lesson_exam(series, target, row)
    entry = Entry(row.name, row.recipe, row.lookback, columns)
    plan = Plan(batch_size=row.batch_size, keep="last")
    return fit_entry(taken, exam, entry, plan, "none", seeds, on_epoch)


def _examine_row(series: Series, target: str, row: LessonRow, fitted: Sequence[Fitted]) -> RowResult:
    taken, exam = lesson_exam(series, target, row)
    parts: tuple[Part, ...] = ("validation", "test")
    tables = [f.sit(taken, exam, part) for f in fitted for part in parts]
    return RowResult(row, exam, tuple(fitted), pd.concat(tables, ignore_index=True) if tables else NO_FORECASTS)
