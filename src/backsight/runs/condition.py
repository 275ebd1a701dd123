"""The condition of this installation: which of the paths that give the same numbers are in use."""

import platform
from dataclasses import dataclass
from importlib.metadata import version

import backsight
from backsight.engine import device_names, keras_on_jax, program_folder
from backsight.program_cache import FOLDER_VARIABLE, entries
from backsight.runs.jobs import cores
from backsight.series.catalogue import CATALOGUE, local_file


@dataclass(frozen=True)
class Condition:
    """What `examine_machine` found.

    Attributes:
        backsight, python, keras, jax: versions.
        devices: that JAX computes on.
        workers: fits that run at a time if nobody says otherwise.
        kernels: the copy of the fused kernels in use (avx512, avx2, plain), or None.
        programs: the folder where compiled programs are kept, or None.
        cached: how many it holds.
        datasets: of the catalogue, on this machine.
        advice: a sentence for everything that could be better.
    """

    backsight: str
    python: str
    keras: str
    jax: str
    devices: tuple[str, ...]
    workers: int
    kernels: str | None
    programs: str | None
    cached: int
    datasets: tuple[str, ...]
    advice: tuple[str, ...]


def examine_machine() -> Condition:
    """Look at this installation and this machine; loads Keras and JAX.

    >>> examine_machine().backsight == backsight.__version__
    True
    """
    keras = keras_on_jax()
    from backsight.recurrence.library import kernels

    fused, place = kernels(), program_folder()
    advice = []
    if not fused.loaded:
        advice.append(
            f"Recurrent layers train slower than they could: the fused kernels are not in use. {fused.why_not}"
        )
    if place is None:
        advice.append(
            f"Programs are compiled anew in every process: {FOLDER_VARIABLE} is empty, or the cache folder can't be "
            f"written. Name a folder in {FOLDER_VARIABLE}."
        )
    return Condition(
        backsight=backsight.__version__,
        python=platform.python_version(),
        keras=keras.__version__,
        jax=version("jax"),
        devices=device_names(),
        workers=cores(),
        kernels=fused.vectors,
        programs=str(place) if place else None,
        cached=len(entries(place)) if place else 0,
        datasets=tuple(name for name, dataset in CATALOGUE.items() if local_file(dataset)),
        advice=tuple(advice),
    )
