"""Pieces carried out by a pool of workers that may die; this process coordinates, and alone writes the ledger."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from backsight.errors import SettingError
from backsight.runs.fit import Fitted
from backsight.runs.folder import RunFolder
from backsight.runs.jobs import Outcome, cores
from backsight.runs.packed import unpack
from backsight.runs.piece import Piece
from backsight.runs.pools import RETRIES, Backend, Done, Pool
from backsight.runs.progress import Progress
from backsight.runs.study import Study

#: Pieces that are given up before all is, if none was ever finished.
GIVE_UP = 3


def carry_out_elsewhere(
    study: Study, backend: Backend, workers: int | None, progress: Progress, run: RunFolder | None
) -> tuple[Outcome[Fitted], Mapping[Piece, str]]:
    """Fit every piece of a study on workers, but for those that a run has.

    A piece whose worker dies is tried again, up to three times, and then passed over: it may be what kills them.
    Where a death takes all pieces in progress with it, each of them is tried again alone: none pays for another.

    Returns:
        what was finished, in the order of `Study.jobs`; the pieces that were passed over, and why.

    Raises:
        SettingError: no cluster, or fewer than one worker.
        BacksightError: whatever a fit raised; the others are stopped.
    """
    if workers is not None and workers < 1:
        raise SettingError(f"Workers are 1 or more; {workers} were given.")
    pieces = study.pieces()
    fitted: dict[Piece, Fitted] = {}
    progress.started(len(pieces))

    def keep(piece: Piece, one: Fitted, packed: bytes | None) -> None:
        fitted[piece] = one if run is None or packed is None else run.keep(one, piece.fold, packed)
        progress.finished(piece.entry, piece.seed)

    def take(piece: Piece, done: Done) -> None:
        entry = study.entry(piece.entry)
        keep(piece, unpack(done.packed, entry, entry.plan or study.plan, done.seconds), done.packed)

    if run is not None:
        for piece in filter(run.finished.__contains__, pieces):
            keep(piece, run.recall(piece), None)
    work = _Work(deque(piece for piece in pieces if piece not in fitted))
    interrupted = False
    try:
        while work.todo or work.suspects:
            with open_pool(backend, study, workers) as pool:
                _use(pool, work, take, run)
            if len(work.lost) >= GIVE_UP and not fitted:
                raise SettingError(
                    f"Workers have died {work.deaths.total()} times, and have finished nothing: "
                    f"{next(iter(work.lost.values()))}. See whether this machine has the memory for them."
                )
    except KeyboardInterrupt:
        interrupted = True
        progress.stopping()
    if run is not None:
        for piece, why in work.lost.items():
            run.pass_over(piece, work.deaths[piece], why)
    results = [
        tuple(fitted.get(Piece(entry.name, fold, seed)) for seed in study.seeds_of(entry))
        for entry in study.entries
        for fold in range(1, len(study.exams) + 1)
    ]
    return Outcome(tuple(results), interrupted), work.lost


def open_pool(backend: Backend, study: Study, workers: int | None) -> AbstractContextManager[Pool]:
    """Workers for a study, gone when the block is left.

    Raises:
        SettingError: the library of a cluster is not installed, nobody answers at the address, or workers there have
            other versions.
        RecipeError: a function of the user's can't be sent.
    """
    from backsight.runs.clusters import dask_pool, ray_pool
    from backsight.runs.processes import process_pool

    if backend.name == "processes":
        return process_pool(study, workers or cores())
    return {"dask": dask_pool, "ray": ray_pool}[backend.name](study, workers or cores(), backend.address)


@dataclass(frozen=True)
class _Work:
    """What is left to do.

    Attributes:
        todo: pieces to begin.
        suspects: pieces that were in progress when the pool died; each is begun when nothing else is in progress.
        deaths: of workers, by the piece they were at.
        lost: pieces that were given up, and why.
    """

    todo: deque[Piece]
    suspects: deque[Piece] = field(default_factory=deque)
    deaths: Counter[Piece] = field(default_factory=Counter)
    lost: dict[Piece, str] = field(default_factory=dict)

    def strike(self, piece: Piece, retries: int, why: BaseException, *, alone: bool) -> None:
        """Note that the worker of a piece died, or had no memory left; say whether it is tried again alone."""
        self.deaths[piece] += 1
        if self.deaths[piece] > retries:
            self.lost[piece] = f"{type(why).__name__} {self.deaths[piece]} times"
        else:
            (self.suspects if alone else self.todo).append(piece)


def _use(pool: Pool, work: _Work, take: Callable[[Piece, Done], None], run: RunFolder | None) -> None:
    """Carry out pieces, suspects first and one by one, until none is left or the pool is no more."""
    # A pool that dies as a whole gets no more pieces than it works at, so that few are under suspicion.
    room = pool.workers if pool.shared_fate else 2 * pool.workers
    in_progress: dict[Future[Done], Piece] = {}
    alive = True
    while in_progress or (alive and (work.suspects or work.todo)):
        if not in_progress:
            queue, most = (work.suspects, 1) if work.suspects else (work.todo, room)
        while alive and queue and len(in_progress) < most:
            piece = queue.popleft()
            checkpoints = run.checkpoints(piece) if run is not None and pool.same_machine else None
            try:
                in_progress[pool.submit(piece, checkpoints)] = piece
            except pool.died:
                queue.appendleft(piece)
                alive = False
        # In short turns: a Ctrl-C that comes just before a wait begins is not seen until that wait is over.
        finished, _ = wait(in_progress, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in finished:
            piece = in_progress.pop(future)
            try:
                take(piece, future.result())
            except MemoryError as error:  # alone it may have enough
                work.strike(piece, RETRIES, error, alone=True)
            except ImportError as error:
                raise SettingError(
                    f"A worker can't import what {piece} needs: {error}. Install there what is installed here; a "
                    f"module of yours that another one imports must lie where its Python finds it, as by PYTHONPATH."
                ) from error
            except pool.died as error:
                work.strike(piece, pool.retries, error, alone=pool.shared_fate)
                alive = not pool.shared_fate
