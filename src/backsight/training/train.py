"""The loop around the compiled epoch: for one seed, and for several at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from backsight.errors import SettingError
from backsight.recurrence.library import beside_others
from backsight.training.batches import cut_batches
from backsight.training.checkpoint import Checkpoint, Checkpoints
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
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Train until the watched loss has not fallen for `plan.patience` epochs.

    Args:
        program: the network's.
        start: the state to begin with.
        learn, check: training and validation windows.
        plan: how.
        seed: decides the order of the batches, together with the epoch's number.
        on_epoch: called after every epoch; an exception raised in it ends the training.
        checkpoints: where to go on from, and where to note every epoch before `on_epoch` is told of it.
    """
    data, check_batches = _on_device(learn), cut_batches(check.origins, BLOCK)
    watch = Watch(plan, learn.target_scale)
    state, kept = _resume(checkpoints, [seed], start, [watch])
    with beside_others():
        while not watch.stopped:
            batches = _shuffled(learn, plan, seed, watch.epoch + 1)
            state, *losses = program.run_epoch(state, *data, batches, check_batches)
            if watch.note(*losses):
                kept = state
            _save(checkpoints, [seed], state, kept, [watch])
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
    checkpoints: Checkpoints | None = None,
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
        checkpoints: as in `train`.
    """
    data, check_batches = _on_device(learn), cut_batches(check.origins, BLOCK)
    watches = [Watch(plan, learn.target_scale) for _ in seeds]
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)  # every leaf: (seeds, ...)
    states, kept = _resume(checkpoints, seeds, together, watches)
    while not all(watch.stopped for watch in watches):
        epoch = max(watch.epoch for watch in watches) + 1
        orders = [_shuffled(learn, plan, seed, epoch) for seed in seeds]
        origins, weights = map(np.stack, zip(*orders, strict=True))  # (seeds, batches, batch size)
        states, *losses = program.run_epochs(states, *data, (origins, weights), check_batches)
        going = [place for place, watch in enumerate(watches) if not watch.stopped]
        keep = np.zeros(len(seeds), dtype=bool)
        for place in going:
            keep[place] = watches[place].note(*(float(of_seeds[place]) for of_seeds in losses))
        kept = _where(keep, states, kept)
        _save(checkpoints, seeds, states, kept, watches)
        for place in going:
            on_epoch(seeds[place], watches[place].event)
    return [Trained(jax.tree.map(itemgetter(place), kept), watch.history) for place, watch in enumerate(watches)]


def _resume(
    checkpoints: Checkpoints | None, seeds: Sequence[int], start: State, watches: Sequence[Watch]
) -> tuple[State, State]:
    """The state to go on with and the one that is kept so far; the watches are told of the epochs before.

    Raises:
        SettingError: the checkpoint is of another network.
    """
    found = None if checkpoints is None else checkpoints.load(seeds)
    if found is None:
        return start, start
    leaves, tree = jax.tree.flatten(start)
    if any(list(map(_kind, of)) != list(map(_kind, leaves)) for of in (found.state, found.kept)):
        raise SettingError("A checkpoint of this run is of another network. Start the run anew in another folder.")
    for watch, losses in zip(watches, found.losses, strict=True):
        watch.note_all(losses)
    state, kept = (jax.tree.unflatten(tree, [jnp.asarray(leaf) for leaf in of]) for of in (found.state, found.kept))
    return state, kept


def _kind(leaf: Any) -> tuple[tuple[int, ...], Any]:
    return np.shape(leaf), np.asarray(leaf).dtype


def _save(
    checkpoints: Checkpoints | None, seeds: Sequence[int], state: State, kept: State, watches: Sequence[Watch]
) -> None:
    if checkpoints is None:
        return
    latest = tuple(map(np.asarray, jax.tree.leaves(state)))
    best = latest if kept is state else tuple(map(np.asarray, jax.tree.leaves(kept)))
    checkpoints.save(Checkpoint(tuple(seeds), tuple(watch.losses for watch in watches), latest, best))


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
