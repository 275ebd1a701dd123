"""The one table of all recipes, and their names on the command line and in JSON.

A new recipe is its own file, one line in `RECIPES`, and, if it is a new family, its class in `FAMILIES`.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backsight.errors import RecipeError, explain_validation
from backsight.models.attention import Attention
from backsight.models.climatology import Climatology
from backsight.models.convolution import Convolution
from backsight.models.dense import Dense
from backsight.models.own import Own, load_own
from backsight.models.persistence import Persistence, SeasonalPersistence
from backsight.models.recipe import Recipe
from backsight.models.recurrent import Recurrent
from backsight.models.ridge import Ridge
from backsight.models.transformer import Transformer
from backsight.models.trees import BoostedTrees

#: Recipes by name, from the simplest to the most elaborate.
RECIPES: Mapping[str, Recipe] = {
    "persistence": Persistence(),
    "seasonal": SeasonalPersistence(),
    "climatology": Climatology(),
    "ridge": Ridge(),
    "trees": BoostedTrees(),
    "dense": Dense(),
    "rnn": Recurrent(layer="SimpleRNN"),
    "rnn_relu": Recurrent(layer="SimpleRNN", activation="relu"),
    "rnn_stacked": Recurrent(layer="SimpleRNN", layers=2),
    "lstm": Recurrent(layer="LSTM"),
    "lstm_stacked": Recurrent(layer="LSTM", units=7, layers=2),
    "gru": Recurrent(layer="GRU"),
    "gru_stacked": Recurrent(layer="GRU", units=8, layers=2),
    "cnn": Convolution(),
    "attention": Attention(),
    "transformer": Transformer(),
}

#: What every comparison includes: a network that does not beat these is not worth having.
BASELINES = ("persistence", "seasonal", "climatology", "ridge", "trees")

#: The classes that JSON may name: a closed list.
FAMILIES: Mapping[str, type[Recipe]] = {type(r).family: type(r) for r in RECIPES.values()}

_CALL = re.compile(r"(?P<name>[^()]+)(?:\((?P<settings>[^()]*)\))?")


def as_recipe(model: "str | Recipe | Callable[..., Any]") -> Recipe:
    """A recipe from a name with or without settings, a function of the user's, or a recipe.

    Raises:
        RecipeError: unknown name, unknown setting, or a setting outside its range.

    >>> as_recipe("lstm(units=7, layers=2)") == RECIPES["lstm_stacked"]
    True
    """
    if isinstance(model, Recipe):
        return model
    if callable(model):
        if not isinstance(model, Hashable):
            raise RecipeError(f"{type(model).__name__} can't be hashed, so its network would be built anew each time.")
        return Own(model, getattr(model, "__name__", type(model).__name__))
    matched = _CALL.fullmatch(model.strip())
    if matched is None:
        raise RecipeError(f"{model!r} is no model. Write a name, or a name and settings: lstm(units=7, layers=2).")
    name = matched["name"].strip()
    if ":" in name:
        if matched["settings"] is not None:
            raise RecipeError(f"{model!r}: a function of yours takes no settings here. Write one a setting.")
        return load_own(name)
    recipe = RECIPES.get(name.replace("-", "_").lower())
    if recipe is None:
        raise RecipeError(
            f"There is no model {name!r}. The models are {', '.join(RECIPES)}; your own is module:function."
        )
    return with_settings(recipe, _parse_settings(matched["settings"] or "", model))


def given_settings(model: "str | Recipe | Callable[..., Any]") -> frozenset[str]:
    """Names of the settings that a text gives in its brackets; none of anything but a text.

    Raises:
        RecipeError: what stands in the brackets is no list of settings.

    >>> sorted(given_settings("lstm(units=7, layers=2)")), sorted(given_settings("lstm"))
    (['layers', 'units'], [])
    """
    matched = _CALL.fullmatch(model.strip()) if isinstance(model, str) else None
    return frozenset(_parse_settings(matched["settings"] or "", matched[0])) if matched else frozenset()


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with other settings.

    Raises:
        RecipeError: it has no such setting, or a value is outside its range.
    """
    known = [f.name for f in fields(recipe)]  # type: ignore[arg-type]
    unknown = [s for s in settings if s not in known or isinstance(recipe, Own)]
    if unknown:
        has = f"its settings are {', '.join(known)}" if known else "it has none"
        raise RecipeError(f"Model {recipe.family} has no setting {unknown[0]!r}; {has}.")
    try:
        return type(recipe)(**{**asdict(recipe), **settings}) if settings else recipe  # type: ignore[call-overload]
    except ValidationError as error:
        raise RecipeError(f"Model {recipe.family}: {explain_validation(error)}") from error


def recipe_name(recipe: Recipe) -> str:
    """The text that `as_recipe` reads back: the nearest name of the table, and what differs from it.

    >>> recipe_name(Recurrent(layer="LSTM", units=7))
    'lstm(units=7)'
    """
    if isinstance(recipe, Own):
        return recipe.name
    best: tuple[int, str] | None = None
    for name, preset in RECIPES.items():
        if type(preset) is not type(recipe):
            continue
        differing = {k: v for k, v in asdict(recipe).items() if asdict(preset)[k] != v}  # type: ignore[call-overload]
        settings = ",".join(f"{k}={_show(v)}" for k, v in differing.items())
        text = f"{name}({settings})" if settings else name
        if best is None or len(differing) < best[0]:
            best = (len(differing), text)
    assert best is not None, f"{type(recipe).__name__} is not in the registry"
    return best[1]


def simplicity(recipe: Recipe) -> int:
    """The place of the nearest recipe of the table: the lower, the simpler. The user's own come last.

    >>> simplicity(RECIPES["ridge"]) < simplicity(RECIPES["gru"]) < simplicity(RECIPES["transformer"])
    True
    """
    names = list(RECIPES)
    nearest = recipe_name(recipe).partition("(")[0]
    return names.index(nearest) if nearest in RECIPES else len(names)


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """Plain values that `recipe_from_json` reads back.

    Raises:
        RecipeError: the recipe is a function of the user's, which no file can hold.
    """
    if isinstance(recipe, Own):
        raise RecipeError(f"{recipe.name} is a function: a file can't hold it.")
    return {"family": recipe.family, **asdict(recipe)}  # type: ignore[call-overload]


def recipe_from_json(values: Mapping[str, Any]) -> Recipe:
    """The recipe that these values describe; only families of the registry are built.

    Raises:
        RecipeError: unknown family, unknown setting, or a value outside its range.

    >>> recipe_from_json({"family": "ridge", "penalty": 10.0})
    Ridge(penalty=10.0)
    """
    named = values.get("family")
    family = FAMILIES.get(named) if isinstance(named, str) else None
    if family is None:
        raise RecipeError(f"There is no family {named!r}. They are {', '.join(FAMILIES)}.")
    try:
        return TypeAdapter(family).validate_python({k: v for k, v in values.items() if k != "family"})
    except ValidationError as error:
        raise RecipeError(f"Family {family.family}: {explain_validation(error)}") from error


def split_models(text: str) -> list[str]:
    """Names from a comma-separated list; commas inside brackets don't separate.

    >>> split_models("ridge, lstm(units=7,layers=2)")
    ['ridge', 'lstm(units=7,layers=2)']
    """
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _parse_settings(text: str, model: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise RecipeError(f"{part!r} in {model!r} is no setting. Write name=value, as in lstm(units=7).")
        if key.strip() in settings:
            raise RecipeError(f"{model!r} sets {key.strip()} twice.")
        settings[key.strip()] = None if value.strip() == "None" else value.strip()
    return settings


def _show(value: object) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else f"{value}"
