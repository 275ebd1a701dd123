"""Where fits are carried out, if not by threads of this process: processes, a Dask cluster, a Ray cluster.

Each kind gives the same thing, a `Pool` whose `submit` returns a future. The study is sent to a worker once, and what
comes back is a forecaster as bytes.

Joblib's common interface is not used for it: with one dead worker it gives up everything that is in progress, and
Ray's results it hands over only when all are there. Its process pool, loky, is.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from backsight.errors import SettingError
from backsight.runs.jobs import cores
from backsight.runs.packed import pack
from backsight.runs.piece import Piece
from backsight.runs.study import Study
from backsight.training.checkpoint import Checkpoints

#: How often a piece whose worker died is tried again before it is passed over.
RETRIES = 3

BackendName = Literal["threads", "processes", "dask", "ray"]


@dataclass(frozen=True)
class Backend:
    """Where fits are carried out.

    Attributes:
        name: threads of this process, processes of this machine, or workers of a cluster.
        address: of a cluster that is running; without it one is started on this machine and ended again.

    Raises:
        SettingError: an address for something that has none.
    """

    name: BackendName = "threads"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.address is not None and self.name not in ("dask", "ray"):
            raise SettingError(f"Only dask and ray have a cluster with an address; the backend is {self.name}.")


THREADS = Backend()


@dataclass(frozen=True)
class Done:
    """A finished piece as it comes back from a worker.

    Attributes:
        packed: the forecaster; see `runs.packed`.
        seconds: that fitting took.
    """

    packed: bytes
    seconds: float


@dataclass(frozen=True)
class Pool:
    """Workers that fit pieces.

    Attributes:
        submit: begins a piece; its checkpoints go where they are said to, or nowhere.
        workers: how many pieces are fitted at a time.
        died: what a future raises if its worker died.
        retries: how often a piece whose worker died is tried again; 0 where the cluster has done so by itself.
        shared_fate: whether a worker that dies takes all pieces in progress with it, and the pool is no more.
        same_machine: whether workers write to the disk of this one.
    """

    submit: Callable[[Piece, Checkpoints | None], "Future[Done]"]
    workers: int
    died: tuple[type[BaseException], ...]
    retries: int
    shared_fate: bool
    same_machine: bool


def fit_piece(study: Study, piece: Piece, checkpoints: Checkpoints | None = None) -> Done:
    """Fit one piece, on whatever machine: a pure function of the study and the piece.

    Raises:
        BacksightError: the model can't be fitted.
    """
    from threadpoolctl import threadpool_limits

    entry = study.entry(piece.entry)
    began = perf_counter()
    entry.recipe.load_libraries()
    # As in `runs.jobs`: sums in one order, whatever the number of cores.
    with threadpool_limits(1, user_api="blas"):
        (fitted,) = study.fit_of(entry, piece.fold)([piece.seed], lambda *_: None, checkpoints)
    return Done(pack(fitted), perf_counter() - began)


@contextmanager
def open_pool(backend: Backend, study: Study, workers: int | None) -> Iterator[Pool]:
    """Workers for a study, gone when the block is left.

    Raises:
        SettingError: the library of a cluster is not installed, or nobody answers at the address.
    """
    opened = {"processes": _processes, "dask": _dask, "ray": _ray}[backend.name]
    with opened(study, workers or cores(), backend.address) as pool:
        yield pool


# ---- processes of this machine

_study: Study | None = None


def _begin_worker(study: Study) -> None:
    """Ctrl-C is the coordinator's business; the study is kept for all pieces of this process."""
    global _study  # noqa: PLW0603 - a process of its own, which serves one study
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _study = study


def _fit_here(piece: Piece, checkpoints: Checkpoints | None) -> Done:
    assert _study is not None
    return fit_piece(_study, piece, checkpoints)


@contextmanager
def _processes(study: Study, workers: int, _: str | None) -> Iterator[Pool]:
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    executor = ProcessPoolExecutor(workers, timeout=60, initializer=_begin_worker, initargs=(study,), env=ONE_THREAD)
    try:
        yield Pool(
            lambda piece, checkpoints: executor.submit(_fit_here, piece, checkpoints),
            workers,
            (BrokenProcessPool,),
            RETRIES,
            shared_fate=True,
            same_machine=True,
        )
    finally:
        executor.shutdown(wait=True, kill_workers=True)


#: For the libraries that read it when they are loaded.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


# ---- a Dask cluster


@contextmanager
def _dask(study: Study, workers: int, address: str | None) -> Iterator[Pool]:
    try:
        from distributed import Client, KilledWorker, LocalCluster
    except ImportError as error:
        raise _not_installed("dask") from error
    try:
        cluster = None if address else LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        client = Client(address or cluster, timeout="20s")
    except (OSError, TimeoutError, ValueError) as error:
        raise _no_answer("dask", address, error) from error
    try:
        there = len(client.scheduler_info(n_workers=-1)["workers"])
        if not there:
            raise SettingError(f"The Dask cluster at {address} has no workers. Start some, or wait for them.")
        sent = client.scatter(study, broadcast=True, hash=False)
        executor: Executor = client.get_executor(pure=False)
        yield Pool(
            lambda piece, _: executor.submit(fit_piece, sent, piece),
            there,
            (KilledWorker,),
            0,  # the scheduler has tried on so many other workers as it allows: three, if nobody changed that
            shared_fate=False,
            same_machine=False,
        )
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


# ---- a Ray cluster


@contextmanager
def _ray(study: Study, workers: int, address: str | None) -> Iterator[Pool]:
    try:
        import ray
    except ImportError as error:
        raise _not_installed("ray") from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = {"num_cpus": workers, "include_dashboard": False} if address is None else {"address": address}
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_answer("ray", address, error) from error
    try:
        sent = ray.put(study)
        fit: Any = ray.remote(num_cpus=1, max_retries=0)(fit_piece)
        there = int(ray.cluster_resources().get("CPU", 1))
        died = ray.exceptions
        yield Pool(
            lambda piece, _: fit.remote(sent, piece).future(),
            there,
            (died.WorkerCrashedError, died.NodeDiedError, died.OutOfMemoryError, died.ObjectLostError),
            RETRIES,
            shared_fate=False,
            same_machine=False,
        )
    finally:
        ray.shutdown()


def _not_installed(name: str) -> SettingError:
    return SettingError(f"{name} is not installed. Install it with pip install 'backsight[{name}]'.")


def _no_answer(name: str, address: str | None, error: Exception) -> SettingError:
    where = f"at {address}" if address else "on this machine"
    return SettingError(f"No {name} cluster {where}: {error or type(error).__name__}.")
