"""Where a training stands after an epoch: enough to go on with the same bits. Imports neither Keras nor JAX."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

#: Of one seed: the mean squared training and validation error of every epoch, scaled; then, where quantiles are
#: learnt, both pinball losses.
Losses = tuple[tuple[float, ...], ...]
Leaves = tuple[NDArray[Any], ...]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training between two epochs.

    Attributes:
        seeds: that are trained; several if one program steps them all.
        losses: of each seed. What early stopping knows follows from them.
        state: every array of the program's state, weights and Adam's moments, in the order of its tree; of
            several seeds, each with a leading axis of seeds.
        kept: of the state whose weights are kept so far.
    """

    seeds: tuple[int, ...]
    losses: tuple[Losses, ...]
    state: Leaves
    kept: Leaves

    @property
    def epoch(self) -> int:
        """The last epoch that was finished, counted from 1."""
        return max(map(len, self.losses))


class Checkpoints(Protocol):
    """Keeps the latest checkpoint of a training.

    `save` is called after every epoch, so it must be quick.
    """

    def load(self, seeds: Sequence[int]) -> Checkpoint | None:
        """The latest one of a training of these seeds together; None if there is none."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep this one in place of the one before."""
