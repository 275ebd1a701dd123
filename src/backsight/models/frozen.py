"""Fitted forecasters as plain values: what a file, another process or another machine is given of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backsight.errors import ModelFileError

#: No forecaster counts higher. Keeps products of counts within what Python's numbers print in one line.
MOST = 2**31 - 1


class Spec(NamedTuple):
    """What an array must be like.

    Attributes:
        dtype: NumPy's name of its type.
        shape: of the whole array.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


Specs = dict[str, Spec]


@dataclass(frozen=True, eq=False)
class Frozen:
    """A fitted forecaster as plain values; its recipe makes a forecaster of them again (`Recipe.thaw`).

    Attributes:
        settings: counts that fitting chose, such as the length of a season; JSON holds them.
        arrays: by name; the names say what they are, such as "lstm_1/kernel".

    Two are equal if every number is, to the bit.

    >>> Frozen({"season": 7}, {}) == Frozen({"season": 7}, {}) != Frozen({"season": 365}, {})
    True
    """

    settings: Mapping[str, int]
    arrays: Mapping[str, NDArray[Any]]

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frozen):
            return NotImplemented
        return self.settings == other.settings and _bits(self.arrays) == _bits(other.arrays)


def floats(*shape: int) -> Spec:
    """An array of float64.

    >>> floats(3, 2)
    Spec(dtype='float64', shape=(3, 2))
    """
    return Spec("float64", shape)


def take_counts(settings: Mapping[str, Any], **lowest: int) -> tuple[int, ...]:
    """The counts of these names, which must be all that there is.

    Args:
        settings: of a `Frozen`, from wherever it came.
        lowest: what each count must at least be, by name.

    Raises:
        ModelFileError: one is missing, unknown, no whole number or out of its range.

    >>> take_counts({"yearly": 2, "daily": 0}, yearly=0, daily=0)
    (2, 0)
    """
    if set(settings) != set(lowest):
        raise ModelFileError(f"Its settings must be {_names(lowest)}; they are {_names(settings)}.")
    for name, least in lowest.items():
        value = settings[name]
        if type(value) is not int or not least <= value <= MOST:
            raise ModelFileError(f"Its setting {name} must be a whole number from {least} to {MOST}; it is {value!r}.")
    return tuple(settings[name] for name in lowest)


def check_specs(arrays: Mapping[str, Spec], expected: Mapping[str, Spec]) -> None:
    """Make sure that the arrays are those that are expected: names, types and shapes.

    Raises:
        ModelFileError: they are not; the message names the first that differs.
    """
    for name, spec in expected.items():
        if name not in arrays:
            raise ModelFileError(f"Array {name!r} is missing.")
        if arrays[name] != spec:
            raise ModelFileError(f"Array {name!r} must be {_show(spec)}; it is {_show(arrays[name])}.")
    for name in arrays:
        if name not in expected:
            raise ModelFileError(f"Array {name!r} belongs to nothing.")


def specs_of(arrays: Mapping[str, NDArray[Any]]) -> Specs:
    """What the arrays are like."""
    return {name: Spec(array.dtype.name, array.shape) for name, array in arrays.items()}


def _bits(arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[Spec, bytes]]:
    return {name: (spec, arrays[name].tobytes()) for name, spec in specs_of(arrays).items()}


def _names(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"


def _show(spec: Spec) -> str:
    return f"{spec.dtype} of shape {spec.shape}"
