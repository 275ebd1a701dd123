"""The one table of all recipes, and their names on the command line and in JSON.

A new recipe is its own file, one line in `RECIPES`, and, if it is a new family, its class in `FAMILIES`.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import Field, asdict, fields, is_dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backsight.errors import RecipeError, explain_validation
from backsight.models.attention import Attention
from backsight.models.climatology import Climatology
from backsight.models.convolution import Convolution
from backsight.models.damped import DampedPersistence
from backsight.models.dense import Dense
from backsight.models.own import Own, load_own
from backsight.models.persistence import Persistence, SeasonalPersistence
from backsight.models.recipe import Recipe
from backsight.models.recurrent import Recurrent
from backsight.models.recursive import Recursive
from backsight.models.ridge import Ridge
from backsight.models.transformer import Transformer
from backsight.models.trees import BoostedTrees

#: Recipes by name, from the simplest to the most elaborate.
RECIPES: Mapping[str, Recipe] = {
    "persistence": Persistence(),
    "seasonal": SeasonalPersistence(),
    "climatology": Climatology(),
    "damped_persistence": DampedPersistence(),
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
FAMILIES: Mapping[str, type[Recipe]] = {
    **{type(r).family: type(r) for r in RECIPES.values()},
    Recursive.family: Recursive,  # wraps one of the others
}

_WRAPPED = re.compile(rf"\s*{Recursive.family}\s*\((?P<base>.*)\)\s*", re.IGNORECASE | re.DOTALL)
_CALL = re.compile(r"(?P<name>[^()]+)(?:\((?P<settings>[^()]*)\))?")


def as_recipe(model: "str | Recipe | Callable[..., Any]") -> Recipe:
    """A recipe.

    Args:
        model: a name with or without settings, a function of the user's, or a recipe, which stays as it is.

    Raises:
        RecipeError: unknown name, unknown setting, or a setting outside its range; a class instead of a recipe, or a
            recipe without a name.

    >>> as_recipe("lstm(units=7, layers=2)") == RECIPES["lstm_stacked"]
    True
    >>> as_recipe("recursive(ridge)").base
    Ridge(penalty=None)
    """
    if isinstance(model, Recipe):
        return _check_own(model)
    if isinstance(model, type) and issubclass(model, Recipe):
        raise RecipeError(f"{model.__name__} is a class of recipes. Give a recipe: {model.__name__}(), with settings.")
    if callable(model):
        if not isinstance(model, Hashable):
            raise RecipeError(f"{type(model).__name__} can't be hashed, so its network would be built anew each time.")
        return Own(model, getattr(model, "__name__", type(model).__name__))
    if wrapped := _WRAPPED.fullmatch(model):
        return Recursive(as_recipe(wrapped["base"]))
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
            f"There is no model {name!r}. The models are {', '.join(RECIPES)}; recursive(NAME) is one of them fed with "
            f"its own forecasts; your own is module:function."
        )
    return with_settings(recipe, _parse_settings(matched["settings"] or "", model))


def given_settings(model: "str | Recipe | Callable[..., Any]") -> frozenset[str]:
    """Names of the settings that a text gives in its brackets; none of anything but a text.

    Raises:
        RecipeError: what stands in the brackets is no list of settings.

    >>> sorted(given_settings("lstm(units=7, layers=2)")), sorted(given_settings("lstm"))
    (['layers', 'units'], [])
    """
    if isinstance(model, str) and (wrapped := _WRAPPED.fullmatch(model)):
        return given_settings(wrapped["base"])
    matched = _CALL.fullmatch(model.strip()) if isinstance(model, str) else None
    return frozenset(_parse_settings(matched["settings"] or "", matched[0])) if matched else frozenset()


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with other settings; those of a recursive one are its base's.

    Raises:
        RecipeError: it has no such setting, or a value is outside its range.
    """
    if isinstance(recipe, Recursive):
        return Recursive(with_settings(recipe.base, settings))
    known: list[str] = [f.name for f in fields(recipe)] if is_dataclass(recipe) else []
    unknown = [s for s in settings if s not in known or isinstance(recipe, Own)]
    if unknown:
        has = f"its settings are {', '.join(known)}" if known else "it has none"
        raise RecipeError(f"Model {recipe.family} has no setting {unknown[0]!r}; {has}.")
    return type(recipe)(**{**asdict(recipe), **settings}) if settings else recipe  # type: ignore[call-overload]


