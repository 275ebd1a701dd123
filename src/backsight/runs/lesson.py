"""The recurrence lesson: its rows under its own protocol, then its models on one fair exam."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from backsight.evaluation.exam import Exam
from backsight.evaluation.metrics import rmse
from backsight.models.recipe import Recipe
from backsight.models.recurrent import Recurrent
from backsight.models.registry import RECIPES, recipe_name
from backsight.runs.compare import Comparison, conclude, check_count, entry_jobs
from backsight.runs.entry import Entry, make_entries
from backsight.runs.fit import Fitted, fit_entry
from backsight.runs.jobs import Job, carry_out
from backsight.runs.progress import Progress, Silent
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
        val_rmse, test_rmse: one a finished seed, in the target's unit.
    """

    row: LessonRow
    exam: Exam
    fitted: tuple[Fitted, ...]
    val_rmse: tuple[float, ...]
    test_rmse: tuple[float, ...]


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
    check_count("seeds", seeds)
    columns = series.select(local).columns
    row_jobs = [
        Job(row.name, seed, partial(_fit_row, series, target, columns, row, seed))
        for seed in range(seeds)
        for row in LESSON
        if seed == 0 or row.recipe.random
    ]
    # The exam of the lesson's own 30-day rows, so that its days can be compared with the lesson's.
    exam = Exam(target, 1, split_by_fractions(len(series), first=30))
    entries = lesson_entries(columns, series.columns)
    plan = Plan()
    exam_jobs = entry_jobs(series, exam, entries, seeds, plan, "standard")
    # Stable: all of a seed before the next one, the lesson's rows before the exam.
    jobs = sorted(row_jobs + exam_jobs, key=lambda job: job.seed)
    by_job = dict(zip(map(id, jobs), carry_out(jobs, workers, progress or Silent()), strict=True))
    comparison = conclude(
        series, exam, entries, plan, "standard", [by_job[id(j)] for j in exam_jobs], perf_counter() - began
    )
    rows = []
    for row in LESSON:
        done = [by_job[id(job)] for job in row_jobs if job.name == row.name]
        rows.append(_score_row(series, target, row, [f for f in done if f is not None]))
    return Lesson(series, tuple(rows), comparison, series.name == "basel", perf_counter() - began)


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
        entries += [
            Entry(f"{recipe}_3 of all {count}", r[recipe], 3, everywhere) for recipe in ("ridge", "trees")
        ]
        entries.append(Entry(f"{name}_3+calendar of all {count}", gentle, 3, everywhere, calendar=True))
    return entries


def lesson_exam(series: Series, target: str, row: LessonRow) -> tuple[Series, Exam]:
    """The rows and the exam of one row of the lesson: all windows of its lookback, cut 80/10/10."""
    taken = series.head(min(row.rows or len(series), len(series)))
    return taken, Exam(target, 1, split_by_fractions(len(taken), first=row.lookback))


def _fit_row(
    series: Series, target: str, columns: tuple[str, ...], row: LessonRow, seed: int, on_epoch: object
) -> Fitted:
    taken, exam = lesson_exam(series, target, row)
    entry = Entry(row.name, row.recipe, row.lookback, columns)
    plan = Plan(batch_size=row.batch_size, keep="last")
    return fit_entry(taken, exam, entry, plan, "none", seed, on_epoch)  # type: ignore[arg-type]


def _score_row(series: Series, target: str, row: LessonRow, fitted: Sequence[Fitted]) -> RowResult:
    taken, exam = lesson_exam(series, target, row)
    errors: dict[str, list[float]] = {"validation": [], "test": []}
    for part, found in errors.items():
        for f in fitted:
            rows = f.sit(taken, exam, part)  # type: ignore[arg-type]
            found.append(rmse(rows["actual"], np.asarray(rows["predicted"])))
    return RowResult(row, exam, tuple(fitted), tuple(errors["validation"]), tuple(errors["test"]))
