"""Climatology: the usual value for the time of year."""

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from backsight.models.frozen import Frozen, Specs, floats, take_counts
from backsight.models.recipe import Count, Forecaster, OnEpoch, Recipe, ignore
from backsight.series.frequency import times_after
from backsight.settings import STRICT
from backsight.training.plan import Plan
from backsight.vocabulary import Outputs
from backsight.windows.calendar import year_phase
from backsight.windows.windows import Windows, target_rows

_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, config=STRICT)
class Climatology(Recipe):
    """Least squares of the target on harmonics of the day of the year.

    Steps shorter than a day get harmonics of the hour as well. Fewer than 360 days of training rows say
    nothing of a year, and then the yearly harmonics are left out.

    Attributes:
        harmonics: sine and cosine pairs, of one to so many cycles a year (and a day).

    Source: Wilks, "Statistical Methods in the Atmospheric Sciences", 4th ed., section 10.4 (harmonic
    analysis).
    """

    harmonics: Count = 2
    family: ClassVar[str] = "climatology"
    reads_window: ClassVar[bool] = False

    def fit(
        self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore
    ) -> "ClimatologyForecaster":
        rows = np.unique(target_rows(learn.origins, learn.horizon))  # so that filled targets stay out
        times = learn.times[rows]
        step = learn.times[1] - learn.times[0]
        yearly = self.harmonics if times[-1] - times[0] >= 360 * _DAY else 0
        daily = self.harmonics if step < _DAY else 0
        design = harmonic_design(times, yearly, daily)
        weights, *_ = np.linalg.lstsq(design, learn.targets[rows], rcond=None)
        return ClimatologyForecaster(np.asarray(weights, dtype=np.float64), yearly, daily)

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        yearly, daily = take_counts(settings, yearly=0, daily=0)
        return {"weights": floats(1 + 2 * (yearly + daily))}

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> "ClimatologyForecaster":
        return ClimatologyForecaster(frozen.arrays["weights"], **frozen.settings)


@plain_dataclass(frozen=True, eq=False)
class ClimatologyForecaster(Forecaster):
    """The fitted harmonics at the target's time."""

    weights: NDArray[np.float64]
    yearly: int
    daily: int

    @property
    def parameters(self) -> int:  # type: ignore[override]
        return len(self.weights)

    def freeze(self) -> Frozen:
        return Frozen({"yearly": self.yearly, "daily": self.daily}, {"weights": self.weights})

    def predict(self, windows: Windows) -> Outputs:
        rows = target_rows(windows.origins, windows.horizon)
        ahead = times_after(windows.times, windows.horizon)
        times = pd.DatetimeIndex(windows.times.append(ahead)[rows.ravel()])
        return self.usual(times).reshape(rows.shape)

    def usual(self, times: pd.DatetimeIndex) -> NDArray[np.float64]:
        """The usual value at each of these times."""
        design = harmonic_design(times, self.yearly, self.daily)
        # Sums of a fixed order per row, as in ridge: a BLAS takes another one for another number of rows.
        return np.einsum("wl,l->w", design, self.weights)


def harmonic_design(times: pd.DatetimeIndex, yearly: int, daily: int) -> NDArray[np.float64]:
    """A column of ones, then sine and cosine of 1..yearly cycles a year and 1..daily cycles a day."""
    hour = 2 * np.pi * np.asarray((times - times.normalize()) / _DAY)
    angles = [k * year_phase(times) for k in range(1, yearly + 1)] + [k * hour for k in range(1, daily + 1)]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.column_stack([np.ones(len(times)), *waves])
