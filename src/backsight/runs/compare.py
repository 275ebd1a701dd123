"""One comparison: every entry and seed fitted, all of them examined on the same days."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from backsight.evaluation.panel_exam import Cut
from backsight.runs.comparison import Comparison
from backsight.runs.elsewhere import carry_out_elsewhere
from backsight.runs.fit import Fitted
from backsight.runs.folder import RunFolder, run_in
from backsight.runs.jobs import Outcome, carry_out
from backsight.runs.openings import note_opening
from backsight.runs.piece import Piece
from backsight.runs.pools import THREADS, Backend, BackendName
from backsight.runs.progress import Progress, Silent
from backsight.runs.sit import finished_folds, sit_all
from backsight.runs.study import NETWORKS, Model, Strategy, Study, make_study
from backsight.series.panel import Panel
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.folds import Window
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split

NOTHING_LOST: Mapping[Piece, str] = {}


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
    strategy: Sequence[Strategy] = ("direct",),
    baselines: bool = True,
    skip_short: bool = False,
    out: Path | str | None = None,
    workers: int | None = None,
    backend: BackendName = "threads",
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Put models at several lookbacks through one exam.

    Args:
        series: the data. Of many series, each model that reads a window is one over all of them.
        target: the column to forecast.
        features: globs of the columns to read, the target too if its own past is to be read; all of them without it.
        models: names (with settings: "lstm(units=7)"), recipes (of a class of yours too), or functions that take an
            input shape and return a `keras.Model`.
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
        strategy: how several steps are forecast; every model that reads a window is entered once with each. "direct":
            one output a step. "recursive": one output, fed back as the newest value; it reads the target alone.
        baselines: whether persistence, seasonal persistence, climatology, ridge and boosted trees sit the
            exam too, as they should.
        skip_short: of many series, whether to leave those out that are too short for what is asked, or whose target is
            constant, instead of an error.
        out: a run folder that keeps every fit; with the same arguments a comparison that was ended goes on there.
        workers: fits at a time; one a core without it.
        backend: where fits are carried out: "threads" of this process, "processes" of this machine, or the workers of
            "dask" or "ray". The numbers are the same.
        cluster: the address of a Dask or Ray cluster that is running; without it one is started on this machine.
        progress: told what happens.

    Raises:
        ColumnError: no such target, or a glob that fits nothing.
        RecipeError: no such model or setting, or one that can't read these columns.
        SettingError: a number outside its range, or a folder that holds another run.
        WindowError: the series is too short.
        Interrupted: Ctrl-C came before a single fit was finished.

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
        strategy=strategy,
        baselines=baselines,
        skip_short=skip_short,
    )
    with run_in(out, "compare", study) as run:
        return examine(study, workers, progress, run, Backend(backend, cluster))


def examine(
    study: Study,
    workers: int | None = None,
    progress: Progress | None = None,
    run: RunFolder | None = None,
    backend: Backend = THREADS,
) -> Comparison:
    """Fit every entry and seed, then open the test days once, for all that were finished.

    Args:
        study: what is asked.
        workers: fits at a time; one a core without it.
        progress: told what happens.
        run: keeps every fit, and has those of earlier.
        backend: where fits are carried out.

    Raises:
        Interrupted: Ctrl-C came before a single fit was finished.
        BacksightError: whatever a fit raised.
    """
    began = perf_counter()
    progress = progress or Silent()
    lost = NOTHING_LOST
    if backend == THREADS:
        outcome = carry_out(study.jobs(run), workers, progress)
    else:
        outcome, lost = carry_out_elsewhere(study, backend, workers, progress, run)
    return conclude(study, outcome, perf_counter() - began, run, lost)


def conclude(
    study: Study,
    outcome: Outcome[Fitted],
    seconds: float,
    run: RunFolder | None = None,
    lost: Mapping[Piece, str] = NOTHING_LOST,
) -> Comparison:
    """Open the test days, once, and gather the forecasts of all that was finished.

    Raises:
        Interrupted: nothing was.
    """
    folds = finished_folds(study, outcome.results)
    openings = note_opening(study) if run is None else run.open_test_days()
    forecasts = sit_all(study, folds)
    return Comparison(study, tuple(folds[-1]), forecasts, seconds, outcome.interrupted, openings, lost)
