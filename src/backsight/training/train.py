"""The loop around the compiled epoch."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import jax.numpy as jnp
import numpy as np

from backsight.training.batches import cut_batches
from backsight.training.events import EpochDone
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.training.program import BLOCK, Program, State
from backsight.windows.windows import Windows


@dataclass(frozen=True, eq=False)
class Trained:
    """The state that was kept, and how it came about."""

    state: State
    history: History


def train(
    program: Program,
    start: State,
    learn: Windows,
    check: Windows,
    plan: Plan,
    seed: int,
    on_epoch: Callable[[EpochDone], None],
) -> Trained:
    """Train until the watched loss has not fallen for `plan.patience` epochs.

    Args:
        program: the network's.
        start: the state to begin with.
        learn, check: training and validation windows.
        plan: how.
        seed: decides the order of the batches, together with the epoch's number.
        on_epoch: called after every epoch; an exception raised in it ends the training.
    """
    inputs = jnp.asarray(learn.inputs)
    targets = jnp.asarray((learn.targets - learn.target_mean) / learn.target_scale, dtype=jnp.float32)
    check_batches = cut_batches(check.origins, BLOCK)
    state = kept = start
    best, best_epoch = np.inf, 0
    train_rmse: list[float] = []
    val_rmse: list[float] = []
    for epoch in range(1, plan.epochs + 1):
        rng = np.random.default_rng([seed, epoch])
        batches = cut_batches(learn.origins, min(plan.batch_size, len(learn)), rng)
        state, train_loss, val_loss = program.run_epoch(state, inputs, targets, batches, check_batches)
        train_rmse.append(sqrt(train_loss) * learn.target_scale)
        val_rmse.append(sqrt(val_loss) * learn.target_scale)
        watched = val_rmse if plan.monitor == "val_loss" else train_rmse
        if watched[-1] < best:  # never true of NaN, so a network that diverged keeps its last good weights
            best, best_epoch, kept = watched[-1], epoch, state
        on_epoch(EpochDone(epoch, plan.epochs, train_rmse[-1], val_rmse[-1], min(val_rmse)))
        if epoch - best_epoch >= plan.patience:
            break
    if plan.keep == "last" or best_epoch == 0:
        kept, best_epoch = state, len(val_rmse)
    return Trained(kept, History(tuple(train_rmse), tuple(val_rmse), best_epoch))
