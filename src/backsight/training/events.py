"""What training reports; imports neither Keras nor JAX, so that anyone may listen."""

from typing import NamedTuple


class EpochDone(NamedTuple):
    """Reported after every epoch; errors are RMSE in the target's unit, whatever is learnt."""

    epoch: int
    epochs: int
    train_rmse: float
    val_rmse: float
    best_val_rmse: float
