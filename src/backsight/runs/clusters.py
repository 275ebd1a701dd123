"""A Dask or a Ray cluster as a pool: one that is running, or one that is started on this machine and ended again."""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, nullcontext
from typing import Any

from backsight.errors import SettingError
from backsight.runs.piece import Piece
from backsight.runs.pools import RETRIES, Done, Pool, Sent, fit_piece, receive, send
from backsight.runs.saved import LIBRARIES, made_with
from backsight.runs.study import Study

#: How long an address is tried, in seconds.
PATIENCE = 20

Versions = Mapping[str, str | None]


def fit_there(sent: Sent, piece: Piece, asked: Versions) -> Done:
    """Fit one piece on a worker, if that gives the bytes that it would give here.

    Raises:
        SettingError: the worker has other versions.
        BacksightError: the model can't be fitted.
    """
    refuse_others({socket.gethostname(): made_with()}, asked)
    return fit_piece(receive(sent), piece)


@contextmanager
def dask_pool(study: Study, workers: int, address: str | None) -> Iterator[Pool]:
    """The workers of a Dask cluster.

    Raises:
        SettingError: Dask is not installed, nobody answers, or the workers have other versions.
    """
    try:
        from distributed import Client, KilledWorker, LocalCluster
    except ImportError as error:
        raise _not_installed("dask") from error
    cluster = None
    try:
        if address is None:
            # What a fit raises comes back; a log of it beside that would say it twice.
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which are compared below
            client = Client(address or cluster, timeout=f"{PATIENCE}s")
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        if cluster is not None:
            cluster.close()
        raise _no_answer("dask", address, error) from error
    try:
        if cluster is not None:
            client.run(_be_quiet)
        there = len(client.scheduler_info(n_workers=-1)["workers"])
        if not there:
            raise SettingError(f"The Dask cluster at {address} has no workers. Start some, or wait for them.")
        asked = made_with()
        refuse_others(client.run(_look(), LIBRARIES), asked)
        sent = client.scatter(send(study, code=address is not None), broadcast=True, hash=False)
        executor: Executor = client.get_executor(pure=False)
        yield Pool(
            lambda piece, _: executor.submit(fit_there, sent, piece, asked),
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


def _be_quiet() -> None:
    """On a worker of our own cluster: what a user's model prints goes to standard error."""
    os.dup2(2, 1)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


@contextmanager
def ray_pool(study: Study, workers: int, address: str | None) -> Iterator[Pool]:
    """The workers of a Ray cluster: one task a core.

    Raises:
        SettingError: Ray is not installed, nobody answers, or the nodes have other versions.
    """
    try:
        import ray
    except ImportError as error:
        raise _not_installed("ray") from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # "local" even so: without it Ray takes whatever cluster it finds on this machine.
    own = {"address": "local", "num_cpus": workers, "include_dashboard": False}
    try:
        _knock(address)
        with nullcontext() if address is None else _hushed(), warnings.catch_warnings():
            # Its programs are begun by a fork that becomes another program at once.
            warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
            ray.init(
                logging_level=logging.ERROR, log_to_driver=False, **(own if address is None else {"address": address})
            )
    except (OSError, ValueError, RuntimeError) as error:
        token = " If it asks for a token, set RAY_AUTH_MODE=token." if address is not None else ""
        raise _no_answer("ray", address, error, token) from error
    try:
        asked = made_with()
        if address is not None:
            refuse_others(_versions_of_nodes(ray), asked)
        sent = ray.put(send(study, code=address is not None))
        fit: Any = ray.remote(num_cpus=1, max_retries=0)(fit_there)
        there = int(ray.cluster_resources().get("CPU", 0))
        if not there:
            raise SettingError(f"The Ray cluster at {address} has no CPU to give. Start nodes that have.")
        died = ray.exceptions
        yield Pool(
            lambda piece, _: _unwrapped(fit.remote(sent, piece, asked).future()),
            there,
            (died.WorkerCrashedError, died.NodeDiedError, died.OutOfMemoryError, died.ObjectLostError),
            RETRIES,
            shared_fate=False,
            same_machine=False,
        )
    finally:
        ray.shutdown()


def _knock(address: str | None) -> None:
    """Ray itself waits for minutes, and tells of each, where nobody answers.

    Raises:
        OSError: nobody does.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()


@contextmanager
def _hushed() -> Iterator[None]:
    """Nothing on standard error: Ray's own code, which is not Python, tells there of every attempt to connect."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _versions_of_nodes(ray: Any) -> dict[str, Versions]:
    """What each node of a Ray cluster has."""
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    look = ray.remote(num_cpus=0)(_look())
    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    asked = {node: look.options(scheduling_strategy=strategy(node, soft=False)).remote(LIBRARIES) for node in nodes}
    return {nodes[node]: ray.get(answer) for node, answer in asked.items()}


def _unwrapped(future: "Future[Done]") -> "Future[Done]":
    """A future that raises what a fit has raised, where Ray's has the worker's traceback for a message."""
    import ray

    plain: Future[Done] = Future()

    def hand_on(done: "Future[Done]") -> None:
        error = done.exception()
        if error is None:
            plain.set_result(done.result())
        else:
            plain.set_exception(error.cause if isinstance(error, ray.exceptions.RayTaskError) else error)

    future.add_done_callback(hand_on)
    return plain


def _look() -> Callable[[Sequence[str]], Versions]:
    """What looks up versions on a worker. A function within one is sent as code: a worker may have no backsight."""

    def look(libraries: Sequence[str]) -> Versions:
        from importlib.metadata import PackageNotFoundError, version
        from platform import machine

        found: dict[str, str | None] = {"machine": machine()}
        for name in libraries:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = None
        return found

    return look


def refuse_others(workers: Mapping[str, Versions], asked: Versions) -> None:
    """Make sure that workers have what this process has: with other versions they may give other numbers.

    Raises:
        SettingError: one has not.

    >>> refuse_others({"tcp://10.0.0.2:4242": {"jax": "0.10.2"}}, {"jax": "0.10.2"})
    """
    for worker, found in workers.items():
        others = [name for name in asked if found.get(name) != asked[name]]
        if others:
            told = ", ".join(f"{name} is {found.get(name) or 'not there'}, here {asked[name]}" for name in others)
            raise SettingError(
                f"Worker {worker} would not give the same numbers: {told}. Install there what is installed here."
            )


def _not_installed(name: str) -> SettingError:
    return SettingError(f"{name} is not installed. Install it with pip install 'backsight[{name}]'.")


def _no_answer(name: str, address: str | None, error: Exception, more: str = "") -> SettingError:
    where = f"at {address}" if address else "on this machine"
    return SettingError(f"No {name} cluster {where}: {str(error).rstrip('.') or type(error).__name__}.{more}")
