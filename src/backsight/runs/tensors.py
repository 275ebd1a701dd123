"""Arrays and one JSON text as a safetensors blob, and such blobs read from files that anybody may have written.

Reading is done here and not by the library: a blob may come in pieces, its shapes are checked before its numbers are
read, and a file of today must be readable whatever later versions of the library do. A test holds both against each
other.

Source: the format is eight bytes with the length of a JSON header, the header, and the numbers, little end first:
https://huggingface.co/docs/safetensors.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backsight.errors import ModelFileError
from backsight.models.frozen import Spec, Specs, check_specs
from backsight.runs.strict_json import canonical_json, read_object

#: Bytes of the header. Our largest networks have a few hundred arrays.
LONGEST_HEADER = 1_000_000
#: The one key of the metadata.
KEY = "backsight"
#: Names of the types in safetensors, by NumPy's. All that our arrays have, and a user's network may.
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip

Arrays = dict[str, NDArray[Any]]


def write_tensors(arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]) -> bytes:
    """Arrays and a note as one blob: equal ones give equal bytes.

    Args:
        arrays: by name.
        note: plain values that JSON can hold.
    """
    from safetensors.numpy import save

    dense = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return save(dense, {KEY: canonical_json(note).decode()})


def read_tensors(
    read: Callable[[int], bytes], size: int, expect: Callable[[dict[str, Any]], Specs]
) -> tuple[dict[str, Any], Arrays]:
    """The note and the arrays of a blob. No more is read than what is expected.

    Args:
        read: gives the next bytes, so many as it is asked for.
        size: of the blob.
        expect: says, from the note, what the arrays must be. Raises ModelFileError if that can't be our note.

    Returns:
        the note, as whatever JSON object it is, and the arrays by name, in the order of their names; read-only.

    Raises:
        ModelFileError: the blob is damaged, or its arrays are not what is expected.
    """
    length = int.from_bytes(read(min(8, size)), "little")
    if size < 8 or not 2 <= length <= min(size - 8, LONGEST_HEADER):
        raise ModelFileError("It is no safetensors blob, or was cut off.")
    header = read_object(read(length), "The header")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or set(metadata) != {KEY} or not isinstance(metadata[KEY], str):
        raise ModelFileError(f"Its metadata must hold a text under {KEY!r}, and nothing else.")
    note = read_object(metadata[KEY].encode("utf-8", "surrogatepass"), "The note")
    specs = {name: _read_spec(name, about) for name, about in header.items()}
    check_specs(specs, expect(note))
    places = _places(header, specs, size - 8 - length)
    numbers = read(size - 8 - length)
    return note, {name: _array(numbers, specs[name], places[name]) for name in sorted(specs)}


def read_from(data: bytes) -> Callable[[int], bytes]:
    """Gives the next bytes of a text that is there already.

    >>> read = read_from(b"abc")
    >>> read(1), read(2)
    (b'a', b'bc')
    """
    rest = memoryview(data)

    def read(count: int) -> bytes:
        nonlocal rest
        piece, rest = bytes(rest[:count]), rest[count:]
        return piece

    return read


def _read_spec(name: str, about: Any) -> Spec:
    if not isinstance(about, dict) or set(about) != {"dtype", "shape", "data_offsets"}:
        raise ModelFileError(f"Array {name!r} must have a type, a shape and a place.")
    dtype, shape, place = about["dtype"], about["shape"], about["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES or not (_counts(shape) and _counts(place) and len(place) == 2):
        raise ModelFileError(f"Array {name!r} has no type, shape or place of ours.")
    return Spec(DTYPES[dtype], tuple(shape))


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and n >= 0 for n in values)


def _places(header: Mapping[str, Any], specs: Specs, size: int) -> dict[str, int]:
    """Where each array begins. They lie side by side, in the order in which they begin, and fill the blob."""
    places, end = {}, 0
    for name, about in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = about["data_offsets"]
        if begin != end or stop - begin != specs[name].size:
            raise ModelFileError(f"Array {name!r} is not where it must be: right after the one before.")
        places[name], end = begin, stop
    if end != size:
        raise ModelFileError(f"Its arrays take {end} bytes; it has {size}.")
    return places


def _array(numbers: bytes, spec: Spec, begin: int) -> NDArray[Any]:
    flat = np.frombuffer(numbers, np.uint8, spec.size, begin).view(np.dtype(spec.dtype).newbyteorder("<"))
    return flat.astype(spec.dtype, copy=False).reshape(spec.shape)
