"""Early stopping: what is kept of a training, and when it ends. Plain numbers, neither Keras nor JAX."""

from collections.abc import Iterable
from math import inf, sqrt

from backsight.training.checkpoint import Losses
from backsight.training.events import EpochDone
from backsight.training.history import History
from backsight.training.plan import Plan


class Watch:
    """One seed's errors so far, and what the plan makes of them.

    >>> watch = Watch(Plan(patience=2), scale=10.0)
    >>> [watch.note(1.0, val_loss) for val_loss in (4.0, 1.0, 9.0, 9.0)]
    [True, True, False, False]
    >>> watch.stopped, watch.history.kept_epoch, watch.history.val_rmse
    (True, 2, (20.0, 10.0, 30.0, 30.0))
    """

    def __init__(self, plan: Plan, scale: float) -> None:
        """Args: plan: says what is watched; scale: from the network's unit to the target's."""
        self._plan, self._scale = plan, scale
        self._train_rmse: list[float] = []
        self._val_rmse: list[float] = []
        self._losses: list[tuple[float, float]] = []
        self._best = inf
        self._best_epoch = self._kept_epoch = 0

    def note(self, train_loss: float, val_loss: float) -> bool:
        """Note the mean squared errors of an epoch.

        Returns:
            whether the weights after it are those to keep, in place of all before.
        """
        self._losses.append((float(train_loss), float(val_loss)))
        self._train_rmse.append(sqrt(train_loss) * self._scale)
        self._val_rmse.append(sqrt(val_loss) * self._scale)
        watched = (self._val_rmse if self._plan.monitor == "val_loss" else self._train_rmse)[-1]
        if watched < self._best:  # never true of NaN, so a network that diverged keeps its last good weights
            self._best, self._best_epoch = watched, self.epoch
        # Epoch 0: nothing was good so far, and the latest is as good as any.
        keep = self._plan.keep == "last" or self._best_epoch in (0, self.epoch)
        if keep:
            self._kept_epoch = self.epoch
        return keep

    def note_all(self, losses: Iterable[tuple[float, float]]) -> None:
        """Note the errors of epochs that were run before."""
        for train_loss, val_loss in losses:
            self.note(train_loss, val_loss)

    @property
    def losses(self) -> Losses:
        """What was noted: mean squared errors by epoch."""
        return tuple(self._losses)

    @property
    def epoch(self) -> int:
        """The last one noted, counted from 1."""
        return len(self._val_rmse)

    @property
    def stopped(self) -> bool:
        """Whether no further epoch is wanted."""
        return self.epoch == self._plan.epochs or self.epoch - self._best_epoch >= self._plan.patience

    @property
    def event(self) -> EpochDone:
        """What there is to report of the last epoch."""
        return EpochDone(self.epoch, self._plan.epochs, self._train_rmse[-1], self._val_rmse[-1], min(self._val_rmse))

    @property
    def history(self) -> History:
        """Of all epochs noted."""
        return History(tuple(self._train_rmse), tuple(self._val_rmse), self._kept_epoch)
