"""What a blob holds of a forecaster of many series: how each is scaled, and where each has a forecaster of its own, it.

Arrays are stacked in the order of the series: scales one row a series, settings one number a series, and the arrays of
their forecasters end to end, for how long each is follows from its settings.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from backsight.errors import ModelFileError
from backsight.models.each import EachForecaster
from backsight.models.frozen import Frozen, Spec, Specs, check_specs, floats, specs_of
from backsight.models.recipe import Forecaster, Recipe
from backsight.runs.strict_json import canonical_json, read_object
from backsight.windows.scaling import EachScaler, Scaler

#: More numbers than this are no arrays of ours.
MOST = 2**31 - 1
_NAMES, _SETTINGS, _ARRAYS = "each/names", "each/settings/", "each/arrays/"
_SCALES = ("each/inputs/mean", "each/inputs/scale", "each/target/mean", "each/target/scale")

Arrays = dict[str, NDArray[Any]]


class EachNote(BaseModel):
    """What has to be known of the arrays before they are read.

    Attributes:
        series: how many there are.
        names: bytes of the text that holds their names.
        settings: of their forecasters; None where one forecaster is for all.
        sizes: numbers in the arrays of all their forecasters together, by name.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    series: int = Field(ge=1, le=MOST)
    names: int = Field(ge=1, le=MOST)
    settings: list[str] | None = None
    sizes: dict[str, int] = Field(default_factory=dict)


def pack_each(each: EachScaler, forecaster: Forecaster) -> tuple[EachNote, Arrays]:
    """A note and arrays; `unpack_scaler` and `unpack_forecasters` undo this to the bit.

    Args:
        each: how each series is scaled.
        forecaster: of all, or an `EachForecaster`.
    """
    names = np.frombuffer(canonical_json({"names": list(each.ids)}), dtype=np.uint8)
    scales = (each.inputs.mean, each.inputs.scale, each.target.mean, each.target.scale)
    arrays: Arrays = {_NAMES: names, **dict(zip(_SCALES, scales, strict=True))}
    if not isinstance(forecaster, EachForecaster):
        return EachNote(series=len(each.ids), names=len(names)), arrays
    frozen = [forecaster.of[name].freeze() for name in each.ids]
    settings, kinds = sorted(frozen[0].settings), sorted(frozen[0].arrays)
    arrays |= {_SETTINGS + s: np.array([one.settings[s] for one in frozen], dtype=np.int64) for s in settings}
    stacked = {kind: np.concatenate([one.arrays[kind].ravel() for one in frozen]) for kind in kinds}
    arrays |= {_ARRAYS + kind: stacked[kind] for kind in kinds}
    sizes = {kind: len(numbers) for kind, numbers in stacked.items()}
    return EachNote(series=len(each.ids), names=len(names), settings=settings, sizes=sizes), arrays


def expected_each(note: EachNote, columns: int) -> Specs:
    """The arrays that `pack_each` has given."""
    specs = {
        _NAMES: Spec("uint8", (note.names,)),
        **{name: floats(note.series, columns) for name in _SCALES[:2]},
        **{name: floats(note.series) for name in _SCALES[2:]},
    }
    specs |= {_SETTINGS + name: Spec("int64", (note.series,)) for name in note.settings or ()}
    for name, size in note.sizes.items():
        if not 0 <= size <= MOST:
            raise ModelFileError(f"Array {name!r} can't have {size} numbers.")
        specs[_ARRAYS + name] = floats(size)
    return specs


def unpack_scaler(note: EachNote, arrays: Mapping[str, NDArray[Any]]) -> EachScaler:
    """How each series is scaled.

    Raises:
        ModelFileError: names or scales are not what they must be.
    """
    values = read_object(arrays[_NAMES].tobytes(), "The text of the names")
    names = values.get("names")
    if set(values) != {"names"} or not isinstance(names, list) or len(names) != note.series:
        raise ModelFileError(f"It must name {note.series} series.")
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ModelFileError("Names of series are texts, and no two alike.")
    inputs, target = Scaler(*(arrays[name] for name in _SCALES[:2])), Scaler(*(arrays[name] for name in _SCALES[2:]))
    for scaler in (inputs, target):
        if not (np.isfinite(scaler.mean).all() and np.isfinite(scaler.scale).all() and (scaler.scale > 0).all()):
            raise ModelFileError("Means and scales of each series must be finite, and scales above 0.")
    return EachScaler(tuple(names), inputs, target, alone=len(names) == 1)


def unpack_forecasters(
    note: EachNote,
    arrays: Mapping[str, NDArray[Any]],
    ids: tuple[str, ...],
    recipe: Recipe,
    shape: tuple[int, int, int],
) -> dict[str, Frozen] | None:
    """The frozen forecaster of each series, by its name; None where there is one for all.

    Args:
        note, arrays: of the blob.
        ids: names of the series.
        recipe: of every forecaster.
        shape: lookback, features and horizon of their windows.

    Raises:
        ModelFileError: they are not forecasters of the recipe.
    """
    if note.settings is None:
        return None
    begun = dict.fromkeys(note.sizes, 0)
    frozen = {}
    for place, name in enumerate(ids):
        settings = {s: int(arrays[_SETTINGS + s][place]) for s in note.settings}
        specs = recipe.expected(*shape, settings)
        if set(specs) != set(begun):
            raise ModelFileError(f"A forecaster of this kind has arrays {sorted(specs)}; it has {sorted(begun)}.")
        own = {}
        for kind, spec in specs.items():
            end = begun[kind] + prod(spec.shape)
            numbers = arrays[_ARRAYS + kind][begun[kind] : end]
            if len(numbers) < prod(spec.shape):
                raise ModelFileError(f"Array {kind!r} of series {name[:40]!r} is cut off.")
            own[kind], begun[kind] = numbers.reshape(spec.shape), end
        check_specs(specs_of(own), specs)
        frozen[name] = Frozen(settings, own)
    if begun != note.sizes:
        raise ModelFileError("There are numbers that belong to no series.")
    return frozen
