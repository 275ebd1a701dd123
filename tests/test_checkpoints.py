"""A training that is cut off goes on from its last epoch, with the bits of one that was not."""

from dataclasses import replace

import numpy as np
import pytest

from backsight.errors import SettingError
from backsight.models.registry import as_recipe
from backsight.training.checkpoint import Checkpoint
from backsight.training.plan import Plan
from conftest import make_toy
from laws import views

PLAN = Plan(epochs=9, batch_size=16, patience=3, learning_rate=0.02)
RECIPES = ["dense", "lstm(units=3,dropout=0.3)", "transformer"]


class InMemory:
    """Keeps the latest checkpoint; counts what it was asked."""

    def __init__(self) -> None:
        self.latest: Checkpoint | None = None
        self.saved = 0

    def load(self, seeds):
        assert self.latest is None or self.latest.seeds == tuple(seeds)
        return self.latest

    def save(self, checkpoint):
        # Copies: an array that shares memory with a state that is stepped on would show later epochs.
        arrays = {name: tuple(map(np.array, getattr(checkpoint, name))) for name in ("state", "kept")}
        self.latest = replace(checkpoint, **arrays)
        self.saved += 1


class CutOff(Exception):
    """In place of a kill."""


def cut_off_after(epochs):
    def on_epoch(_, done):
        if done.epoch == epochs:
            raise CutOff

    return on_epoch


def ignore(*_):
    pass


def assert_same_bits(one, other):
    assert one.history == other.history
    for ours, theirs in zip(one.state.trainable, other.state.trainable, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("seeds", [[1], [0, 1, 2]], ids=["alone", "together"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_training_goes_on_to_the_bit(name, seeds):
    learn, check, _ = views(make_toy())
    recipe = as_recipe(name)
    whole = recipe.fit_together(learn, check, PLAN, seeds, ignore)
    kept = InMemory()
    for epochs in (1, 4):
        with pytest.raises(CutOff):
            recipe.fit_together(learn, check, PLAN, seeds, cut_off_after(epochs), kept)
    assert (kept.saved, kept.latest.epoch) == (4, 4), "an epoch was run twice, or not noted"
    resumed = recipe.fit_together(learn, check, PLAN, seeds, ignore, kept)
    for one, other in zip(resumed, whole, strict=True):
        assert_same_bits(one, other)
    # Killed after the last epoch: there is nothing left to train.
    before = kept.saved
    for one, other in zip(recipe.fit_together(learn, check, PLAN, seeds, ignore, kept), whole, strict=True):
        assert_same_bits(one, other)
    assert kept.saved == before


def test_a_lost_moment_of_adam_would_be_seen():
    learn, check, _ = views(make_toy())
    recipe, kept = as_recipe("dense"), InMemory()
    whole = recipe.fit(learn, check, PLAN, 1)
    with pytest.raises(CutOff):
        recipe.fit_together(learn, check, PLAN, [1], cut_off_after(2), kept)
    kept.latest = replace(kept.latest, state=(*kept.latest.state[:-1], np.zeros_like(kept.latest.state[-1])))
    with pytest.raises(AssertionError):
        assert_same_bits(recipe.fit_together(learn, check, PLAN, [1], ignore, kept)[0], whole)


def test_a_checkpoint_of_another_network_is_refused():
    learn, check, _ = views(make_toy())
    kept = InMemory()
    with pytest.raises(CutOff):
        as_recipe("dense").fit_together(learn, check, PLAN, [1], cut_off_after(1), kept)
    with pytest.raises(SettingError, match="of another network"):
        as_recipe("dense(units=5)").fit_together(learn, check, PLAN, [1], ignore, kept)
