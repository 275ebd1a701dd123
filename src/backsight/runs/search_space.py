"""What can be tuned, family by family, and what a choice of it amounts to.

The spaces are Optuna's distributions. Each holds the model's own settings too, so that the untuned model is one of
the choices.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import floor, log10
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from backsight.errors import RecipeError, SettingError
from backsight.models.attention import Attention
from backsight.models.climatology import Climatology
from backsight.models.convolution import Convolution
from backsight.models.damped import DampedPersistence
from backsight.models.dense import Dense
from backsight.models.network import Network
from backsight.models.recipe import Recipe
from backsight.models.recurrent import Recurrent
from backsight.models.recursive import Recursive
from backsight.models.registry import as_recipe, given_settings, recipe_name, split_models, storable, with_settings
from backsight.models.ridge import PENALTIES, Ridge
from backsight.models.transformer import Transformer
from backsight.models.trees import BoostedTrees
from backsight.training.plan import Plan

Space = dict[str, BaseDistribution]
Values = dict[str, Any]

#: Hidden layers of a dense network, as the command line writes them.
SHAPES = ("16", "32", "64", "128", "32-16", "64-32", "64-64", "128-64", "100-50", "128-64-32")
#: Settings of the plan that are tuned.
PLAN = ("learning_rate", "batch_size")
#: Significant digits of a tuned number: more would be noise, and nobody wants to type them.
DIGITS = 2


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model that is to be tuned.

    Attributes:
        name: as on a leaderboard.
        recipe: the untuned model.
        plan: how it is trained untuned.
        space: what may be chosen: settings of the recipe, of the plan (learning_rate, batch_size), and lookback.
        starts: the untuned model, once at every lookback, as values of the space.
    """

    name: str
    recipe: Recipe
    plan: Plan
    space: Space
    starts: tuple[Values, ...]

    def show(self, values: Mapping[str, Any]) -> Values:
        """The values as they are used: numbers are rounded, but for those of the untuned model."""
        return {
            name: round_to(value, DIGITS) if isinstance(value, float) and value != self.starts[0][name] else value
            for name, value in values.items()
        }

    def changed(self, values: Mapping[str, Any]) -> Values:
        """Those of the values, but for the lookback, that are not the untuned model's."""
        shown = self.show(values)
        return {name: value for name, value in shown.items() if name != "lookback" and value != self.starts[0][name]}

    def configure(self, values: Mapping[str, Any]) -> "Configuration":
        """What these values amount to."""
        changed = self.changed(values)
        plan = self.plan
        if isinstance(self.recipe.core, Network):
            plan = Plan(**{**asdict(plan), **{name: changed.pop(name) for name in PLAN if name in changed}})
        if isinstance(self.recipe.core, Dense) and "units" in changed:
            changed["layers"] = None  # the shape says how many
        return Configuration(with_settings(self.recipe, changed), plan, values.get("lookback", 1))


@dataclass(frozen=True)
class Configuration:
    """A model with settings, a plan and a lookback: what an entry is made of."""

    recipe: Recipe
    plan: Plan
    lookback: int


def make_candidates(
    models: "Iterable[str | Recipe | Callable[..., Any]] | str", lookbacks: Iterable[int], plan: Plan
) -> tuple[Candidate, ...]:
    """The models to tune. A setting that is written in brackets stays as it is written.

    Raises:
        RecipeError: unknown model or setting, one that is named twice, or one with nothing to tune.
        SettingError: no lookback, or one below 1.

    >>> candidate, = make_candidates("lstm(units=7)", [3, 7], Plan())
    >>> sorted(candidate.space)
    ['activation', 'batch_size', 'dropout', 'layers', 'learning_rate', 'lookback']
    >>> candidate.configure({**candidate.starts[0], "learning_rate": 0.00123}).plan.learning_rate
    0.0012
    """
    steps = tuple(dict.fromkeys(lookbacks))
    if not steps or min(steps) < 1:
        raise SettingError(f"Lookbacks are numbers of steps, 1 or more; {steps or 'none'} were given.")
    named = split_models(models) if isinstance(models, str) else list(models)
    if not named:
        raise RecipeError("No model to tune was named. `backsight models` lists them.")
    candidates: dict[str, Candidate] = {}
    for model in named:
        candidate = _candidate(as_recipe(model), given_settings(model), steps, plan)
        if candidate.name in candidates:
            raise RecipeError(f"{candidate.name} is to be tuned twice. Name each model once.")
        candidates[candidate.name] = candidate
    return tuple(candidates.values())


