"""One fitted forecaster as one safetensors blob: what model files, run folders and other processes hold of it.

Arrays are the forecaster's and the scaler's; all else is one JSON text in the metadata. Equal forecasters give equal
bytes, and nothing is built before names, types, shapes and sizes are what the entry says they must be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from backsight.errors import ModelFileError, explain_validation
from backsight.models.each import EachForecaster
from backsight.models.frozen import Frozen, Specs, floats
from backsight.models.recipe import Forecaster
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted
from backsight.runs.packed_each import EachNote, expected_each, pack_each, unpack_forecasters, unpack_scaler
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
    each: EachNote | None = None


@dataclass(frozen=True, eq=False)
class Packed:
    """A blob that was read and checked; nothing is built yet.

    Attributes:
        entry: that it belongs to.
        seed, train_windows: see `Fitted`.
        view: columns, scaling, lookback and horizon.
        frozen: the forecaster; where each of many series has one, all of them by its name.
    """

    entry: Entry
    seed: int
    train_windows: int
    view: View
    frozen: Frozen | Mapping[str, Frozen]

    def thaw(self, plan: Plan, seconds: float) -> Fitted:
        """The fitted forecaster.

        Args:
            plan: by which it was trained.
            seconds: that this took; no part of the blob, for they differ from time to time.

        Raises:
            ModelFileError: the values contradict each other.
        """
        shape = (self.view.lookback, _columns(self.view), self.view.horizon)
        thaw = self.entry.recipe.thaw
        forecaster: Forecaster
        if isinstance(self.frozen, Frozen):
            forecaster = thaw(self.frozen, *shape, plan)
        else:
            forecaster = EachForecaster({name: thaw(one, *shape, plan) for name, one in self.frozen.items()})
        return Fitted(self.entry, self.seed, self.view, forecaster, self.train_windows, seconds)

    def require_finite(self) -> None:
        """Make sure that it can forecast: every number is finite, but for the errors of epochs that diverged.

        Raises:
            ModelFileError: it can't; the message names the array.
        """
        for frozen in [self.frozen] if isinstance(self.frozen, Frozen) else self.frozen.values():
            for name, array in frozen.arrays.items():
                if not name.startswith("history/") and not np.isfinite(array).all():
                    raise ModelFileError(f"Array {name!r} holds numbers that are not finite.")


def pack(fitted: Fitted) -> bytes:
    """A fitted forecaster as bytes; `unpack` undoes this to the bit.

    A network that diverged can be packed too: a run that goes on must know of it.

    Raises:
        RecipeError: it is of a class that can't be kept.
    """
    each_has_one = isinstance(fitted.forecaster, EachForecaster)
    frozen = Frozen({}, {}) if each_has_one else fitted.forecaster.freeze()
    view, arrays = _pack_view(fitted.view)
    arrays |= {_FORECASTER + name: array for name, array in frozen.arrays.items()}
    each = {}
    if fitted.view.each is not None:
        each_note, of_each = pack_each(fitted.view.each, fitted.forecaster)
        arrays |= of_each
        each = {"each": each_note.model_dump()}
    note = {
        "version": VERSION,
        "family": fitted.entry.recipe.family,
        "seed": fitted.seed,
        "train_windows": fitted.train_windows,
        "view": view,
        "settings": dict(frozen.settings),
        **each,
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
    frozen: Frozen | Mapping[str, Frozen] = Frozen(note.settings, forecaster)
    if note.each is not None:
        view = replace(view, each=(each := unpack_scaler(note.each, arrays)))
        shape = (view.lookback, _columns(view), view.horizon)
        of_each = unpack_forecasters(note.each, arrays, each.ids, entry.recipe, shape)
        frozen = frozen if of_each is None else of_each
    return Packed(entry, note.seed, note.train_windows, view, frozen)


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
    of_scaler = {name: floats(columns) for name in _SCALER}
    if note.each is not None:
        of_scaler |= expected_each(note.each, columns)
        if (note.each.settings is None) != entry.recipe.reads_window:
            raise ModelFileError(f"Of many series {entry.recipe.family!r} must have one forecaster, or one of each.")
        if note.each.settings is not None:
            return of_scaler
    of_forecaster = entry.recipe.expected(view.lookback, columns, view.horizon, note.settings)
    return of_scaler | {_FORECASTER + n: spec for n, spec in of_forecaster.items()}


def _read_note(values: Mapping[str, Any]) -> _Note:
    try:
        return _Note.model_validate(values)
    except ValidationError as error:
        raise ModelFileError(f"Its note is not of our form. {explain_validation(error)}") from error
