"""Checkpoints of trainings as files of a run: one a training, replaced after every epoch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from backsight.runs.durable import remove_durably, told, write_whole
from backsight.training.checkpoint import Checkpoint, Leaves

_DIGEST = sha256().digest_size


@dataclass(frozen=True)
class FileCheckpoints:
    """The latest checkpoint of one training, in one file.

    It is not flushed to disk: a killed process leaves it whole, and a power cut costs the training so far at most.

    Attributes:
        path: of the file.
    """

    path: Path

    def load(self, seeds: Sequence[int]) -> Checkpoint | None:
        """The checkpoint of these seeds; None without one, and where a power cut has damaged it.

        Raises:
            SettingError: it can't be read.
        """
        if not self.path.is_file():
            return None
        with told(self.path, "read"):
            data = self.path.read_bytes()
        found = decode(data)
        return found if found is not None and found.seeds == tuple(seeds) else None

    def save(self, checkpoint: Checkpoint) -> None:
        """Put this one in place of the one before.

        Raises:
            SettingError: it can't be written.
        """
        write_whole(self.path, encode(checkpoint))

    def remove(self) -> None:
        """Remove it, if there is one.

        Raises:
            SettingError: it can't be removed.
        """
        remove_durably(self.path)


def _not_below_zero(loss: float) -> float:
    if loss < 0:
        raise ValueError("a squared error is not below zero")
    return loss


def encode(checkpoint: Checkpoint) -> bytes:
    """A SHA-256, and what it is of: arrays as safetensors, the rest as JSON beside them."""
    from safetensors.numpy import save

    same = checkpoint.kept is checkpoint.state
    arrays = _named("state", checkpoint.state) | ({} if same else _named("kept", checkpoint.kept))
    beside = json.dumps({"seeds": checkpoint.seeds, "losses": checkpoint.losses})
    data = save(arrays, {"checkpoint": beside})
    return sha256(data).digest() + data


def decode(data: bytes) -> Checkpoint | None:
    """What `encode` was given; None if the bytes are not whole."""
    digest, data = data[:_DIGEST], data[_DIGEST:]
    if sha256(data).digest() != digest:
        return None
    from safetensors import SafetensorError
    from safetensors.numpy import load

    # A checksum is no signature: who wrote it may still have written anything.
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        beside = _Beside.model_validate(json.loads(header["__metadata__"]["checkpoint"]))
        arrays = load(data)
        state, kept = _taken("state", arrays), _taken("kept", arrays)
    except (ValidationError, SafetensorError, KeyError, TypeError, ValueError, RecursionError):
        return None
    if not state:
        return None
    return Checkpoint(beside.seeds, beside.losses, state, kept or state)


#: NaN of a training that has diverged is one of them.
_Loss = Annotated[float, AfterValidator(_not_below_zero)]


class _Beside(BaseModel):
    """What stands beside the arrays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: tuple[int, ...] = Field(min_length=1)
    losses: tuple[tuple[tuple[_Loss, ...], ...], ...]

    @model_validator(mode="after")
    def _one_list_a_seed(self) -> Self:
        if len(self.losses) != len(self.seeds) or not any(self.losses):
            raise ValueError("losses are one list a seed")
        return self


def _named(prefix: str, leaves: Leaves) -> dict[str, NDArray[Any]]:
    return {f"{prefix}.{place}": leaf for place, leaf in enumerate(leaves)}


def _taken(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Leaves:
    places = sorted(int(name.partition(".")[2]) for name in arrays if name.startswith(f"{prefix}."))
    return tuple(arrays[f"{prefix}.{place}"] for place in places)
