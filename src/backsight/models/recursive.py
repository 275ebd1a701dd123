"""Recursion: a model of one step ahead, whose forecast is read as if it had been observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from backsight.errors import RecipeError
from backsight.models.frozen import Frozen, Specs
from backsight.models.recipe import Forecaster, OnEpoch, OnSeedEpoch, Recipe, ignore
from backsight.training.checkpoint import Checkpoints
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.training.traces import Inside
from backsight.vocabulary import Band, Outputs
from backsight.windows.onward import lay_out, observe
from backsight.windows.windows import Windows

#: Windows that are forecast at once. All have one shape, so that a network is compiled once for them.
CHUNK = 256


@dataclass(frozen=True)
class Recursive(Recipe):
    """A model of one step ahead, whose forecast is fed back as the newest value to forecast the step after.

    It learns from the windows that a direct model of the same horizon learns from, and of each the first target alone.
    What it reads has to be the target's own past, with or without the calendar: nobody knows other columns ahead.

    Attributes:
        base: the model of one step ahead; one that reads a window.

    Source: Taieb, Bontempi, Atiya and Sorjamaa 2012, Expert Systems with Applications 39, 7067-7083 (strategies for
    several steps ahead, compared).
    """

    base: Recipe
    family: ClassVar[str] = "recursive"

    def __post_init__(self) -> None:
        if isinstance(self.base, Recursive):
            raise RecipeError("A recursive model can't be made recursive once more.")
        if not self.base.reads_window:
            raise RecipeError(
                f"Model {self.base.family} reads no window, so there is nothing to feed its forecasts back to. "
                f"It forecasts any number of steps as it is."
            )

    @property
    def core(self) -> Recipe:
        return self.base

    @property
    def random(self) -> bool:  # type: ignore[override]
        return self.base.random

    @property
    def stage(self) -> int:  # type: ignore[override]
        return self.base.stage

    def check_columns(self, target: str, features: Sequence[str]) -> None:
        others = [name for name in features if name != target]
        if others or target not in features:
            reads = f"it would read {', '.join(others[:6])}{' and more' if len(others) > 6 else ''}"
            raise RecipeError(
                f"A recursive model reads {target} alone, with or without the calendar, since nobody knows the next "
                f"values of other columns; {reads if others else 'it would not read it'}. Name the features "
                f"({target}), or forecast directly."
            )
        self.base.check_columns(target, features)

    def load_libraries(self) -> None:
        self.base.load_libraries()

    def seeds_at_once(self) -> int:
        return self.base.seeds_at_once()

    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        return RecursiveForecaster(self.base.fit(_one_ahead(learn), _one_ahead(check), plan, seed, on_epoch))

    def fit_together(
        self,
        learn: Windows,
        check: Windows,
        plan: Plan,
        seeds: Sequence[int],
        on_epoch: OnSeedEpoch,
        checkpoints: Checkpoints | None = None,
    ) -> list[Forecaster]:
        fitted = self.base.fit_together(_one_ahead(learn), _one_ahead(check), plan, seeds, on_epoch, checkpoints)
        return [RecursiveForecaster(one) for one in fitted]

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        return self.base.expected(lookback, features, 1, settings)

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> Forecaster:
        return RecursiveForecaster(self.base.thaw(frozen, lookback, features, 1, plan))


@dataclass(frozen=True, eq=False)
class RecursiveForecaster(Forecaster):
    """A forecaster that goes on from its own forecasts, as far as the horizon of the windows it is asked for.

    Attributes:
        base: forecasts the next steps.
        ahead: how many at once. The first so many leads are the base's own.
    """

    base: Forecaster
    ahead: int = 1

    @property
    def history(self) -> History | None:  # type: ignore[override]
        return self.base.history

    @property
    def parameters(self) -> int | None:  # type: ignore[override]
        return self.base.parameters

    @property
    def steps_back(self) -> int:  # type: ignore[override]
        return self.base.steps_back

    def freeze(self) -> Frozen:
        return self.base.freeze()

    def predict(self, windows: Windows) -> Outputs:
        if not len(windows):
            return np.empty((0, windows.horizon))
        first = self.base.predict(replace(windows, horizon=self.ahead))
        if windows.horizon <= self.ahead:
            return first[:, : windows.horizon]
        chunks = range(0, len(windows), CHUNK)
        return np.concatenate([self._go_on(windows, first, slice(start, start + CHUNK)) for start in chunks])

    def _go_on(self, windows: Windows, first: Outputs, chunk: slice) -> Outputs:
        """The forecasts of some of the windows, from those of their first leads."""
        origins, forecasts = windows.origins[chunk], first[chunk]
        count, missing = len(origins), CHUNK - len(origins)
        filled = windows.at(np.append(origins, np.repeat(origins[-1:], missing)))
        forecasts = np.concatenate([forecasts, np.repeat(forecasts[-1:], missing, axis=0)])
        rounds = -(-windows.horizon // self.ahead)
        onward = replace(lay_out(filled, (rounds - 1) * self.ahead), horizon=self.ahead)
        leads = [forecasts]
        for _ in range(1, rounds):
            onward = observe(onward, leads[-1])
            leads.append(self.base.predict(onward))
        return np.concatenate(leads, axis=1)[:count, : windows.horizon]

    def predict_band(self, windows: Windows) -> Band | None:
        """Of the first leads what the base has learnt; NaN further on, where nobody has learnt it."""
        band = self.base.predict_band(replace(windows, horizon=self.ahead))
        if band is None:
            return None
        further = ((0, 0), (0, max(windows.horizon - self.ahead, 0)))
        low, high = (np.pad(end[:, : windows.horizon], further, constant_values=np.nan) for end in band)
        return low, high

    def look_inside(self, windows: Windows) -> Inside | None:
        """What the layers do on the way to the first forecast."""
        return self.base.look_inside(replace(windows, horizon=self.ahead))


def _one_ahead(windows: Windows) -> Windows:
    """The same windows, each with its first target alone.

    Raises:
        RecipeError: they read more than the target's own past.
    """
    if windows.feedback is None:
        raise RecipeError("A recursive model reads the target's own past alone, with or without the calendar.")
    return replace(windows, horizon=1)
