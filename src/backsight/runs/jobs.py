"""Fits side by side on a pool of threads, stopped cleanly by Ctrl-C."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Generic, TypeVar

from backsight.errors import Interrupted, SettingError
from backsight.models.recipe import OnEpoch
from backsight.runs.progress import Progress
from backsight.training.events import EpochDone

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Job(Generic[Result]):
    """One fit.

    Attributes:
        name, seed: for people.
        fit: does it; told whom to tell of epochs.
    """

    name: str
    seed: int
    fit: Callable[[OnEpoch], Result]


@dataclass(frozen=True, eq=False)
class Outcome(Generic[Result]):
    """What came of the jobs.

    Attributes:
        results: in the order of the jobs; None for those that Ctrl-C kept from finishing.
        interrupted: whether Ctrl-C was pressed.
    """

    results: tuple[Result | None, ...]
    interrupted: bool


def carry_out(jobs: Sequence[Job[Result]], workers: int | None, progress: Progress) -> Outcome[Result]:
    """Do the jobs, as many at a time as there are workers.

    A job's result depends on nothing but the job, whatever runs beside it.

    Args:
        jobs: begun in this order.
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

    def run(job: Job[Result]) -> Result:
        def on_epoch(done: EpochDone) -> None:
            if stop.is_set():
                raise Interrupted
            progress.epoch(job.name, job.seed, done)

        if stop.is_set():
            raise Interrupted
        result = job.fit(on_epoch)
        progress.finished(job.name, job.seed)
        return result

    interrupted = False
    progress.started(len(jobs))
    futures: list[Future[Result]] = []
    # BLAS on one thread: its sums, and so a fit's bytes, would depend on the number of cores otherwise.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers or cores()) as pool:
        try:
            futures += [pool.submit(run, job) for job in jobs]
            _wait(futures)
        except KeyboardInterrupt:
            interrupted = True
            stop.set()
            progress.stopping()
        finally:
            stop.set()
            for future in futures:
                future.cancel()
    failures = [f.exception() for f in futures if f.done() and not f.cancelled()]
    for failure in failures:
        if failure is not None and not isinstance(failure, Interrupted):
            raise failure
    results = (f.result() if not f.cancelled() and f.exception() is None else None for f in futures)
    return Outcome(tuple(results), interrupted)


def _wait(futures: Sequence[Future[Result]]) -> None:
    """Until all are done or one has failed.

    In short turns: a Ctrl-C that comes just before a wait begins is not seen until that wait is over.
    """
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
        if any(future.exception() is not None for future in done):
            return


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
