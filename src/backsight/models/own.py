"""A user's own function that returns a `keras.Model`, as a recipe."""

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from backsight.errors import RecipeError
from backsight.models.network import Network
from backsight.training.engine import keras_on_jax


@dataclass(frozen=True)
class Own(Network):
    """A network built by a function of the user's.

    Attributes:
        function: called as `function((lookback, features))`; returns a `keras.Model` with outputs of shape
            (windows, horizon). If it has a parameter called `horizon`, it is given the horizon. What the
            model was compiled with is not used: the plan says how it is trained.
        name: what to call it.
    """

    function: Callable[..., Any]
    name: str
    family: ClassVar[str] = "own"

    def build(self, lookback: int, features: int, horizon: int) -> Any:
        keras = keras_on_jax()
        asked = {"horizon": horizon} if "horizon" in inspect.signature(self.function).parameters else {}
        try:
            model = self.function((lookback, features), **asked)
        except Exception as error:  # foreign code may raise anything; it is told, with its cause kept
            raise RecipeError(
                f"{self.name} raised {type(error).__name__} for inputs of shape {(lookback, features)}: "
                f"{str(error).strip() or 'no message'}"
            ) from error
        if not isinstance(model, keras.Model):
            raise RecipeError(
                f"{self.name} must return a keras.Model; it returned {type(model).__name__}. "
                f"Build it with the `keras` package itself, not with `tensorflow.keras`."
            )
        want = ((None, lookback, features), (None, horizon))
        got = (model.input_shape, model.output_shape)
        if tuple(map(tuple, got)) != want:
            raise RecipeError(
                f"{self.name} must map inputs of shape {want[0]} to outputs of shape {want[1]}; its model "
                f"maps {got[0]} to {got[1]}. End it with Dense(horizon)."
            )
        return model


def load_own(reference: str) -> Own:
    """The recipe of `module:function`; modules are looked for in the current folder too.

    Raises:
        RecipeError: there is no such module or function, or the module can't be imported.
    """
    module_name, _, function_name = reference.partition(":")
    keras_on_jax()  # first, so that the user's `import keras` gets the JAX backend
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, SyntaxError, ValueError) as error:
        raise RecipeError(f"Module {module_name!r} of model {reference!r} can't be imported: {error}.") from error
    except AttributeError as error:
        raise RecipeError(f"Module {module_name!r} has no function {function_name!r}.") from error
    if not callable(function):
        raise RecipeError(f"{reference} is no function but a {type(function).__name__}.")
    return Own(function, function_name)
