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
        stage: jobs of a stage begin when all of the stage before are done.
        load_libraries: imports what `fit` needs, if that is heavy.
    """

    name: str
    seed: int
    fit: Callable[[OnEpoch], Result]
    stage: int = 0
    load_libraries: Callable[[], None] = lambda: None


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
        jobs: begun in this order, stage by stage.
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
    futures: dict[int, Future[Result]] = {}
    # BLAS on one thread: its sums, and so a fit's bytes, would depend on the number of cores otherwise.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers or cores()) as pool:
        try:
            for stage in sorted({job.stage for job in jobs}):
                places = [place for place, job in enumerate(jobs) if job.stage == stage]
                for place in places:
                    jobs[place].load_libraries()
                futures |= {place: pool.submit(run, jobs[place]) for place in places}
                _wait([futures[place] for place in places])
        except KeyboardInterrupt:
            interrupted = True
            stop.set()
            progress.stopping()
        finally:
            stop.set()
            for future in futures.values():
                future.cancel()
    results: list[Result | None] = []
    for place in range(len(jobs)):
        done = futures.get(place)
        if done is None or done.cancelled() or isinstance(failure := done.exception(), Interrupted):
            results.append(None)
        elif failure is not None:
            raise failure
        else:
            results.append(done.result())
    return Outcome(tuple(results), interrupted)


def _wait(futures: Sequence[Future[Result]]) -> None:
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
