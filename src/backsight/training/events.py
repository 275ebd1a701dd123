"""What training reports; imports neither Keras nor JAX, so that anyone may listen."""

from typing import NamedTuple


class EpochDone(NamedTuple):
    """Reported after every epoch; errors are RMSE in the target's unit, whatever is learnt.

    `all_val_rmse` is of every epoch so far, those before a kill among them.
    """

    epoch: int
    epochs: int
    train_rmse: float
    val_rmse: float
    best_val_rmse: float
    all_val_rmse: tuple[float, ...] = ()
