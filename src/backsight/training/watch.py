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
        self._losses: list[tuple[float, ...]] = []
        self._best = inf
        self._best_epoch = self._kept_epoch = 0

    def note(self, *losses: float) -> bool:
        """Note the errors of an epoch, in the network's unit.

        Args:
            losses: mean squared training and validation error; where quantiles are learnt, then both mean pinball
                losses, and these are watched.

        Returns:
            whether the weights after it are those to keep, in place of all before.
        """
        train_mse, val_mse, *pinball = noted = tuple(map(float, losses))
        self._losses.append(noted)
        self._train_rmse.append(sqrt(train_mse) * self._scale)
        self._val_rmse.append(sqrt(val_mse) * self._scale)
        on_train, on_check = pinball or (self._train_rmse[-1], self._val_rmse[-1])
        watched = on_check if self._plan.monitor == "val_loss" else on_train
        if watched < self._best:  # never true of NaN, so a network that diverged keeps its last good weights
            self._best, self._best_epoch = watched, self.epoch
        # Epoch 0: nothing was good so far, and the latest is as good as any.
        keep = self._plan.keep == "last" or self._best_epoch in (0, self.epoch)
        if keep:
            self._kept_epoch = self.epoch
        return keep

    def note_all(self, losses: Iterable[tuple[float, ...]]) -> None:
        """Note the errors of epochs that were run before."""
        for of_epoch in losses:
            self.note(*of_epoch)

    @property
    def losses(self) -> Losses:
        """What was noted, by epoch."""
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
        train, val = self._train_rmse[-1], tuple(self._val_rmse)
        return EpochDone(self.epoch, self._plan.epochs, train, val[-1], min(val), val)

    @property
    def history(self) -> History:
        """Of all epochs noted."""
        pinball = [tuple(loss * self._scale for loss in of_part) for of_part in zip(*self._losses, strict=True)][2:]
        return History(tuple(self._train_rmse), tuple(self._val_rmse), self._kept_epoch, *pinball)
