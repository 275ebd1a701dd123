"""The one door to Keras and JAX: whoever needs them asks here, so that both are set up alike."""

import os
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

from backsight.errors import SettingError
from backsight.program_cache import WORKING, cache_folder, open_cache

#: XLA's own threads stay out of a program: seeds run side by side instead, and one thread adds up
#: sums in one order, so that the same seed gives the same bytes whatever runs beside it.
COMPILER_OPTIONS: dict[str, str | bool] = {
    "xla_cpu_multi_thread_eigen": False,
    "xla_cpu_enable_concurrency_optimized_scheduler": False,
}

#: Seeds that one program trains on an accelerator, at most: memory for weights, moments and batches goes with them.
MOST_TOGETHER = 16


@cache
def keras_on_jax() -> ModuleType:
    """Keras 3, on its JAX backend.

    Raises:
        SettingError: this process has loaded Keras on another backend already.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras

    if keras.backend.backend() != "jax":
        raise SettingError(
            f"backsight trains on Keras's JAX backend, and this process has loaded Keras on "
            f"{keras.backend.backend()!r}. Start Python anew and import backsight before Keras, with "
            f"KERAS_BACKEND=jax or without that variable."
        )
    # A lookback of 1 may be asked of attention too; Keras takes that for a slip.
    warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)
    _keep_programs(jax)
    # A program then runs in the thread that calls it, so a pool of n threads keeps n cores busy.
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # type: ignore[no-untyped-call]
    if accelerated():
        _full_precision(jax)
    return sys.modules["keras"]


def device_names() -> tuple[str, ...]:
    """The devices that JAX computes on, as in ("cpu",)."""
    keras_on_jax()
    import jax

    return tuple(device.device_kind for device in jax.devices())


def program_folder() -> Path | None:
    """Where compiled programs are kept between runs; None if they are not."""
    keras_on_jax()
    import jax

    named: str | None = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if named is None:
        return None
    folder = Path(named)
    return folder.parent if folder.name.startswith(WORKING) else folder


def accelerated() -> bool:
    """Whether programs run on a GPU or TPU."""
    import jax

    return jax.default_backend() != "cpu"


def seeds_at_once() -> int:
    """How many seeds of a network one program trains, at most.

    One on a processor: seeds side by side keep its cores busy, and each stays in its core's cache. Several on
    an accelerator: these networks are far too small to fill one, and a step takes as long as the launch of its
    many small kernels, whether each of them works on one seed or on all.

    >>> seeds_at_once() in (1, MOST_TOGETHER)
    True
    """
    return MOST_TOGETHER if accelerated() else 1


def _full_precision(jax: ModuleType) -> None:
    """Products of all 24 bits, unless the user wants others: by itself an accelerator takes 8 or 11 of them."""
    if jax.config.jax_default_matmul_precision is None:
        jax.config.update("jax_default_matmul_precision", "highest")


def _keep_programs(jax: ModuleType) -> None:
    """Let JAX keep what it compiles, unless the user has told it where to, or there is no place for it."""
    if jax.config.jax_compilation_cache_dir is not None:
        return
    folder = cache_folder(jax.__version__)
    if folder is None:
        return
    try:
        working = open_cache(folder)
    except OSError:  # a read-only home: `backsight doctor` says so
        return
    jax.config.update("jax_compilation_cache_dir", str(working))
    # Caches of XLA's own would put the folder's name into every key, and it is another one each time.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
