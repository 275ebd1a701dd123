"""One fitted forecaster as one safetensors blob: what model files, run folders and other processes hold of it.

Arrays are the forecaster's and the scaler's; all else is one JSON text in the metadata. Equal forecasters give equal
bytes, and nothing is built before names, types, shapes and sizes are what the entry says they must be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from backsight.errors import ModelFileError, explain_validation
from backsight.models.frozen import Frozen, Specs, floats
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted
from backsight.runs.tensors import read_from, read_tensors, write_tensors
from backsight.training.plan import Plan
from backsight.windows.scaling import Scaler
from backsight.windows.windows import View, input_names

#: Raised whenever what the blob holds changes its meaning; older ones stay readable.
VERSION = 1
_SCALER = ("scaler/mean", "scaler/scale")
_FORECASTER = "forecaster/"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _ViewNote(_Strict):
    """A `View` but for its scaler."""

    target: str
    features: list[str]
    calendar: bool
    lookback: int = Field(ge=1)
    horizon: int = Field(ge=1)
    target_mean: FiniteFloat
    target_scale: FiniteFloat = Field(gt=0)


class _Note(_Strict):
    """The JSON text beside the arrays."""

    version: int
    family: str
    seed: int = Field(ge=0)
    train_windows: int = Field(ge=1)
    view: _ViewNote
    settings: dict[str, int]


@dataclass(frozen=True, eq=False)
class Packed:
    """A blob that was read and checked; nothing is built yet.

    Attributes:
        entry: that it belongs to.
        seed, train_windows: see `Fitted`.
        view: columns, scaling, lookback and horizon.
        frozen: the forecaster.
    """

    entry: Entry
    seed: int
    train_windows: int
    view: View
    frozen: Frozen

    def thaw(self, plan: Plan, seconds: float) -> Fitted:
        """The fitted forecaster.

        Args:
            plan: by which it was trained.
            seconds: that this took; no part of the blob, for they differ from time to time.

        Raises:
            ModelFileError: the values contradict each other.
        """
        shape = (self.view.lookback, _columns(self.view), self.view.horizon)
        forecaster = self.entry.recipe.thaw(self.frozen, *shape, plan)
        return Fitted(self.entry, self.seed, self.view, forecaster, self.train_windows, seconds)

    def require_finite(self) -> None:
        """Make sure that it can forecast: every number is finite, but for the errors of epochs that diverged.

        Raises:
            ModelFileError: it can't; the message names the array.
        """
        for name, array in self.frozen.arrays.items():
            if not name.startswith("history/") and not np.isfinite(array).all():
                raise ModelFileError(f"Array {name!r} holds numbers that are not finite.")


def pack(fitted: Fitted) -> bytes:
    """A fitted forecaster as bytes; `unpack` undoes this to the bit.

    A network that diverged can be packed too: a run that goes on must know of it.

    Raises:
        RecipeError: it is of a class that can't be kept.
    """
    frozen = fitted.forecaster.freeze()
    view, arrays = _pack_view(fitted.view)
    arrays |= {_FORECASTER + name: array for name, array in frozen.arrays.items()}
    note = {
        "version": VERSION,
        "family": fitted.entry.recipe.family,
        "seed": fitted.seed,
        "train_windows": fitted.train_windows,
        "view": view,
        "settings": dict(frozen.settings),
    }
    return write_tensors(arrays, note)


def unpack(data: bytes, entry: Entry, plan: Plan, seconds: float = 0.0) -> Fitted:
    """The fitted forecaster of an entry, from the bytes that `pack` made of it.

    Args:
        data: whose length and checksum were checked.
        entry: that was fitted.
        plan: by which it was trained.
        seconds: that this took.

    Raises:
        ModelFileError: the bytes are damaged, or belong to another entry.
    """
    return read_packed(read_from(data), len(data), entry).thaw(plan, seconds)


def read_packed(read: Callable[[int], bytes], size: int, entry: Entry) -> Packed:
    """Read and check a blob: keys, types, shapes and sizes, by what the entry says they must be.

    Args:
        read: gives the next bytes, so many as it is asked for.
        size: of the blob.
        entry: that it should belong to.

    Raises:
        ModelFileError: the bytes are damaged, or belong to another entry.
    """
    values, arrays = read_tensors(read, size, lambda note: _expected(_read_note(note), entry))
    note = _read_note(values)
    forecaster = {name.removeprefix(_FORECASTER): arrays[name] for name in arrays if name.startswith(_FORECASTER)}
    view = _unpack_view(note.view, arrays)
    return Packed(entry, note.seed, note.train_windows, view, Frozen(note.settings, forecaster))


def _pack_view(view: View) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A view as plain values and arrays; `_unpack_view` undoes this."""
    note = _ViewNote(
        target=view.target,
        features=list(view.features),
        calendar=view.calendar,
        lookback=view.lookback,
        horizon=view.horizon,
        target_mean=view.target_mean,
        target_scale=view.target_scale,
    )
    return note.model_dump(), dict(zip(_SCALER, (view.scaler.mean, view.scaler.scale), strict=True))


def _unpack_view(note: _ViewNote, arrays: Mapping[str, NDArray[Any]]) -> View:
    mean, scale = (arrays[name] for name in _SCALER)
    if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise ModelFileError("Its columns' means and scales must be finite, and scales above 0.")
    values = note.model_dump()
    return View(**{**values, "features": tuple(note.features)}, scaler=Scaler(mean, scale))


def _columns(view: View | _ViewNote) -> int:
    return len(input_names(tuple(view.features), view.calendar))


def _expected(note: _Note, entry: Entry) -> Specs:
    """All arrays of the blob, if it is the entry's."""
    view = note.view
    if note.version != VERSION:
        raise ModelFileError(f"It is of version {note.version}; this backsight reads version {VERSION}.")
    if note.family != entry.recipe.family:
        raise ModelFileError(f"It holds a model {note.family!r}; {entry.name} is {entry.recipe.family!r}.")
    for name in ("features", "calendar", "lookback"):
        found, asked = getattr(view, name), getattr(entry, name)
        if found != (list(asked) if name == "features" else asked):
            raise ModelFileError(f"Its {name} must be {asked}, as in {entry.name}; it has {found}.")
    columns = _columns(view)
    of_forecaster = entry.recipe.expected(view.lookback, columns, view.horizon, note.settings)
    return {name: floats(columns) for name in _SCALER} | {_FORECASTER + n: spec for n, spec in of_forecaster.items()}


def _read_note(values: Mapping[str, Any]) -> _Note:
    try:
        return _Note.model_validate(values)
    except ValidationError as error:
        raise ModelFileError(f"Its note is not of our form. {explain_validation(error)}") from error
