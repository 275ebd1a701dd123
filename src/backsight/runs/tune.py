"""Tuning: a search on folds, and the exam that its winners sit beside the untuned models."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from pathlib import Path
from statistics import fmean
from time import perf_counter

import pandas as pd

from backsight.errors import Interrupted, SettingError
from backsight.evaluation.significance import Paired, holm
from backsight.runs.compare import examine
from backsight.runs.comparison import Comparison
from backsight.runs.durable import make_folder
from backsight.runs.entry import Entry
from backsight.runs.folder import UNFINISHED, run_in
from backsight.runs.locks import work_in
from backsight.runs.progress import Progress
from backsight.runs.proposals import quiet
from backsight.runs.renewed import renew_exam
from backsight.runs.search import Found, Search, asked_record, carry_out_search, identify, make_search
from backsight.runs.search_file import begin
from backsight.runs.search_log import Save, open_journal
from backsight.runs.search_space import make_candidates
from backsight.runs.study import NETWORKS, Model, Study, make_study
from backsight.runs.trial import Trial
from backsight.runs.trial_fits import TrialFits
from backsight.series.series import Series
from backsight.series.source import Source
from backsight.training.plan import Plan
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split


@dataclass(frozen=True, eq=False)
class Tuning:
    """What a search has found, and how its winners did in the exam.

    Attributes:
        search: what was asked.
        found: the trials.
        comparison: the exam of the untuned models, the tuned ones and the baselines; None if Ctrl-C ended the search.
        seconds: of the search, without the exam.
    """

    search: Search
    found: Found
    comparison: Comparison | None
    seconds: float

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the search or the exam."""
        return self.found.interrupted or (self.comparison is not None and self.comparison.interrupted)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial; see `trial_rows`."""
        return trial_rows(self.search, self.found.trials)

    @cached_property
    def best(self) -> Mapping[str, Trial]:
        """The trial with the lowest score of each model; of two that are equal the earlier one."""
        return best_trials(self.found.trials)

    @property
    def untuned(self) -> Mapping[str, Trial]:
        """The best untuned trial of each model: its best lookback."""
        return best_trials(t for t in self.found.trials if self.search.is_untuned(t))

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """Of each model the entry that the search chose, as the exam calls it; best first."""
        return {t.model: self.entry(t) for t in sorted(self.best.values(), key=_score)}

    @cached_property
    def gains(self) -> Mapping[str, Paired]:
        """Of each model that was tuned to something else: the tuned entry less the best untuned one, on the test days.

        The tests are adjusted together by Holm's method; see `evaluation.significance`.
        """
        if self.comparison is None:
            return {}
        finite = set(self.comparison.judge.losses("test").columns)
        pairs = {}
        for model, entry in self.entries.items():
            untuned = self.entry(self.untuned[model]).name if model in self.untuned else None
            if untuned != entry.name and {untuned, entry.name} <= finite:
                pairs[model] = (entry.name, str(untuned))
        return dict(zip(pairs, holm(self.comparison.paired(*pair) for pair in pairs.values()), strict=True))

    def entry(self, trial: Trial) -> Entry:
        """What a trial is called in the exam. An untuned one sits it anyway, under its usual name."""
        chosen, seen = trial.configuration, self.search.conditions
        name = f"{trial.model}_{chosen.lookback}" if chosen.recipe.reads_window else trial.model
        if self.search.is_untuned(trial):
            return next(entry for entry in self.search.study.entries if entry.name == name)
        plan = chosen.plan if chosen.plan != self.search.study.plan else None
        return Entry(f"{name} tuned", chosen.recipe, chosen.lookback, seen.features, seen.calendar, plan)


def tune(
    series: Series,
    target: str,
    *,
    features: Iterable[str] | None = None,
    models: Iterable[Model] | str = NETWORKS,
    lookback: Iterable[int] = (1, 3, 7, 30),
    horizon: int = 1,
    stride: int = 1,
    trials: int = 50,
    minutes: float | None = None,
    folds: int = 2,
    seeds: int = 3,
    seed: int = 0,
    plan: Plan | None = None,
    scale: ScaleName = "standard",
    split: Split | None = None,
    calendar: bool = False,
    baselines: bool = True,
    out: Path | str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Search for settings on days before the test part, then let the winners sit the exam beside the untuned models.

    A trial's score is its mean RMSE over folds and seeds. The folds lie inside the training and validation rows, and
    each is scored on days that training neither learnt from nor was stopped by. The test days are opened once, at the
    end. The first trials of every model are the untuned model, once at every lookback.

    Args:
        series, target, features, horizon, stride, scale, split, calendar, baselines: as for `compare`.
        models: what to tune; settings in brackets stay as they are written.
        lookback: numbers of steps to choose from.
        trials: of each model.
        minutes: after which the search ends, whatever is done by then.
        folds: on which a trial is scored.
        seeds: fits of each fold and of each entry of the exam. Trials are scored by their mean; none is chosen.
        seed: of the proposals.
        plan: how networks are trained untuned; learning rate and batch size are tuned.
        out: a folder that keeps the trials; with the same arguments a search that was ended goes on there.
        workers: trials, and then fits, at a time; one a core without it.
        progress: told of trials, then of fits.

    Raises:
        ColumnError, RecipeError, WindowError: as for `compare`.
        SettingError: a number outside its range, a folder that holds another search, or no trial done in time.
        Interrupted: Ctrl-C came before a single trial was done.

    Source: Bergstra, Bardenet, Bengio, Kegl 2011, NeurIPS 24 (the sampler, TPE); Akiba et al. 2019, KDD (Optuna).

    >>> import backsight
    >>> series = backsight.load("seattle").head(500)
    >>> found = tune(series, "temp_max", models="ridge", lookback=[3, 7], trials=5)
    >>> found.trials["state"].tolist()
    ['untuned', 'untuned', 'tuned', 'tuned', 'tuned']
    """
    models = models if isinstance(models, str) else list(models)
    steps, plan = list(lookback), plan or Plan()
    study = make_study(
        series,
        target,
        features=features,
        models=models,
        lookback=steps,
        horizon=horizon,
        stride=stride,
        seeds=seeds,
        plan=plan,
        scale=scale,
        split=split,
        calendar=calendar,
        baselines=baselines,
    )
    search = make_search(study, make_candidates(models, steps, plan), trials=trials, folds=folds, seed=seed)
    folder = Path(out) if out is not None else None
    return sit_exam(pursue(search, folder, workers, minutes, progress), workers, progress, folder)


