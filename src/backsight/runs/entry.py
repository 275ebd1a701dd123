"""Entries: what a leaderboard ranks."""

from collections.abc import Iterable
from dataclasses import dataclass

from backsight.errors import SettingError
from backsight.models.recipe import Recipe
from backsight.models.registry import recipe_name
from backsight.training.plan import Plan


@dataclass(frozen=True)
class Entry:
    """One line of a leaderboard.

    Attributes:
        name: as shown; no two entries of a comparison share it.
        recipe: the model's settings.
        lookback: steps in its window.
        features: columns it reads.
        calendar: whether it reads the day of the year too.
        plan: how it is trained, if not as the study says.
    """

    name: str
    recipe: Recipe
    lookback: int
    features: tuple[str, ...]
    calendar: bool = False
    plan: Plan | None = None


def make_entries(
    recipes: Iterable[Recipe], lookbacks: Iterable[int], features: tuple[str, ...], calendar: bool = False
) -> list[Entry]:
    """Every recipe at every lookback; those that read no window only once, at lookback 1.

    Raises:
        SettingError: no lookback, one below 1, or a number in place of a list.
    """
    if not isinstance(lookbacks, Iterable):
        raise SettingError(f"Lookbacks are a list of steps; {lookbacks!r} was given. Write [{lookbacks!r}].")
    steps = list(dict.fromkeys(lookbacks))
    if not steps or min(steps) < 1:
        raise SettingError(f"Lookbacks are numbers of steps, 1 or more; {steps or 'none'} were given.")
    entries = []
    for recipe in recipes:
        name = recipe_name(recipe)
        for lookback in steps if recipe.reads_window else [1]:
            label = f"{name}_{lookback}" if recipe.reads_window else name
            entries.append(Entry(label, recipe, lookback, features, calendar))
    return entries
