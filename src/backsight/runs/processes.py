"""Processes of this machine as a pool: loky's, the part of joblib that notices when one dies."""

import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from backsight.errors import SettingError
from backsight.runs.piece import Piece
from backsight.runs.pools import RETRIES, Done, Pool, Sent, fit_piece, receive, send
from backsight.runs.study import Study
from backsight.training.checkpoint import Checkpoints

#: For the libraries that read it when they are loaded.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
#: More processes than this are a slip of the finger.
MOST = 1000
#: Seconds from one look whether the coordinator is still there to the next.
LOOK = 1.0

_sent: Sent | None = None


@contextmanager
def process_pool(study: Study, workers: int) -> Iterator[Pool]:
    """So many processes of this machine, gone when the block is left.

    Raises:
        SettingError: more than anybody means.
    """
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    if workers > MOST:
        raise SettingError(f"Workers are at most {MOST} processes; {workers} were given.")
    # A worker that has grown by 300 MB is replaced by loky, which is nobody's business.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    executor = ProcessPoolExecutor(
        workers, initializer=_begin_worker, initargs=(send(study), os.getpid()), env=ONE_THREAD
    )
    finished = False
    try:
        yield Pool(
            lambda piece, checkpoints: executor.submit(_fit_here, piece, checkpoints),
            workers,
            (BrokenProcessPool,),
            RETRIES,
            shared_fate=True,
            same_machine=True,
        )
        finished = True
    finally:
        # Workers that end by themselves hand in the programs that they have compiled; see `program_cache`.
        executor.shutdown(wait=True, kill_workers=not finished)


def _begin_worker(sent: Sent, coordinator: int) -> None:
    """Ctrl-C is the coordinator's business; the study is kept for all pieces of this process."""
    global _sent  # noqa: PLW0603 - a process of its own, which serves one study
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)  # what a user's own model prints must not get into the results of `--json -`
    _sent = sent
    Thread(target=_end_with, args=(coordinator,), daemon=True).start()


def _end_with(coordinator: int) -> None:
    """End this process when the coordinator is gone, which a kill leaves it no time to say.

    Windows gives an orphan no other parent; there a worker ends when it wants to hand in what it has done.
    """
    never = Event()
    while os.name == "nt" or os.getppid() == coordinator:
        never.wait(LOOK)
    os._exit(1)


def _fit_here(piece: Piece, checkpoints: Checkpoints | None) -> Done:
    assert _sent is not None
    return fit_piece(receive(_sent), piece, checkpoints)
