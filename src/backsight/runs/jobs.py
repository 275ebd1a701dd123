"""Fits side by side on a pool of threads, stopped cleanly by Ctrl-C."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Any, Generic, TypeVar

from backsight.errors import Interrupted, SettingError
from backsight.models.recipe import OnSeedEpoch, Recipe
from backsight.runs.progress import Progress
from backsight.training.events import EpochDone

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Job(Generic[Result]):
    """The fits of one model: one a seed.

    Attributes:
        name: for people.
        recipe: says when it may begin, what must be loaded before, and how many seeds to fit at once.
        seeds: of the fits.
        fit: does those of some of the seeds; told whom to tell of epochs.
    """

    name: str
    recipe: Recipe
    seeds: Sequence[int]
    fit: Callable[[Sequence[int], OnSeedEpoch], Sequence[Result]]


@dataclass(frozen=True, eq=False)
class Outcome(Generic[Result]):
    """What came of the jobs.

    Attributes:
        results: of each job, in its seeds' order; None for those that Ctrl-C kept from finishing.
        interrupted: whether Ctrl-C was pressed.
    """

    results: tuple[tuple[Result | None, ...], ...]
    interrupted: bool


def carry_out(jobs: Sequence[Job[Result]], workers: int | None, progress: Progress) -> Outcome[Result]:
    """Do the jobs, as many fits at a time as there are workers.

    A job's results depend on nothing but the job, whatever runs beside it. Seeds that are fitted at once
    count as one fit, and Ctrl-C leaves all of them or none.

    Args:
        jobs: begun stage by stage; see `_turns`.
        workers: fits at a time; None takes as many as there are cores.
        progress: told what happens.

    Raises:
        SettingError: fewer than one worker.
        BacksightError: whatever a job raised; the others are stopped.
    """
    from threadpoolctl import threadpool_limits

    if workers is not None and workers < 1:
        raise SettingError(f"Workers are threads, 1 or more; {workers} were given.")
    stop = Event()

    def run(job: Job[Result], seeds: Sequence[int]) -> Sequence[Result]:
        def on_epoch(seed: int, done: EpochDone) -> None:
            if stop.is_set():
                raise Interrupted
            progress.epoch(job.name, seed, done)

        if stop.is_set():
            raise Interrupted
        results = job.fit(seeds, on_epoch)
        for seed in seeds:
            progress.finished(job.name, seed)
        return results

    interrupted = False
    progress.started(sum(len(job.seeds) for job in jobs))
    begun: list[tuple[Job[Result], Sequence[int], Future[Sequence[Result]]]] = []
    # BLAS on one thread: its sums, and so a fit's bytes, would depend on the number of cores otherwise.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers or cores()) as pool:
        try:
            for stage in sorted({job.recipe.stage for job in jobs}):
                of_stage = [job for job in jobs if job.recipe.stage == stage]
                for job in of_stage:
                    job.recipe.load_libraries()
                begun += [(job, seeds, pool.submit(run, job, seeds)) for job, seeds in _turns(of_stage)]
                _wait([future for _, _, future in begun])
        except KeyboardInterrupt:
            interrupted = True
            stop.set()
            progress.stopping()
        finally:
            stop.set()
            for _, _, future in begun:
                future.cancel()
    results: dict[tuple[Job[Result], int], Result] = {}
    for job, seeds, future in begun:
        if not future.cancelled() and not isinstance(failure := future.exception(), Interrupted):
            if failure is not None:
                raise failure
            results |= {(job, seed): result for seed, result in zip(seeds, future.result(), strict=True)}
    return Outcome(tuple(tuple(results.get((job, seed)) for seed in job.seeds) for job in jobs), interrupted)


def _turns(jobs: Sequence[Job[Result]]) -> list[tuple[Job[Result], Sequence[int]]]:
    """The fits in the order in which they begin: the first seeds of all jobs, then the next ones.

    In that order different networks are compiled side by side, where the seeds of one network would wait
    for the same program. A job with more seeds than can be fitted at once is cut into groups as equal as can be.
    """
    turns = []
    for job in jobs:
        groups = -(-len(job.seeds) // job.recipe.seeds_at_once())
        turns += [(turn, job, job.seeds[turn::groups]) for turn in range(groups)]
    return [(job, seeds) for _, job, seeds in sorted(turns, key=lambda turn: turn[0])]


def _wait(futures: Sequence[Future[Any]]) -> None:
    """Until all are done; what one of them raises is raised here.

    In short turns: a Ctrl-C that comes just before a wait begins is not seen until that wait is over.
    """
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
