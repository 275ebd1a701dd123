"""A user's own function that returns a `keras.Model`, as a recipe."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backsight.engine import keras_on_jax
from backsight.errors import BacksightError, Interrupted, RecipeError
from backsight.models.frozen import Spec, Specs
from backsight.models.network import Network
from backsight.models.recipe import Forecaster, OnSeedEpoch
from backsight.training.checkpoint import Checkpoints
from backsight.training.plan import Plan
from backsight.windows.windows import Windows

if TYPE_CHECKING:
    from backsight.training.program import Program


@dataclass(frozen=True)
class Own(Network):
    """A network built by a function of the user's.

    Attributes:
        function: called as `function((lookback, features))`; returns a `keras.Model` with outputs of shape
            (windows, horizon). If it has a parameter called `horizon`, it is given the horizon, or with the quantile
            loss the number of leads times that of quantiles. What the model was compiled with is not used: the plan
            says how it is trained.
        name: what to call it.
    """

    function: Callable[..., Any]
    name: str
    family: ClassVar[str] = "own"

    @property
    def code(self) -> str | None:
        """SHA-256 of the function's source, so that a run notices when it changes; None where there is no source."""
        return code_of(self.function)

    def build(self, lookback: int, features: int, horizon: int) -> Any:
        keras = keras_on_jax()
        asked = {"horizon": horizon} if "horizon" in inspect.signature(self.function).parameters else {}
        with _foreign(f"{self.name}, for inputs of shape {(lookback, features)},"):
            model = self.function((lookback, features), **asked)
        if not isinstance(model, keras.Model):
            raise RecipeError(
                f"{self.name} must return a keras.Model; it returned {type(model).__name__}. "
                f"Build it with the `keras` package itself, not with `tensorflow.keras`."
            )
        # Called once, for a model without an Input has no weights and no shapes before.
        with _foreign(f"The model of {self.name}, for one window of shape {(lookback, features)},"):
            shape = getattr(model(np.zeros((1, lookback, features), dtype=np.float32)), "shape", None)
        if shape is None or tuple(shape) != (1, horizon):
            raise RecipeError(
                f"{self.name} must map inputs of shape {(None, lookback, features)} to outputs of shape "
                f"{(None, horizon)}; for one window its model gives {shape}. End it with Dense(horizon), where "
                f"`horizon` is an argument of the function: with the quantile loss it counts the quantiles too."
            )
        return model

    def weights(self, lookback: int, features: int, horizon: int) -> Specs:
        """By place alone, for names are Keras's to count up. The network is built: nobody else knows its shapes."""
        return _weights(self.build(lookback, features, horizon))

    def fit_together(
        self,
        learn: Windows,
        check: Windows,
        plan: Plan,
        seeds: Sequence[int],
        on_epoch: OnSeedEpoch,
        checkpoints: Checkpoints | None = None,
    ) -> list[Forecaster]:
        with _foreign(f"Training {self.name}"):
            return super().fit_together(learn, check, plan, seeds, on_epoch, checkpoints)

    def _names(self, program: "Program", features: int) -> tuple[str, ...]:
        return tuple(_weights(program.model))


def code_of(thing: object) -> str | None:
    """SHA-256 of the source of a function or a class; None where there is no source."""
    try:
        return sha256(inspect.getsource(thing).encode()).hexdigest()  # type: ignore[arg-type]
    except (OSError, TypeError):  # typed into a prompt, or no plain function
        return None


def _weights(model: Any) -> Specs:
    learnt = len(model.trainable_variables)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    return {
        f"{'trainable' if place < learnt else 'other'}/{place}": Spec(str(variable.dtype), tuple(variable.shape))
        for place, variable in enumerate(variables)
    }


@contextmanager
def _foreign(doing: str) -> Iterator[None]:
    """Turn whatever a user's code raises, or its `sys.exit`, into one of our errors, with its cause kept.

    Raises:
        RecipeError: the code raised something.
    """
    try:
        yield
    except (BacksightError, Interrupted):
        raise
    except (Exception, SystemExit) as error:  # foreign code may raise anything
        raise RecipeError(f"{doing} raised {type(error).__name__}: {str(error).strip() or 'no message'}") from error


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
    with _foreign(f"Importing {module_name!r}, for model {reference!r},"):
        module = importlib.import_module(module_name)
        function = getattr(module, function_name, None)
    if function is None:
        raise RecipeError(f"Module {module_name!r} has no function {function_name!r}.")
    if not callable(function):
        raise RecipeError(f"{reference} is no function but a {type(function).__name__}.")
    return Own(function, reference)
