"""Errors by epoch, and what they say."""

from dataclasses import dataclass


@dataclass(frozen=True)
class History:
    """Errors by epoch of one training.

    Attributes:
        train_rmse: one an epoch, gathered while learning (so each batch before its own step), in the
            target's unit.
        val_rmse: one an epoch, after it, in the target's unit.
        kept_epoch: the epoch whose weights were kept, counted from 1.
        train_pinball, val_pinball: mean pinball losses, likewise, of a training that learnt quantiles: there they are
            what was made small and watched, and the RMSE is that of the median. Empty of any other.
    """

    train_rmse: tuple[float, ...]
    val_rmse: tuple[float, ...]
    kept_epoch: int
    train_pinball: tuple[float, ...] = ()
    val_pinball: tuple[float, ...] = ()

    @property
    def epochs(self) -> int:
        """How many were run."""
        return len(self.val_rmse)
