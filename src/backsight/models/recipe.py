"""What every model is: a recipe that fits a forecaster that predicts."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from backsight.errors import RecipeError
from backsight.models.frozen import Frozen, Specs
from backsight.settings import Explained
from backsight.training.checkpoint import Checkpoints
from backsight.training.events import EpochDone
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.training.traces import Inside
from backsight.vocabulary import Band, Outputs
from backsight.windows.windows import Windows

#: Kinds of settings that several recipes have.
Count = Annotated[int, Field(ge=1, le=4096)]
Depth = Annotated[int, Field(ge=1, le=64)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Activation = Literal["relu", "tanh", "sigmoid", "linear", "elu", "selu", "gelu", "silu", "softplus"]

Slopes = NDArray[np.float64]

#: Told of epochs: of one seed, and of several, each epoch with its seed.
OnEpoch = Callable[[EpochDone], None]
OnSeedEpoch = Callable[[int, EpochDone], None]


def ignore(_: EpochDone) -> None:
    """Takes no notice of an epoch."""


class Forecaster(ABC):
    """Fitted and immutable.

    Attributes:
        history: errors by epoch, of a network; None for the rest.
        parameters: how many numbers were fitted; None where that says nothing (trees).
        steps_back: how many steps up to the origin it reads beside its window.
    """

    history: History | None = None
    parameters: int | None = None
    steps_back: int = 1

    @abstractmethod
    def predict(self, windows: Windows) -> Outputs:
        """Forecasts of shape (windows, horizon), in the target's unit.

        A forecast reads nothing after its window's origin.
        """

    def predict_band(self, windows: Windows) -> Band | None:
        """Lower and upper end of what actual values lie between, as the forecaster has learnt it.

        Returns:
            each of shape (windows, horizon), in the target's unit; None of a forecaster that says one number.
        """
        return None

    def freeze(self) -> Frozen:
        """All of it as plain values, its history too; `Recipe.thaw` undoes this to the bit.

        Raises:
            RecipeError: it is of a class that can't.
        """
        raise RecipeError(f"{type(self).__name__} can't be kept: it has no method `freeze`.")

    def mean_slopes(self, windows: Windows) -> Slopes | None:
        """Mean over windows and leads of |d forecast / d scaled input|, where a forecast has slopes.

        Returns:
            shape (lookback, features), first step of the window first, in the target's unit per unit of the scaled
            input; None where there are none, as in trees, whose forecasts are steps.
        """
        return None

    def look_inside(self, windows: Windows) -> Inside | None:
        """What the layers of a network do with these windows; None where there are no layers."""
        return None


class Recipe(metaclass=Explained):
    """Frozen settings of a model; subclasses are frozen dataclasses of plain values.

    Attributes:
        family: its name in JSON.
        reads_window: whether lookback and features make a difference to it.
        random: whether the seed makes a difference to it.
        stage: models of tables, at stage 0, are fitted before networks, at stage 1. So a first result is there
            at once, and the tables' copies of all lags are gone when Keras comes into memory.
    """

    family: ClassVar[str]
    reads_window: ClassVar[bool] = True
    random: ClassVar[bool] = False
    stage: ClassVar[int] = 0

    @classmethod
    def refusal(cls, why: str) -> RecipeError:
        """That there is no such model, with pydantic's reason."""
        return RecipeError(f"Model {cls.family}: {why}")

    @property
    def core(self) -> "Recipe":
        """What is trained: the recipe itself, but for one that wraps another."""
        return self

    def check_columns(self, target: str, features: Sequence[str]) -> None:
        """Make sure that it can forecast this target from these features.

        Raises:
            RecipeError: it can't; the message names the columns that stand in the way.
        """

    def load_libraries(self) -> None:
        """Import what fitting needs, if that is heavy. Called in the main thread, before fits run side by side.

        Imports in several threads at once would mix up the filters for warnings, which belong to the whole
        process.
        """

    def seeds_at_once(self) -> int:
        """How many seeds `fit_together` had best be given, at most. Asked when the libraries are loaded."""
        return 1

    def windows_read(self, windows: int, lags: int) -> int:
        """How many of so many windows it learns from: all, but for one that has to hold all of their lags at once.

        Args:
            windows: for training, or for validation.
            lags: numbers in a window's inputs.
        """
        return windows

    @abstractmethod
    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        """A forecaster.

        Args:
            learn: training windows: the only ones that weights are fitted to.
            check: validation windows, to choose by (when to stop, how strong a penalty).
            plan: how networks are trained.
            seed: of whatever is random.
            on_epoch: told of every epoch.
        """

    def fit_together(
        self,
        learn: Windows,
        check: Windows,
        plan: Plan,
        seeds: Sequence[int],
        on_epoch: OnSeedEpoch,
        checkpoints: Checkpoints | None = None,
    ) -> list[Forecaster]:
        """A forecaster for each seed: what `fit` gives for it, to the bit for one seed, up to rounding for several.

        Where there are checkpoints, training goes on from them and leaves its own; what has no epochs has none.

        Args:
            learn, check, plan: as for `fit`.
            seeds: at most as many as `seeds_at_once` says, for the best use of the machine.
            on_epoch: told of every epoch, with its seed.
        """
        return [self.fit(learn, check, plan, seed, partial(on_epoch, seed)) for seed in seeds]

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        """The arrays that a frozen forecaster of this recipe has, by arithmetic: nothing heavy is imported or built.

        Args:
            lookback, features, horizon: of its windows.
            settings: of the `Frozen`, from wherever it came.

        Raises:
            ModelFileError: the settings are not those of this recipe.
            RecipeError: the recipe can't be kept.
        """
        raise RecipeError(f"Model {self.family} can't be kept: it has no method `expected`.")

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> Forecaster:
        """The forecaster of these values, whose names, types and shapes are as `expected`.

        Args:
            frozen: what `Forecaster.freeze` gave.
            lookback, features, horizon: of its windows.
            plan: by which it was trained.

        Raises:
            ModelFileError: the values contradict each other.
            RecipeError: the recipe can't be kept.
        """
        raise RecipeError(f"Model {self.family} can't be kept: it has no method `thaw`.")


def mean_squared(errors: Outputs) -> float:
    """The mean of the squares, over windows and leads."""
    return float(np.mean(np.square(errors)))
