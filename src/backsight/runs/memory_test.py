"""Memory tests: which layer still finds a signal so many steps back."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import isfinite
from time import perf_counter
from typing import Any

import numpy as np

from backsight.errors import Interrupted, SettingError
from backsight.evaluation.exam import Exam
from backsight.evaluation.metrics import rmse
from backsight.runs.entry import make_entries
from backsight.runs.fit import Fitted
from backsight.runs.jobs import carry_out
from backsight.runs.progress import Progress, Silent
from backsight.runs.study import Model, Study, check_count, choose_recipes
from backsight.series.source import one_series
from backsight.series.tasks import Task, adding_task, copy_task
from backsight.training.plan import Plan
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split

#: Tasks in which a signal stands a known number of steps back: from windows, seed and lag.
LAGGED: Mapping[str, Callable[[int, int, int], Task]] = {
    "copy": lambda windows, seed, lag: copy_task(windows + lag, seed, lag),
    "adding": adding_task,
}

#: Networks that are tested if none is named.
TESTED = "rnn,lstm,gru,cnn,attention,transformer"

LAGS = (5, 10, 20, 50, 100, 200)

#: Windows of each task: training, validation and test together.
WINDOWS = 10_000

#: With fewer there is nothing to test on.
FEWEST = 100

#: Steps long enough for a signal to be found within the epochs, short enough for all of them to be safe.
PLAN = Plan(learning_rate=0.005, epochs=30, patience=10)

#: Skill from which a signal counts as found.
FOUND = 0.5


@dataclass(frozen=True, eq=False)
class Answer:
    """What the seeds of one model answered at one lag.

    Attributes:
        model: its name with settings.
        lag: steps back to the signal.
        fitted: one a seed that was finished.
        mse: mean squared error of each on the test windows, in the target's unit squared; infinite if it failed.
        skill: 1 - mse / the variance of the test targets: 1 for a signal that is found, 0 for chance.
    """

    model: str
    lag: int
    fitted: tuple[Fitted, ...]
    mse: tuple[float, ...]
    skill: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class MemoryTest:
    """What a memory test found.

    Attributes:
        task: copy or adding.
        answers: one a model and lag of which a fit was finished, lag by lag.
        seeds: fits of each model.
        windows: of each task.
        plan: how networks were trained.
        seconds: that all of it took.
        interrupted: whether Ctrl-C ended it early.
    """

    task: str
    answers: tuple[Answer, ...]
    seeds: int
    windows: int
    plan: Plan
    seconds: float
    interrupted: bool = False

    @cached_property
    def record(self) -> dict[str, Any]:
        """As plain values: `rows` holds model, lag, and lists over seeds; a failed forecast has None for errors."""
        return {
            "task": self.task,
            "seeds": self.seeds,
            "windows": self.windows,
            "plan": asdict(self.plan),
            "found_from": FOUND,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "rows": [_row(answer) for answer in self.answers],
        }


def _row(answer: Answer) -> dict[str, Any]:
    histories = [one.forecaster.history for one in answer.fitted]
    return {
        "model": answer.model,
        "lag": answer.lag,
        "parameters": answer.fitted[0].forecaster.parameters,
        "train_windows": answer.fitted[0].train_windows,
        "mse": [e if isfinite(e) else None for e in answer.mse],
        "skill": [s if isfinite(s) else None for s in answer.skill],
        "epochs": [history.epochs if history else 0 for history in histories],
        "seconds": [round(one.seconds, 3) for one in answer.fitted],
    }


def memory_test(
    task: str = "copy",
    lags: Iterable[int] = LAGS,
    models: Iterable[Model] | str = TESTED,
    *,
    seeds: int = 3,
    windows: int = WINDOWS,
    plan: Plan = PLAN,
    scale: ScaleName = "none",
    workers: int | None = None,
    progress: Progress | None = None,
) -> MemoryTest:
    """Let models look for a signal that stands a known number of steps back, farther and farther.

    Each lag is a task of its own, with a lookback of just that lag; every seed of every model gets the same data.

    Args:
        task: "copy": the answer is the window's first step, all later ones are noise; "adding": the answer is the
            sum of two marked steps of the window.
        lags: numbers of steps, 2 or more for adding.
        models: as in `compare`.
        seeds: fits of each model that is random.
        windows: of each task: 80 % to learn from, 10 % to choose by, 10 % to test on.
        plan: how networks are trained.
        scale: of the inputs and the target; as generated by default.
        workers, progress: as in `compare`.

    Raises:
        SettingError: an unknown task, or a number outside its range.
        RecipeError: no such model or setting.
        Interrupted: Ctrl-C came before anything was finished.

    >>> found = memory_test("copy", [2, 3], ["ridge"], seeds=1, windows=200)
    >>> [round(row["skill"][0], 2) for row in found.record["rows"]]
    [1.0, 1.0]
    """
    began = perf_counter()
    if task not in LAGGED:
        raise SettingError(f"There is no task {task!r}. The tasks are {', '.join(LAGGED)}.")
    if check_count("windows", windows) < FEWEST:
        raise SettingError(
            f"A memory test needs {FEWEST} windows or more, a tenth of them to test on; {windows} given."
        )
    studies = {
        check_count("lags", lag): study_of(LAGGED[task](windows, 0, lag), models, seeds=seeds, plan=plan, scale=scale)
        for lag in dict.fromkeys(lags)
    }
    asked = [(lag, study, job) for lag, study in studies.items() for job in study.jobs()]
    if not asked:
        raise SettingError("A memory test needs at least one lag.")
    outcome = carry_out([job for _, _, job in asked], workers, progress or Silent())
    answers = []
    for (lag, study, job), results in zip(asked, outcome.results, strict=True):
        if finished := tuple(fit for fit in results if fit is not None):
            answers.append(_answer(job.name.removesuffix(f"_{lag}"), lag, study, finished))
    if not answers:
        raise Interrupted
    return MemoryTest(task, tuple(answers), seeds, windows, plan, perf_counter() - began, outcome.interrupted)


def _answer(model: str, lag: int, study: Study, fitted: tuple[Fitted, ...]) -> Answer:
    """Examine the seeds of a model on the test windows: they were made for that, and nobody chooses by them."""
    sat = [one.sit(one_series(study.series), study.one_exam, "test") for one in fitted]
    mse = tuple(rmse(rows["actual"], rows["predicted"]) ** 2 for rows in sat)
    variance = float(np.var(sat[0]["actual"]))
    return Answer(model, lag, fitted, mse, tuple(1 - error / variance for error in mse))


def study_of(
    task: Task, models: Iterable[Model] | str, *, seeds: int = 3, plan: Plan | None = None, scale: ScaleName = "none"
) -> Study:
    """A study of models on a task, with the lookback that reaches its answer; windows never cross blocks.

    >>> study_of(adding_task(30, length=6), "gru").exam.stride
    6
    """
    exam = Exam(task.target, 1, Split(*task.parts()), task.block)
    entries = make_entries(choose_recipes(models, (), False), [task.lookback], task.features)
    return Study(task.series, exam, tuple(entries), seeds, plan or Plan(), scale)
