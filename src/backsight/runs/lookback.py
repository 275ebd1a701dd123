"""How far back a forecaster should look: models at many lookbacks on one exam."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from backsight.errors import Interrupted, RecipeError
from backsight.evaluation.lookback import Choice, LookbackCurves, Point
from backsight.evaluation.panel_exam import Cut
from backsight.evaluation.panel_forecasts import of_entries
from backsight.models.registry import recipe_name, simplicity
from backsight.runs.compare import examine
from backsight.runs.comparison import Comparison
from backsight.runs.folder import RunFolder, run_in
from backsight.runs.pools import THREADS, Backend, BackendName
from backsight.runs.progress import Progress
from backsight.runs.study import Model, Study, by_shares, make_study
from backsight.series.panel import Panel
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.folds import Window, folds_of_split
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split

#: Steps to look back where none are named; see `usual_lookbacks`.
LOOKBACKS = (1, 2, 3, 7, 14, 30, 60, 90, 180, 360)
#: Models where none are named.
MODELS = ("rnn", "lstm", "gru")


@dataclass(frozen=True, eq=False)
class Lookbacks:
    """What looking further back is worth to each model.

    Attributes:
        comparison: of all entries on one exam; a curve is a way to look at it.
    """

    comparison: Comparison

    @cached_property
    def curves(self) -> LookbackCurves:
        """The curves: of single models, since an ensemble of seeds is another model at another cost."""
        entries = {f.entry.name: f.entry for f in self.comparison.fitted}
        forecasts = self.comparison.forecasts
        single = of_entries(forecasts, list(entries))
        readers = [entry for entry in entries.values() if entry.recipe.reads_window]
        return LookbackCurves(
            replace(self.comparison.judge, forecasts=single),
            {entry.name: Point(recipe_name(entry.recipe), entry.lookback) for entry in readers},
            {recipe_name(entry.recipe): simplicity(entry.recipe) for entry in readers},
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a model and lookback: see `LookbackCurves.table`; and what it costs.

        Added columns: parameters (None for trees), train_windows, seconds (mean of a fit, compilation included).
        """
        members = [self.comparison.members(name) for name in self.curves.table["entry"]]
        return self.curves.table.assign(
            parameters=pd.Series([of[0].forecaster.parameters for of in members], dtype="Int64"),
            train_windows=[of[0].train_windows for of in members],
            seconds=[fmean(f.seconds for f in of) for of in members],
        )

    @property
    def choices(self) -> Mapping[str, Choice]:
        """For each model the shortest lookback that is tied with its best one; a failed model has none."""
        return self.curves.choices

    @property
    def recommended(self) -> str | None:
        """The entry of the shortest lookback that is tied with the best of all models.

        None if all failed, or if there are too few validation windows to tell.
        """
        overall = self.curves.overall
        return overall.recommended if overall is not None and overall.enough else None


def lookback_curve(
    series: Series | Panel,
    target: str,
    *,
    features: Iterable[str] | None = None,
    models: Iterable[Model] | str = MODELS,
    lookback: Iterable[int] | None = None,
    horizon: int = 1,
    stride: int = 1,
    seeds: int = 5,
    plan: Plan | None = None,
    scale: ScaleName = "standard",
    split: Split | Cut | None = None,
    folds: int = 1,
    window: Window = "expanding",
    calendar: bool = False,
    baselines: bool = True,
    skip_short: bool = False,
    out: Path | str | None = None,
    workers: int | None = None,
    backend: BackendName = "threads",
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Lookbacks:
    """Error against lookback for each model, on one exam, and the shortest lookback that is tied with the best.

    The same fits as in `compare` with the same arguments; lookbacks are chosen on validation.

    Args:
        series: the data.
        target: the column to forecast.
        lookback: numbers of steps; without it, see `usual_lookbacks`.
        features, models, horizon, stride, seeds, plan, scale, split, folds, window, calendar, baselines,
            skip_short, out, workers, backend, cluster, progress: as in `compare`.

    Raises:
        WindowError: a lookback is too long for the series; the message names the longest possible.
        ColumnError, RecipeError, SettingError: as in `compare`.
        Interrupted: Ctrl-C came before a single point of a curve was finished.

    >>> import backsight
    >>> series = backsight.load("seattle")
    >>> found = lookback_curve(series, "temp_max", models="ridge", lookback=[1, 3, 7], baselines=False)
    >>> found.recommended, found.choices["ridge"].tied
    ('ridge_1', ('ridge_1', 'ridge_3', 'ridge_7'))
    """
    study = make_lookback_study(
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
        baselines=baselines,
        skip_short=skip_short,
    )
    with run_in(out, "lookback", study) as run:
        return examine_lookbacks(study, workers, progress, run, Backend(backend, cluster))


def make_lookback_study(
    series: Series | Panel,
    target: str,
    *,
    lookback: Iterable[int] | None = None,
    split: Split | Cut | None = None,
    folds: int = 1,
    window: Window = "expanding",
    **options: Any,
) -> Study:
    """What `lookback_curve` asks; arguments and errors are its own."""
    steps = _usual_of(series, split, folds, window) if lookback is None else lookback
    study = make_study(series, target, lookback=steps, split=split, folds=folds, window=window, **options)
    if not any(entry.recipe.reads_window for entry in study.entries):
        raise RecipeError("None of these models reads a window, so none has a lookback. Add one that does, as ridge.")
    return study


def examine_lookbacks(
    study: Study,
    workers: int | None = None,
    progress: Progress | None = None,
    run: RunFolder | None = None,
    backend: Backend = THREADS,
) -> Lookbacks:
    """The curves of a study; see `runs.compare.examine`.

    Raises:
        Interrupted: Ctrl-C came before a single point of a curve was finished.
    """
    return as_lookbacks(examine(study, workers, progress, run, backend))


def as_lookbacks(found: Comparison) -> Lookbacks:
    """The curves of a comparison.

    Raises:
        Interrupted: it has not a single point of a curve.
    """
    if not any(f.entry.recipe.reads_window for f in found.fitted):
        raise Interrupted
    return Lookbacks(found)


def _usual_of(series: Series | Panel, split: Split | Cut | None, folds: int, window: Window) -> list[int]:
    """The usual lookbacks for the first fold, or of many series for the one of middle length."""
    cut = split if callable(split) else lambda one: split or by_shares(one)
    if isinstance(series, Panel):
        middle = int(np.argsort(series.blocks.sizes, kind="stable")[len(series.ids) // 2])
        return usual_lookbacks(cut(series.nth(middle)))
    return usual_lookbacks(folds_of_split(cut(series), folds, window)[0])


def usual_lookbacks(split: Split) -> list[int]:
    """Those of 1, 2, 3, 7, 14, 30, 60, 90, 180 and 360 that are at most a tenth of the rows up to the end of training.

    >>> from backsight.windows.split import split_by_fractions
    >>> usual_lookbacks(split_by_fractions(1000))
    [1, 2, 3, 7, 14, 30, 60]
    """
    return [steps for steps in LOOKBACKS if steps == 1 or steps <= split.train.stop / 10]
