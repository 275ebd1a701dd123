"""Memory profiles: entries fitted, and then asked how far back they look."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import Interrupted, RecipeError, SettingError
from backsight.evaluation.memory import SeedMemory, carrying_lags, occlude, other_windows, truncate
from backsight.models.recipe import OnSeedEpoch
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted, Keeper
from backsight.runs.jobs import Job, carry_out
from backsight.runs.progress import Progress, Silent
from backsight.runs.study import NETWORKS, Model, Study, make_study
from backsight.series.series import Series
from backsight.series.source import one_series
from backsight.training.plan import Plan
from backsight.vocabulary import Origins
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split
from backsight.windows.windows import Windows, input_names

#: Other windows that steps are taken from.
DRAWS = 8

#: Validation windows that are looked at; where there are more, so many of them, evenly spread.
MOST_WINDOWS = 1000


@dataclass(frozen=True, eq=False)
class EntryMemory:
    """How far back an entry looks.

    Attributes:
        entry: which.
        seeds: one a fit that was finished.
    """

    entry: Entry
    seeds: tuple[SeedMemory, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what it reads, in the order of the slopes' second axis."""
        return input_names(self.entry.features, self.entry.calendar)

    @property
    def truncation(self) -> NDArray[np.float64]:
        """Mean over seeds of the RMSE with only the last 0, 1, ... lookback steps; shape (lookback + 1,)."""
        return np.mean([one.truncation for one in self.seeds], axis=0)

    @property
    def occlusion(self) -> NDArray[np.float64]:
        """Mean over seeds of the rise of the RMSE without one step; shape (lookback,), by lag from 1."""
        return np.mean([one.occlusion for one in self.seeds], axis=0)

    @property
    def slopes(self) -> NDArray[np.float64] | None:
        """Mean over seeds of the slopes; shape (lookback, features), by lag from 1."""
        of_seeds = [one.slopes for one in self.seeds if one.slopes is not None]
        return np.mean(of_seeds, axis=0) if of_seeds else None

    @property
    def carrying(self) -> int | None:
        """The lags that carry 95 % of the skill, by the mean over seeds; None without skill."""
        return carrying_lags(self.truncation)


@dataclass(frozen=True, eq=False)
class MemoryProfile:
    """What a memory profile found.

    Attributes:
        study: what was asked.
        entries: in its order, those of which a fit was finished.
        origins: of the validation windows that were looked at, as row numbers; shape (windows,).
        draws: other windows that steps were taken from.
        seconds: that all of it took.
        interrupted: whether Ctrl-C ended it early.
    """

    study: Study
    entries: tuple[EntryMemory, ...]
    origins: Origins
    draws: int
    seconds: float
    interrupted: bool = False

    @cached_property
    def record(self) -> dict[str, Any]:
        """All of it as plain values; see `runs.memory_record`."""
        from backsight.runs.memory_record import memory_record

        return memory_record(self)

    def of(self, entry: str) -> EntryMemory:
        """The memory of one entry.

        Raises:
            RecipeError: no entry of that name was finished.
        """
        found = [one for one in self.entries if one.entry.name == entry]
        if not found:
            names = ", ".join(one.entry.name for one in self.entries)
            raise RecipeError(f"There is no entry {entry!r}. The entries are {names}.")
        return found[0]