def pursue(
    search: Search,
    folder: Path | None = None,
    workers: int | None = None,
    minutes: float | None = None,
    progress: Progress | None = None,
    source: Source | None = None,
) -> Tuning:
    """Carry out a search, or go on with the one in the folder; see `tune`. The exam is yet to come.

    Raises:
        SettingError: no trial was done in time, or the folder holds another search.
        Interrupted: Ctrl-C came before a single trial was done.
    """
    began = perf_counter()
    with nullcontext() if folder is None else _working_in(folder):
        known, save, fits = ([], _keep_nowhere, None) if folder is None else _open(folder, search, source, minutes)
        found = carry_out_search(search, known, save, fits=fits, workers=workers, minutes=minutes, progress=progress)
    tuning = Tuning(search, found, None, perf_counter() - began)
    if found.interrupted and not found.trials:
        raise Interrupted
    if not tuning.best:
        raise SettingError(f"No trial was done within {minutes} minutes. Give more of them.")
    return tuning


def sit_exam(tuning: Tuning, workers: int | None, progress: Progress | None, folder: Path | None) -> Tuning:
    """Examine what a search chose, unless Ctrl-C ended it."""
    if tuning.found.interrupted:
        return tuning
    study = final_study(tuning)
    if folder is not None:
        renew_exam(folder, study)
    with run_in(folder, "tune", study) as run:
        return replace(tuning, comparison=examine(study, workers, progress, run))


def _working_in(folder: Path) -> AbstractContextManager[None]:
    make_folder(folder)
    return work_in(folder, UNFINISHED)


def _open(
    folder: Path, search: Search, source: Source | None, minutes: float | None
) -> tuple[list[Trial], Save, TrialFits]:
    begin(folder, identify(search), asked_record(search, source, minutes))
    with quiet():
        known, save = open_journal(folder, search.candidates)
    fits = TrialFits(folder, [candidate.name for candidate in search.candidates])
    fits.check(known)
    return known, save, fits


def final_study(tuning: Tuning) -> Study:
    """The exam: what would have been compared without tuning, and the tuned entries."""
    study = tuning.search.study
    known = {entry.name for entry in study.entries}
    tuned = [entry for entry in tuning.entries.values() if entry.name not in known]
    return replace(study, entries=(*study.entries, *tuned))


def best_trials(trials: Iterable[Trial]) -> dict[str, Trial]:
    """The trial with the lowest score of each model that has one."""
    best: dict[str, Trial] = {}
    for trial in trials:
        if _score(trial) < (_score(best[trial.model]) if trial.model in best else inf):
            best[trial.model] = trial
    return best


def _score(trial: Trial) -> float:
    return inf if trial.score is None else trial.score


def trial_rows(search: Search, trials: Iterable[Trial]) -> pd.DataFrame:
    """Trials as a table.

    Returns:
        model, trial (from 1), state (untuned, tuned, or pruned for those that were given up), rmse (what is made
        small; NaN if pruned), fold_1 and so on (means over seeds), the settings of all models (NaN where a model has no
        such setting), epochs of all fits, and seconds.
    """
    settings = list(dict.fromkeys(["lookback", *(name for c in search.candidates for name in c.space)]))
    rows = []
    for t in trials:
        folds = {f"fold_{place}": fmean(errors) for place, errors in enumerate(t.rmse, start=1)}
        rows.append(
            {
                "model": t.model,
                "trial": t.number + 1,
                "state": "pruned" if t.pruned else "untuned" if search.is_untuned(t) else "tuned",
                "rmse": float("nan") if t.score is None else t.score,
                **folds,
                **search.candidate(t.model).show(t.values),
                "epochs": sum(t.epochs),
                "seconds": round(t.seconds, 3),
            }
        )
    of_folds = [f"fold_{place}" for place in range(1, len(search.folds) + 1)]
    return pd.DataFrame(rows, columns=["model", "trial", "state", "rmse", *of_folds, *settings, "epochs", "seconds"])


def _keep_nowhere(_: Trial) -> None:
    """Trials of a search without a folder."""
