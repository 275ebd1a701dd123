"""The compiled kernels: where they are, whether they fit this JAX, and which copy of them runs here."""

import ctypes
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import jax

#: The functions that XLA may call, by the name under which they are registered.
TARGETS = ("backsight_forward", "backsight_backward", "backsight_input_gradient", "backsight_adam")
HOW_TO_BUILD = (
    "Install a C++ compiler (Debian: apt install g++; macOS: xcode-select --install; conda: conda install "
    "cxx-compiler), then backsight again, from its source: pip install --force-reinstall --no-deps --no-cache-dir, "
    "and what you installed it from."
)


class Rows(NamedTuple):
    """What a cell keeps for each of its units; see `kernels/calls.h`."""

    gates: int
    biases: int
    rows: int
    saved: int
    extra: int
    carries: int


@dataclass(frozen=True)
class Kernels:
    """The kernels of this process.

    Attributes:
        vectors: the copy in use, after the processor's vector instructions: avx512, avx2 or plain; None
            without kernels.
        why_not: a sentence, if they are not in use.
        rows: of each cell, in the order of `kernels/calls.h`.
        count_trainings: tells them that a training begins (1) or ends (-1); see `beside_others`.
    """

    vectors: str | None
    why_not: str = ""
    rows: tuple[Rows, ...] = ()
    count_trainings: Callable[[int], object] = lambda change: None

    @property
    def loaded(self) -> bool:
        return self.vectors is not None


def library_path() -> Path | None:
    """The shared library that was built with the package, if one was."""
    folder = files("backsight.recurrence")
    for name in ("_kernels.so", "_kernels.dylib", "_kernels.dll"):
        path = folder / name
        if path.is_file():
            return Path(str(path))
    return None


def load(path: Path | None) -> Kernels:
    """Load the kernels from a file and register them with XLA.

    A file that this machine or this JAX cannot use is reported by one warning and a sentence in
    `why_not`: recurrent layers then run on plain JAX, slower and with the same numbers.
    """
    if path is None:
        return Kernels(None, f"They were not built when backsight was installed. {HOW_TO_BUILD}")
    try:
        library = ctypes.CDLL(str(path))
        functions = {target: getattr(library, target) for target in TARGETS}
        vectors, rows_of = library.backsight_vectors, library.backsight_rows
        count_trainings = library.backsight_count_trainings
        # Before its CPU is there, JAX only takes notes, and a library for another XLA would fail in whatever
        # is computed next.
        jax.devices("cpu")
        for target, function in functions.items():
            capsule = jax.ffi.pycapsule(function)  # type: ignore[no-untyped-call]
            jax.ffi.register_ffi_target(target, capsule, platform="cpu")
    except (OSError, AttributeError, RuntimeError) as error:  # no library; a function is missing; another XLA
        why_not = f"{path.name} does not fit this machine or JAX {jax.__version__} ({error}). {HOW_TO_BUILD}"
        warnings.warn(f"backsight's fused recurrent kernels are not in use: {why_not}", RuntimeWarning, stacklevel=2)
        return Kernels(None, why_not)
    vectors.restype = ctypes.c_char_p
    rows_of.restype = ctypes.POINTER(ctypes.c_long * len(Rows._fields))
    rows = tuple(Rows(*rows_of(ctypes.c_long(cell)).contents) for cell in range(4))
    count_trainings.argtypes, count_trainings.restype = [ctypes.c_long], None
    return Kernels(vectors().decode(), "", rows, count_trainings)


_LOADING = Lock()


def kernels() -> Kernels:
    """The kernels that were built with the package; loaded once, whichever thread asks first."""
    with _LOADING:
        return _loaded()


@contextmanager
def beside_others() -> Iterator[None]:
    """While a network is trained: the kernels leave the other cores to those that are trained beside it.

    A call of a kernel is done by several cores where they have nothing else to do. That changes how long it takes,
    never its numbers. Who does not say that he trains, as Keras's own `fit`, shares the cores as calls happen to meet.

    >>> with beside_others():
    ...     pass
    """
    if jax.default_backend() != "cpu":  # where JAX has no CPU, the kernels cannot be loaded
        yield
        return
    count = kernels().count_trainings
    count(1)
    try:
        yield
    finally:
        count(-1)


@cache
def _loaded() -> Kernels:
    return load(library_path())