def _candidate(recipe: Recipe, kept: frozenset[str], lookbacks: Sequence[int], plan: Plan) -> Candidate:
    name = recipe_name(recipe)
    space = {setting: choices for setting, choices in _space(recipe).items() if setting not in kept}
    start = {setting: _own_value(recipe.core, setting) for setting in space}
    if isinstance(recipe.core, Network):
        space["learning_rate"] = _real(3e-4, 3e-2, plan.learning_rate, log=True)
        space["batch_size"] = _choice((16, 32, 64, 128), plan.batch_size)
        start |= {name: getattr(plan, name) for name in PLAN}
    if not space:
        raise RecipeError(
            f"{name} has no setting left to tune: it sits the exam as it is. Tune others, and write in brackets only "
            f"what is to stay."
        )
    starts: tuple[Values, ...] = (start,)
    if recipe.reads_window:
        space["lookback"] = CategoricalDistribution(lookbacks)
        starts = tuple({**start, "lookback": lookback} for lookback in lookbacks)
    return Candidate(name, recipe, plan, space, starts)


def _own_value(recipe: Recipe, setting: str) -> Any:
    return _shape(recipe) if isinstance(recipe, Dense) and setting == "units" else getattr(recipe, setting)


def _nothing(_: Recipe) -> Space:
    return {}


def _climatology(recipe: Climatology | DampedPersistence) -> Space:
    return {"harmonics": _whole(1, 6, recipe.harmonics)}


def _ridge(recipe: Ridge) -> Space:
    return {"penalty": _choice((None, *PENALTIES), recipe.penalty)}


def _trees(recipe: BoostedTrees) -> Space:
    return {
        "leaves": _whole(4, 64, recipe.leaves, log=True),
        "learning_rate": _real(0.01, 0.2, recipe.learning_rate, log=True),
        "columns": _real(0.05, 1.0, recipe.columns, log=True),
    }


def _dense(recipe: Dense) -> Space:
    space: Space = {
        "units": _choice(SHAPES, _shape(recipe)),
        "activation": _choice(("relu", "tanh", "gelu"), recipe.activation),
        "dropout": _real(0.0, 0.5, recipe.dropout),
    }
    return space


def _recurrent(recipe: Recurrent | Attention) -> Space:
    return {
        "units": _whole(4, 64, recipe.units, log=True),
        "layers": _whole(1, 3, recipe.layers),
        "activation": _choice(("tanh", "relu"), recipe.activation),
        "dropout": _real(0.0, 0.5, recipe.dropout),
    }


def _convolution(recipe: Convolution) -> Space:
    return {
        "units": _whole(8, 64, recipe.units, log=True),
        "layers": _choice((None, 1, 2, 3), recipe.layers),
        "kernel": _whole(2, 7, recipe.kernel),
        "activation": _choice(("relu", "tanh", "gelu"), recipe.activation),
        "dropout": _real(0.0, 0.5, recipe.dropout),
    }


def _transformer(recipe: Transformer) -> Space:
    heads = {1, 2, 4, recipe.heads}
    # Heads must divide units: unusual ones stay as they are, and units become multiples of them.
    usual = all(recipe.units % n == 0 for n in heads) and all(n in (1, 2, 4) for n in heads)
    return {
        "units": _choice((8, 16, 32, 64) if usual else tuple(recipe.heads * n for n in (4, 8, 16)), recipe.units),
        "layers": _whole(1, 2, recipe.layers),
        "heads": _choice((1, 2, 4) if usual else (), recipe.heads),
        "activation": _choice(("relu", "gelu"), recipe.activation),
        "dropout": _real(0.0, 0.5, recipe.dropout),
    }


def _recursive(recipe: Recursive) -> Space:
    return _space(recipe.base)


def _space(recipe: Recipe) -> Space:
    """What can be chosen of a recipe's settings; of one of the user's own, nothing but lookback and plan."""
    return SPACES[recipe.family](recipe) if storable(recipe) else _nothing(recipe)


#: The space of every family, as a function of the untuned model. A family that is missing here fails a test.
SPACES: Mapping[str, Callable[[Any], Space]] = {
    "persistence": _nothing,
    "seasonal_persistence": _nothing,
    "climatology": _climatology,
    "damped_persistence": _climatology,
    "ridge": _ridge,
    "trees": _trees,
    "dense": _dense,
    "recurrent": _recurrent,
    "convolution": _convolution,
    "attention": _recurrent,
    "transformer": _transformer,
    "recursive": _recursive,
}


def _shape(recipe: Dense) -> str:
    return "-".join(map(str, recipe.units * (recipe.layers or 1)))


def _whole(low: int, high: int, own: int, log: bool = False) -> IntDistribution:
    return IntDistribution(min(low, own), max(high, own), log=log)


def _real(low: float, high: float, own: float, log: bool = False) -> FloatDistribution:
    return FloatDistribution(min(low, own), max(high, own), log=log)


def _choice(options: Sequence[Any], own: Any) -> CategoricalDistribution:
    return CategoricalDistribution(options if own in options else (*options, own))


def round_to(value: float, digits: int) -> float:
    """The value with so many significant digits.

    >>> round_to(0.0012345, 2), round_to(0.0, 2), round_to(1234.5, 2)
    (0.0012, 0.0, 1200.0)
    """
    return value if value == 0 else round(value, digits - 1 - floor(log10(abs(value))))
