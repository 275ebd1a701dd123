"""The loop around the compiled epoch: for one seed, and for several at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from backsight.recurrence.library import beside_others
from backsight.training.batches import cut_batches
from backsight.training.events import EpochDone
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.training.program import BLOCK, Program, State
from backsight.training.watch import Watch
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
    data, check_batches = _on_device(learn), cut_batches(check.origins, BLOCK)
    watch = Watch(plan, learn.target_scale)
    state = kept = start
    with beside_others():
        while not watch.stopped:
            batches = _shuffled(learn, plan, seed, watch.epoch + 1)
            state, train_loss, val_loss = program.run_epoch(state, *data, batches, check_batches)
            if watch.note(train_loss, val_loss):
                kept = state
            on_epoch(watch.event)
    return Trained(kept, watch.history)


def train_together(
    program: Program,
    starts: Sequence[State],
    learn: Windows,
    check: Windows,
    plan: Plan,
    seeds: Sequence[int],
    on_epoch: Callable[[int, EpochDone], None],
) -> list[Trained]:
    """What `train` gives for each of several seeds, up to rounding, by one program that steps them all.

    A seed that has stopped is stepped on with the others until the last one stops; nothing is noted or kept
    of that.

    Args:
        program: the network's.
        starts: the state to begin with, of each seed.
        learn, check: training and validation windows.
        plan: how.
        seeds: each decides the order of its own batches.
        on_epoch: called with the seed after each of its epochs; an exception raised in it ends all of them.
    """
    data, check_batches = _on_device(learn), cut_batches(check.origins, BLOCK)
    watches = [Watch(plan, learn.target_scale) for _ in seeds]
    states = kept = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)  # every leaf: (seeds, ...)
    for epoch in range(1, plan.epochs + 1):
        orders = [_shuffled(learn, plan, seed, epoch) for seed in seeds]
        origins, weights = map(np.stack, zip(*orders, strict=True))  # (seeds, batches, batch size)
        states, *losses = program.run_epochs(states, *data, (origins, weights), check_batches)
        keep = np.zeros(len(seeds), dtype=bool)
        for place, (train_loss, val_loss) in enumerate(np.transpose(losses).tolist()):
            watch = watches[place]
            if not watch.stopped:
                keep[place] = watch.note(train_loss, val_loss)
                on_epoch(seeds[place], watch.event)
        kept = _where(keep, states, kept)
        if all(watch.stopped for watch in watches):
            break
    return [Trained(jax.tree.map(itemgetter(place), kept), watch.history) for place, watch in enumerate(watches)]


def _on_device(learn: Windows) -> tuple[Any, Any]:
    """Inputs of shape (steps, features) and scaled targets of shape (steps,)."""
    targets = (learn.targets - learn.target_mean) / learn.target_scale
    return jnp.asarray(learn.inputs), jnp.asarray(targets, dtype=jnp.float32)


def _shuffled(learn: Windows, plan: Plan, seed: int, epoch: int) -> tuple[Any, Any]:
    """Training batches in the order of this seed and epoch; see `cut_batches`."""
    return cut_batches(learn.origins, min(plan.batch_size, len(learn)), np.random.default_rng([seed, epoch]))


@jax.jit
@jax.vmap
def _where(keep: Any, new: State, old: State) -> State:
    """Seed by seed the new state or the old one. A choice, not a sum, for the other may be NaN."""
    return jax.tree.map(partial(jnp.where, keep), new, old)
