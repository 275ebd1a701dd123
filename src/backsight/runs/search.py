"""A search for settings: Optuna proposes, folds inside the training and validation rows judge.

Trials are proposed in rounds of a fixed number, and what a round has found is told to Optuna when all of it is done. So
proposals, and what is given up, depend on earlier rounds alone: not on how many trials run at a time, on which of them
is done first, or on whether the search was killed in between.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from math import inf, isfinite
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

import optuna

import backsight
from backsight.errors import Interrupted, RecipeError, SettingError, WindowError
from backsight.models.recipe import OnSeedEpoch
from backsight.runs.jobs import Job, carry_out
from backsight.runs.progress import Progress, Silent
from backsight.runs.proposals import ask, is_hopeless, quiet, start_study, tell
from backsight.runs.saved import study_of, study_record
from backsight.runs.search_log import Save
from backsight.runs.search_space import Candidate, make_candidates
from backsight.runs.study import Study, check_count
from backsight.runs.trial import Conditions, Trial, run_trial
from backsight.runs.trial_fits import TrialFits
from backsight.series.source import Source, fingerprint, one_series
from backsight.training.events import EpochDone
from backsight.windows.folds import folds_before_test
from backsight.windows.split import Split

#: Trials of a model that are proposed before any of them is told.
ROUND = 8


@dataclass(frozen=True, eq=False)
class Search:
    """What is searched for: the same search gives the same trials, whoever carries it out.

    Attributes:
        study: the exam that the winner will sit; only its training and validation rows are read.
        candidates: the models to tune.
        folds: inside those rows, in time order.
        trials: of each model, the untuned ones among them.
        seed: of the proposals. Networks are fitted with the seeds of the study, whatever this is.

    Raises:
        SettingError: no more trials than lookbacks, or a seed below 0.
        WindowError: the first fold is too short for the longest lookback.
    """

    study: Study
    candidates: tuple[Candidate, ...]
    folds: tuple[Split, ...]
    trials: int
    seed: int

    def __post_init__(self) -> None:
        check_count("trials", self.trials)
        if self.seed < 0:
            raise SettingError(f"The seed of a search is 0 or more; {self.seed} was given.")
        for candidate in self.candidates:
            if self.trials <= len(candidate.starts):
                raise SettingError(
                    f"{self.trials} trials would try {candidate.name} untuned and nothing else, since it begins with "
                    f"one trial for each of {len(candidate.starts)} lookbacks. Ask for more."
                )
            longest = max(values.get("lookback", 1) for values in candidate.starts)
            if not len(self.conditions.exams[0].training_origins(longest)):
                raise WindowError(
                    f"A lookback of {longest} leaves the first fold no training window: it trains on rows "
                    f"{self.folds[0].train.start} to {self.folds[0].train.stop - 1}. Take a shorter lookback or fewer "
                    f"folds."
                )

    def candidate(self, name: str) -> Candidate:
        """The model of that name."""
        return next(candidate for candidate in self.candidates if candidate.name == name)

    def is_untuned(self, trial: Trial) -> bool:
        """Whether it is one of those that a model begins with."""
        return trial.number < len(self.candidate(trial.model).starts)

    @property
    def conditions(self) -> Conditions:
        """What is the same for all trials. Rows after the validation part are not in it."""
        study, exam, series = self.study, self.study.one_exam, one_series(self.study.series)
        seen = exam.split.validation.stop
        unknown = tuple(row for row in exam.unknown if row < seen)
        exams = tuple(replace(exam, split=fold, unknown=unknown) for fold in self.folds)
        entry = study.entries[0]
        return Conditions(series.head(seen), exams, entry.features, entry.calendar, study.scale, study.seeds)


def make_search(study: Study, candidates: Sequence[Candidate], *, trials: int, folds: int, seed: int = 0) -> Search:
    """A search inside the training and validation rows of a study's exam.

    Raises:
        SettingError, WindowError: see `Search` and `folds_before_test`.
    """
    return Search(study, tuple(candidates), folds_before_test(study.one_exam.split, folds), trials, seed)


def identify(search: Search) -> dict[str, Any]:
    """All that trials depend on, but for their number, as plain values."""
    seen, exam = search.conditions, search.study.exam
    return {
        "backsight": backsight.__version__,
        "optuna": version("optuna"),
        "data": fingerprint(seen.series)[:16],
        "unknown": len(seen.exams[0].unknown),
        "rows": len(seen.series),
        "target": exam.target,
        "features": list(seen.features),
        "calendar": seen.calendar,
        "horizon": exam.horizon,
        "stride": exam.stride,
        "folds": [f"rows {f.test.start} to {f.test.stop - 1}, gap {f.gap}" for f in search.folds],
        "models": [f"{c.name} ({', '.join(c.space)})" for c in search.candidates],
        "lookback": list(dict.fromkeys(v["lookback"] for c in search.candidates for v in c.starts if "lookback" in v)),
        "seeds": seen.seeds,
        "seed": search.seed,
        "scale": seen.scale,
        **asdict(search.study.plan),
    }


def asked_record(search: Search, source: Source | None, minutes: float | None) -> dict[str, Any]:
    """What brings a search back; see `search_again`."""
    return {
        "study": study_record(search.study, source),
        "models": [candidate.name for candidate in search.candidates],
        "lookback": list(dict.fromkeys(v.get("lookback", 1) for c in search.candidates for v in c.starts)),
        "trials": search.trials,
        "folds": len(search.folds),
        "seed": search.seed,
        "minutes": minutes,
    }


def search_again(asked: dict[str, Any], folder: Path, *, functions: bool = False) -> Search:
    """The search that `asked_record` was given, with its data read again.

    Raises:
        SettingError, DataError, RecipeError: see `runs.saved.study_of`.
    """
    named = [model for model in asked["models"] if ":" in model]
    if named and not functions:  # else naming it would import it
        raise RecipeError(f"{named[0]} is a function of yours, which the search in {folder} can't hold.")
    study = study_of(asked["study"], folder, functions=functions)
    candidates = make_candidates(asked["models"], asked["lookback"], study.plan)
    return make_search(study, candidates, trials=asked["trials"], folds=asked["folds"], seed=asked["seed"])


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        trials: those that are done, by model in the order of the search, and by number.
        interrupted: whether Ctrl-C ended it.
        out_of_time: whether its time was up before every trial was done.
    """

    trials: tuple[Trial, ...]
    interrupted: bool
    out_of_time: bool


