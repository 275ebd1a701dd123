"""Damped persistence: what was unusual a step ago is still so, and less."""

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from backsight.models.climatology import Climatology, ClimatologyForecaster
from backsight.models.frozen import Frozen, Specs, floats
from backsight.models.recipe import Count, Forecaster, OnEpoch, Recipe, ignore
from backsight.settings import STRICT
from backsight.training.plan import Plan
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows


@dataclass(frozen=True, config=STRICT)
class DampedPersistence(Recipe):
    """Climatology, plus a share of the last anomaly: of what the last value was above or below its climatology.

    Each lead has a share of its own, by least squares on the training windows: the autocorrelation of the anomalies
    at that lag. An autoregression of order 1 would have powers of the first one. Between persistence (all of the
    anomaly) and climatology (none of it), and better than both where anomalies fade.

    Attributes:
        harmonics: of the climatology.

    Source: van den Dool 2007, "Empirical Methods in Short-Term Climate Prediction", chapter 8 (persistence of
    anomalies, damped by their autocorrelation).
    """

    harmonics: Count = 2
    family: ClassVar[str] = "damped_persistence"
    reads_window: ClassVar[bool] = False

    @property
    def _climatology(self) -> Climatology:
        return Climatology(self.harmonics)

    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        usual = self._climatology.fit(learn, check, plan, seed)
        last = _anomalies(usual, learn)
        later = learn.gather_outputs() - usual.predict(learn)  # (windows, horizon)
        energy = np.square(last).sum()
        # Without an anomaly in all of the training rows nothing is known of how they fade.
        shares = (last[:, None] * later).sum(axis=0) / energy if energy > 0 else np.zeros(learn.horizon)
        return DampedForecaster(usual, shares)

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        return self._climatology.expected(lookback, features, horizon, settings) | {"shares": floats(horizon)}

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> Forecaster:
        usual = self._climatology.thaw(frozen, lookback, features, horizon, plan)
        return DampedForecaster(usual, frozen.arrays["shares"])


@plain_dataclass(frozen=True, eq=False)
class DampedForecaster(Forecaster):
    """A climatology, and the share of the last anomaly that is left at each lead.

    Attributes:
        usual: the climatology.
        shares: of shape (horizon,).
    """

    usual: ClimatologyForecaster
    shares: NDArray[np.float64]

    @property
    def parameters(self) -> int:  # type: ignore[override]
        return self.usual.parameters + len(self.shares)

    def freeze(self) -> Frozen:
        usual = self.usual.freeze()
        return Frozen(usual.settings, {**usual.arrays, "shares": self.shares})

    def predict(self, windows: Windows) -> Outputs:
        return self.usual.predict(windows) + self.shares[: windows.horizon] * _anomalies(self.usual, windows)[:, None]


def _anomalies(usual: ClimatologyForecaster, windows: Windows) -> NDArray[np.float64]:
    """By how much the target at each origin is above what is usual then."""
    return windows.targets[windows.origins] - usual.usual(windows.times[windows.origins])
