"""How long a search would take, measured on this machine by a few fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from backsight.errors import Interrupted
from backsight.models.recipe import OnSeedEpoch
from backsight.runs.entry import Entry
from backsight.runs.fit import fit_entry
from backsight.runs.jobs import Job, carry_out
from backsight.runs.progress import Progress, Silent
from backsight.runs.proposals import ask, quiet, start_study
from backsight.runs.search import Search
from backsight.runs.search_space import Candidate, Configuration
from backsight.training.events import EpochDone

#: Seconds after which a calibrating fit is broken off; what is left of it is reckoned from its epochs.
ENOUGH = 5.0
#: Configurations that are tried beside the untuned ones: the first that the search would draw.
DRAWN = 3


@dataclass(frozen=True)
class Estimate:
    """How much work one model is.

    Attributes:
        model: name of the candidate.
        trials, folds, seeds: of the search; one seed where it makes no difference.
        search_fits, exam_fits: how many there would be at most, for trials that are given up need fewer.
        first_seconds: a configuration's first fit, compilation included, on the last fold; a mean over the untuned
            model with the shortest and the longest lookback, and the first that the search would draw.
        further_seconds: the same with another seed.
        broken_off: whether a calibrating fit was not waited for, so that the seconds are those of all its epochs.
        seconds: of all fits, one after the other.
    """

    model: str
    trials: int
    folds: int
    seeds: int
    search_fits: int
    exam_fits: int
    first_seconds: float
    further_seconds: float
    broken_off: bool

    @property
    def seconds(self) -> float:
        """Of all fits, one after the other."""
        fresh = self.search_fits // self.seeds
        return fresh * self.first_seconds + (self.search_fits - fresh + self.exam_fits) * self.further_seconds


@dataclass(frozen=True)
class _Timing:
    first: float
    further: float
    broken_off: bool


def estimate(search: Search, progress: Progress | None = None) -> list[Estimate]:
    """Fit every model a few times, and reckon from that.

    Raises:
        Interrupted: Ctrl-C was pressed.
        BacksightError: whatever a fit raised.
    """
    chosen = {c.name: _configurations(search, c) for c in search.candidates}
    jobs = [_calibrate(search, c.name, configuration) for c in search.candidates for configuration in chosen[c.name]]
    outcome = carry_out(jobs, 1, progress or Silent())
    if outcome.interrupted:
        raise Interrupted
    timings = iter(timing for of_job in outcome.results for timing in of_job if timing is not None)
    estimates = []
    for candidate in search.candidates:
        measured = [next(timings) for _ in chosen[candidate.name]]
        seeds = search.study.seeds if candidate.recipe.random else 1
        estimates.append(
            Estimate(
                candidate.name,
                search.trials,
                len(search.folds),
                seeds,
                search.trials * len(search.folds) * seeds,
                (len(candidate.starts) + 1) * seeds,
                sum(t.first for t in measured) / len(measured),
                sum(t.further for t in measured) / len(measured),
                any(t.broken_off for t in measured),
            )
        )
    return estimates


def _configurations(search: Search, candidate: Candidate) -> list[Configuration]:
    """What is timed."""
    by_lookback = sorted(candidate.starts, key=lambda values: values.get("lookback", 1))
    untuned = [candidate.configure(values) for values in (by_lookback[0], by_lookback[-1])]
    with quiet():
        study, most = start_study(candidate), min(len(candidate.starts) + DRAWN, search.trials)
        asked = [ask(study, candidate, search.seed, number).params for number in range(most)]
    drawn = [candidate.configure(values) for values in asked[len(candidate.starts) :]]
    return list(dict.fromkeys([*untuned, *drawn]))


def _calibrate(search: Search, model: str, chosen: Configuration) -> Job[_Timing]:
    conditions = search.conditions
    entry = Entry(model, chosen.recipe, chosen.lookback, conditions.features, conditions.calendar)

    def time_fit(seed: int, on_epoch: OnSeedEpoch) -> tuple[float, bool]:
        began, last = perf_counter(), EpochDone(0, 1, 0.0, 0.0, 0.0)

        def watch(at: int, done: EpochDone) -> None:
            nonlocal last
            last = done
            on_epoch(at, done)
            if perf_counter() - began > ENOUGH:
                raise _BrokenOff

        try:
            fit_entry(conditions.series, conditions.exams[-1], entry, chosen.plan, conditions.scale, [seed], watch)
        except _BrokenOff:
            return (perf_counter() - began) * last.epochs / last.epoch, True
        return perf_counter() - began, False

    def fit(_: Sequence[int], on_epoch: OnSeedEpoch) -> list[_Timing]:
        first, broken_off = time_fit(0, on_epoch)
        further, again = time_fit(1, on_epoch) if chosen.recipe.random and not broken_off else (first, False)
        return [_Timing(first, further, broken_off or again)]

    return Job(f"{model}_{chosen.lookback}", chosen.recipe, range(1), fit)


class _BrokenOff(Interrupted):
    """A calibrating fit has run long enough."""