def carry_out_search(
    search: Search,
    known: Sequence[Trial],
    save: Save,
    *,
    fits: TrialFits | None = None,
    workers: int | None = None,
    minutes: float | None = None,
    progress: Progress | None = None,
) -> Found:
    """Do the trials, round by round, as many at a time as there are workers.

    Args:
        search: what is asked.
        known: trials that are done already.
        save: called with each trial as soon as it is done, from several threads.
        fits: keeps those of trials in progress.
        workers: trials at a time; one a core without it. More than a round's of all models are of no use.
        minutes: after which no epoch is begun; `fits` keep what is done of trials in progress.
        progress: told of trials as of fits.

    Raises:
        SettingError: the known trials are not those of this search.
        BacksightError: whatever a trial raised.
    """
    desk = _Desk(known, save, progress or Silent(), inf if minutes is None else monotonic() + 60 * minutes)
    wanted = [(c.name, n) for c in search.candidates for n in range(search.trials)]
    desk.progress.started(len(wanted))
    for _ in desk.trials.keys() & wanted:
        desk.progress.finished("", 0)
    interrupted = False
    with quiet():
        studies = {c.name: start_study(c) for c in search.candidates}
        for first in range(0, search.trials, ROUND):
            numbers = range(first, min(first + ROUND, search.trials))
            # In turn, so that every model gets its share where the time runs out.
            asked = [(c, ask(studies[c.name], c, search.seed, n)) for n in numbers for c in search.candidates]
            jobs = [_job(search, studies[c.name], desk, c, trial, fits) for c, trial in asked if not desk.has(c, trial)]
            try:
                interrupted = carry_out(jobs, workers, _OfTrials(desk)).interrupted
            except TimeIsUp:
                break
            if interrupted:
                break
            for c, trial in asked:
                tell(studies[c.name], trial, desk.trials[c.name, trial.number])
    trials = tuple(desk.trials[key] for key in wanted if key in desk.trials)
    return Found(trials, interrupted, out_of_time=len(trials) < len(wanted) and not interrupted)


