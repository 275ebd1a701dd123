"""Where fits are carried out, if not by threads of this process, and what all such places have in common.

Each kind gives the same thing, a `Pool` whose `submit` returns a future: `runs.processes` and `runs.clusters`. The
study is sent to a worker once, and what comes back is a forecaster as bytes.
"""

import pickle
import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from pickle import PicklingError
from threading import Lock
from time import perf_counter
from typing import Literal

from backsight.engine import keras_on_jax
from backsight.errors import RecipeError, SettingError
from backsight.models.own import Own
from backsight.models.recipe import Recipe
from backsight.models.registry import recipe_name, storable
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


@dataclass(frozen=True)
class Sent:
    """A study on its way to workers. As bytes, so that a worker can prepare for what reading them imports.

    Attributes:
        packed: the study, pickled: between processes of one user's, never on disk.
        digest: SHA-256 of that.
        own: whether it has models of the user's, whose modules may import Keras.
    """

    packed: bytes
    digest: str
    own: bool


def send(study: Study, *, code: bool = False) -> Sent:
    """The study for workers.

    Args:
        study: what they will be asked pieces of.
        code: whether models of the user's go along as code. Workers that are there already may not find their
            modules, or have read them before they were changed; those that we start read them anew.

    Raises:
        RecipeError: a model of the user's holds something that can't be sent.
    """
    import cloudpickle

    own = [entry.recipe.core for entry in study.entries if not storable(entry.recipe)]
    named = {_module_of(recipe) for recipe in own if code} - {"__main__"}
    modules = [sys.modules[name] for name in sorted(named) if name in sys.modules]
    try:
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        packed = cloudpickle.dumps(study)
    except (TypeError, ValueError, AttributeError, RecursionError, PicklingError) as error:
        if not own:
            raise
        names = ", ".join(map(recipe_name, own))
        raise RecipeError(
            f"{names} can't be sent to other processes: {error}. Let a function hold nothing but what it builds its "
            f"network from, and a recipe nothing but its settings; or take threads."
        ) from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return Sent(packed, sha256(packed).hexdigest(), bool(own))


def _module_of(recipe: Recipe) -> str:
    """The module of what the user has written."""
    written = recipe.function if isinstance(recipe, Own) else type(recipe)
    return str(getattr(written, "__module__", "__main__"))


#: The study that this process works for, under its digest, and who may look.
_received: dict[str, Study] = {}
_one_at_a_time = Lock()


def receive(sent: Sent) -> Study:
    """The study that was sent; read once a process, so that a network's program is compiled once."""
    with _one_at_a_time:
        if sent.digest not in _received:
            if sent.own:
                keras_on_jax()  # before a module of the user's imports Keras on another backend
            _received.clear()
            _received[sent.digest] = pickle.loads(sent.packed)
        return _received[sent.digest]


def fit_piece(study: Study, piece: Piece, checkpoints: Checkpoints | None = None) -> Done:
    """Fit one piece, on whatever machine: a pure function of the study and the piece.

    Raises:
        BacksightError: the model can't be fitted.
    """
    from threadpoolctl import threadpool_limits

    entry = study.entry(piece.entry)
    began = perf_counter()
    with _one_at_a_time:
        entry.recipe.load_libraries()
    # As in `runs.jobs`: sums in one order, whatever the number of cores.
    with threadpool_limits(1, user_api="blas"):
        (fitted,) = study.fit_of(entry, piece.fold)([piece.seed], lambda *_: None, checkpoints)
    return Done(pack(fitted), perf_counter() - began)