def recipe_name(recipe: Recipe) -> str:
    """The text that `as_recipe` reads back: the nearest name of the table, and what differs from it.

    A recipe of the user's, whose class is in no table, is called by its family; no text makes it again.

    >>> recipe_name(Recurrent(layer="LSTM", units=7))
    'lstm(units=7)'
    """
    if isinstance(recipe, Own):
        return recipe.name
    if isinstance(recipe, Recursive):
        return f"{recipe.family}({recipe_name(recipe.base)})"
    if not storable(recipe):
        return _own_name(recipe)
    best: tuple[int, str] | None = None
    for name, preset in RECIPES.items():
        if type(preset) is not type(recipe):
            continue
        differing = {k: v for k, v in asdict(recipe).items() if asdict(preset)[k] != v}  # type: ignore[call-overload]
        settings = ",".join(f"{k}={_show(v)}" for k, v in differing.items())
        text = f"{name}({settings})" if settings else name
        if best is None or len(differing) < best[0]:
            best = (len(differing), text)
    assert best is not None, f"no recipe of the table is a {type(recipe).__name__}"
    return best[1]


def _check_own(recipe: Recipe) -> Recipe:
    """The recipe, if its class is one of ours, or one that a comparison can work with.

    Raises:
        RecipeError: it has no name, or can't be told from its equals.
    """
    if storable(recipe):
        return recipe
    name = type(recipe).__name__
    if not isinstance(getattr(recipe, "family", None), str):
        raise RecipeError(f'{name} does not say what it is called. Write `family: ClassVar[str] = "..."` in it.')
    try:
        hash(recipe)
    except TypeError as error:
        raise RecipeError(
            f"A recipe must be hashable; {name}: {error}. Make it a frozen dataclass of plain values."
        ) from error
    return recipe


def _own_name(recipe: Recipe) -> str:
    """The family of a recipe of the user's, and the settings that are not its class's defaults."""
    name = type(recipe).__name__ if recipe.family in {*RECIPES, *FAMILIES, Own.family} else recipe.family
    values: dict[Field[Any], Any] = {f: getattr(recipe, f.name) for f in fields(recipe)} if is_dataclass(recipe) else {}
    settings = ",".join(f"{f.name}={_show(value)}" for f, value in values.items() if value != _default(f))
    return f"{name}({settings})" if settings else name


def _default(setting: Field[Any]) -> Any:
    """The default of a setting, which equals nothing where there is none."""
    # Not `is MISSING`: a class that was sent to another process has a copy of that.
    return setting.default_factory() if callable(setting.default_factory) else setting.default


def simplicity(recipe: Recipe) -> int:
    """The place of the nearest recipe of the table: the lower, the simpler. The user's own come last.

    A recursive one comes right after the same model without recursion.

    >>> simplicity(RECIPES["ridge"]) < simplicity(RECIPES["gru"]) < simplicity(RECIPES["transformer"])
    True
    """
    names = list(RECIPES)
    nearest = recipe_name(recipe.core).partition("(")[0]
    place = names.index(nearest) if nearest in RECIPES else len(names)
    return 2 * place + (recipe.core is not recipe)


def storable(recipe: Recipe) -> bool:
    """Whether a file can hold it: not a function of the user's, nor a recipe of a class of theirs."""
    return type(recipe.core) in FAMILIES.values()


def source_of(recipe: Recipe) -> str:
    """Where a model comes from: what follows "Source:" or "Sources:" in the docstring of its class.

    >>> source_of(RECIPES["gru"])[:30]
    'SimpleRNN: Elman 1990, Cogniti'
    """
    text = " ".join((type(recipe).__doc__ or "").split())
    return text.partition("Source: ")[2] or text.partition("Sources: ")[2]


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """Plain values that `recipe_from_json` reads back.

    Raises:
        RecipeError: the recipe is the user's own, which no file can hold.
    """
    if not storable(recipe):
        raise RecipeError(f"{recipe_name(recipe)} is a model of yours, which no file holds.")
    if isinstance(recipe, Recursive):
        return {"family": recipe.family, "base": recipe_to_json(recipe.base)}
    return {"family": recipe.family, **asdict(recipe)}  # type: ignore[call-overload]


def recipe_from_json(values: Mapping[str, Any]) -> Recipe:
    """The recipe that these values describe; only families of the registry are built.

    Raises:
        RecipeError: unknown family, unknown setting, or a value outside its range.

    >>> recipe_from_json({"family": "ridge", "penalty": 10.0})
    Ridge(penalty=10.0)
    """
    name = values.get("family")
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if family is None:
        raise RecipeError(f"There is no family {name!r}. They are {', '.join(FAMILIES)}.")
    if family is Recursive:
        base = values.get("base")
        if set(values) != {"family", "base"} or not isinstance(base, Mapping) or base.get("family") == family.family:
            raise RecipeError("Family recursive has one setting, its base: another recipe that is not recursive.")
        return Recursive(recipe_from_json(base))
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