class TimeIsUp(Interrupted):
    """The minutes that were given are over. Raised before a trial and from a training's epochs."""


class _Desk:
    """Where trials are handed in, from several threads."""

    def __init__(self, known: Sequence[Trial], save: Save, progress: Progress, deadline: float) -> None:
        self.trials = {(trial.model, trial.number): trial for trial in known}
        self.progress = progress
        self.deadline = deadline
        self._save = save
        self._lock = Lock()

    def hand_in(self, trial: Trial) -> None:
        self._save(trial)
        with self._lock:
            self.trials[trial.model, trial.number] = trial

    def has(self, candidate: Candidate, asked: optuna.Trial) -> bool:
        """Whether a trial is done already.

        Raises:
            SettingError: one of its number is done, and it was another.
        """
        done = self.trials.get((candidate.name, asked.number))
        if done is not None and done.values != asked.params:
            raise SettingError(
                f"Trial {asked.number} of {candidate.name} was another one when this search was begun: a library "
                f"proposes differently now. Name another --out."
            )
        return done is not None

    def look_at_the_clock(self) -> None:
        """Raises TimeIsUp when it is."""
        if monotonic() > self.deadline:
            raise TimeIsUp

    def best(self) -> float:
        """The lowest score so far; infinite if there is none."""
        with self._lock:
            return min((t.score for t in self.trials.values() if t.score is not None), default=inf)


class _OfTrials(Silent):
    """Passes on what happens in a round, in terms of trials; how many there are has been told before."""

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk

    def epoch(self, job: str, seed: int, done: EpochDone) -> None:
        best = self._desk.best()
        so_far = f" (best trial so far: {best:.3f})" if isfinite(best) else ""
        self._desk.progress.epoch(f"{job}{so_far}", seed, done)

    def finished(self, job: str, seed: int) -> None:
        self._desk.progress.finished(job, seed)

    def stopping(self) -> None:
        self._desk.progress.stopping()


def _job(
    search: Search,
    study: optuna.Study,
    desk: _Desk,
    candidate: Candidate,
    asked: optuna.Trial,
    fits: TrialFits | None,
) -> Job[Trial]:
    """A trial as a job of one fit."""
    number, values = asked.number, asked.params
    configuration = candidate.configure(values)
    keeper = None if fits is None else fits.of(candidate.name, number, values)
    seen: dict[int, float] = {}

    def give_up(epoch: int, best: float) -> bool:
        # The untuned ones are what others are measured by.
        if number < len(candidate.starts):
            return False
        if not isfinite(best):
            return True
        seen[epoch] = best
        return is_hopeless(study, seen)

    def fit(_: Sequence[int], on_epoch: OnSeedEpoch) -> list[Trial]:
        def tick(seed: int, done: EpochDone) -> None:
            desk.look_at_the_clock()
            on_epoch(seed, done)

        desk.look_at_the_clock()  # models without epochs ask nobody while they are fitted
        trial = run_trial(search.conditions, candidate.name, number, values, configuration, give_up, tick, keeper)
        desk.hand_in(trial)
        return [trial]

    return Job(f"{candidate.name} trial {number + 1} of {search.trials}", configuration.recipe, range(1), fit)