def memory_profile(
    series: Series,
    target: str,
    *,
    features: Iterable[str] | None = None,
    models: Iterable[Model] | str = NETWORKS,
    lookback: Iterable[int] = (30,),
    horizon: int = 1,
    stride: int = 1,
    seeds: int = 3,
    plan: Plan | None = None,
    scale: ScaleName = "standard",
    split: Split | None = None,
    calendar: bool = False,
    dropout: Sequence[float] = (),
    draws: int = DRAWS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> MemoryProfile:
    """Fit models and see how far back they look, on validation windows; test days stay sealed.

    Args:
        draws: other windows that steps are taken from, 2 or more; see `evaluation.memory`.
        series, target, features, models, lookback, horizon, stride, seeds, plan, scale, split, calendar, dropout, \
workers, progress: as in `compare`.

    Raises:
        RecipeError: no such model or setting, or one that reads no window.
        ColumnError, SettingError, WindowError, Interrupted: as in `compare`.

    >>> import backsight
    >>> series = backsight.load("seattle")
    >>> found = memory_profile(series, "temp_max", models=["ridge"], lookback=[7])
    >>> found.of("ridge_7").truncation.shape, found.of("ridge_7").slopes.shape
    ((8,), (7, 4))
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
        baselines=False,
    )
    return profile_study(study, draws=draws, workers=workers, progress=progress)


def profile_study(
    study: Study,
    *,
    draws: int = DRAWS,
    workers: int | None = None,
    progress: Progress | None = None,
    keeper: Keeper | None = None,
) -> MemoryProfile:
    """Fit every entry and seed of a study, and see how far back it looks; of a backtest, as fitted for its last fold.

    What a keeper has is not fitted again.

    Raises:
        RecipeError: an entry reads no window.
        SettingError: fewer than two draws, or many series.
        WindowError: fewer than two validation windows.
        Interrupted: Ctrl-C came before anything was finished.
    """
    began = perf_counter()
    one_series(study.series)
    if blind := [entry.name for entry in study.entries if not entry.recipe.reads_window]:
        raise RecipeError(f"{blind[0]} reads no window, so there is no telling how far back in it it looks.")
    origins = spread_origins(study.exam.origins("validation"))
    others = other_windows(len(origins), draws)
    of_last_fold = study.jobs(keeper)[len(study.exams) - 1 :: len(study.exams)]
    jobs = [
        Job(job.name, job.recipe, job.seeds, partial(_fit_and_look, study, job.fit, origins, others))
        for job in of_last_fold
    ]
    outcome = carry_out(jobs, workers, progress or Silent())
    entries = []
    for entry, results in zip(study.entries, outcome.results, strict=True):
        if finished := tuple(one for one in results if one is not None):
            entries.append(EntryMemory(entry, finished))
    if not entries:
        raise Interrupted
    return MemoryProfile(study, tuple(entries), origins, draws, perf_counter() - began, outcome.interrupted)


def spread_origins(origins: Origins, most: int = MOST_WINDOWS) -> Origins:
    """All origins, or so many of them, evenly spread.

    >>> spread_origins(np.arange(10, dtype=np.int32), most=4)
    array([0, 3, 6, 9], dtype=int32)
    """
    if len(origins) <= most:
        return origins
    return origins[np.linspace(0, len(origins) - 1, most).round().astype(int)]


def look_back(fitted: Fitted, windows: Windows, others: NDArray[np.intp], spread: NDArray[np.float64]) -> SeedMemory:
    """How far back one fitted forecaster looks.

    Args:
        fitted: the forecaster.
        windows: that it is asked about; their targets are known.
        others: see `evaluation.memory.other_windows`.
        spread: shape (features,): standard deviations of the scaled inputs over the training rows.
    """
    forecaster = fitted.forecaster
    slopes = forecaster.mean_slopes(windows)
    return SeedMemory(
        fitted.seed,
        truncate(forecaster.predict, windows, others),
        occlude(forecaster.predict, windows, others),
        None if slopes is None else slopes[::-1] * spread,
        forecaster.look_inside(windows),
    )


def _fit_and_look(
    study: Study,
    fit: Callable[[Sequence[int], OnSeedEpoch], Sequence[Fitted]],
    origins: Origins,
    others: NDArray[np.intp],
    seeds: Sequence[int],
    on_epoch: OnSeedEpoch,
) -> list[SeedMemory]:
    fits = fit(seeds, on_epoch)
    windows = fits[0].view.show(study.series, origins)
    spread = windows.inputs[: study.one_exam.split.train.stop].std(axis=0, dtype=np.float64)
    return [look_back(fitted, windows, others, spread) for fitted in fits]


def worth_a_look(study: Study, ranked: Sequence[str]) -> list[str]:
    """The best network, and the best entry of each family that reads a window; in the order of the ranking.

    Args:
        study: whose entries they are.
        ranked: names from best to worst; those that are no entry of the study (ensembles) are passed over.

    >>> import backsight
    >>> study = make_study(backsight.load("seattle"), "temp_max", models="rnn,lstm,dense", lookback=[3, 7])
    >>> worth_a_look(study, ["lstm_3", "trees_7", "persistence", "trees_3", "rnn_7", "dense_3"])
    ['lstm_3', 'trees_7', 'dense_3']
    """
    entries = {entry.name: entry for entry in study.entries if entry.recipe.reads_window}
    best: dict[str, str] = {}
    for name in ranked:
        if name in entries:
            best.setdefault(entries[name].recipe.family, name)
    return list(best.values())


def ranking_of(folder: Path) -> list[str]:
    """Names of a run's entries, from best to worst on validation: of its leaderboard, or of its lookback curves.

    Raises:
        SettingError: the folder has neither.
    """
    board, curves = folder / "leaderboard.csv", folder / "lookback.csv"
    try:
        if board.exists() or not curves.exists():
            return [str(name) for name in pd.read_csv(board)["entry"]]
        return [str(name) for name in pd.read_csv(curves).sort_values("val_rmse", kind="stable")["entry"]]
    except (OSError, KeyError, ValueError) as error:
        raise SettingError(
            f"{board} can't be read, so there is no telling which entries are best. Name some with --entries."
        ) from error
