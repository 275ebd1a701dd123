"""Persistence: what was, will be."""

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass

from backsight.errors import WindowError
from backsight.models.frozen import Frozen, Specs, take_counts
from backsight.models.recipe import Forecaster, OnEpoch, Recipe, ignore, mean_squared
from backsight.series.frequency import find_step
from backsight.settings import STRICT
from backsight.training.plan import Plan
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows, target_rows


@dataclass(frozen=True, config=STRICT)
class Persistence(Recipe):
    """Every step ahead equals the last one observed.

    Source: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.2
    (the naive method).
    """

    family: ClassVar[str] = "persistence"
    reads_window: ClassVar[bool] = False

    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        return PersistenceForecaster()

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        take_counts(settings)
        return {}

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> Forecaster:
        return PersistenceForecaster()


@plain_dataclass(frozen=True)
class PersistenceForecaster(Forecaster):
    """The target at the origin, for every lead."""

    parameters = 0

    def freeze(self) -> Frozen:
        return Frozen({}, {})

    def predict(self, windows: Windows) -> Outputs:
        return np.repeat(windows.targets[windows.origins][:, None], windows.horizon, axis=1)


@dataclass(frozen=True, config=STRICT)
class SeasonalPersistence(Recipe):
    """Every step ahead equals the same step of the season before.

    Attributes:
        season: steps; None tries the seasons that are usual for the series' frequency (a day, a week, a
            year) and takes the one with the smallest error on the training windows.

    Source: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.2
    (the seasonal naive method).
    """

    season: Annotated[int, Field(ge=1)] | None = None
    family: ClassVar[str] = "seasonal_persistence"
    reads_window: ClassVar[bool] = False

    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        last = int(learn.origins[-1])
        candidates = [self.season] if self.season else usual_seasons(learn.times)
        # A season counts only if the training rows hold two of it: one to copy, one to judge by.
        fitting = [s for s in candidates if 2 * s <= last + 1]
        if not fitting and self.season:
            raise WindowError(
                f"A season of {self.season} steps needs {2 * self.season} training rows; there are {last + 1}."
            )
        return min((SeasonalForecaster(s) for s in fitting or [1]), key=lambda f: f.training_error(learn))

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        take_counts(settings, season=1)
        return {}

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> Forecaster:
        return SeasonalForecaster(**frozen.settings)


@plain_dataclass(frozen=True)
class SeasonalForecaster(Forecaster):
    """The target a whole number of seasons earlier, at or before the origin."""

    season: int
    parameters = 0

    @property
    def steps_back(self) -> int:  # type: ignore[override]
        return self.season

    def freeze(self) -> Frozen:
        return Frozen({"season": self.season}, {})

    def predict(self, windows: Windows) -> Outputs:
        leads = np.arange(1, windows.horizon + 1)
        seasons_back = -(-leads // self.season)
        rows = target_rows(windows.origins, windows.horizon) - seasons_back * self.season
        if len(rows) and rows.min() < 0:
            raise WindowError(
                f"A season of {self.season} steps reaches back before the first row of the series. "
                f"Take a shorter season or a later first forecast."
            )
        return windows.targets[rows]

    def training_error(self, learn: Windows) -> float:
        """Mean squared error on the training windows that have a season before them."""
        usable = learn.at(learn.origins[learn.origins >= self.season])
        return mean_squared(self.predict(usable) - usable.gather_outputs())


def usual_seasons(times: pd.DatetimeIndex) -> list[int]:
    """Season lengths, in steps, that people look for first at this frequency.

    >>> usual_seasons(pd.date_range("2020-01-01", periods=9, freq="D"))
    [7, 365]
    """
    step = find_step(times)
    if isinstance(step, pd.offsets.BusinessDay):
        return [5, 261]
    if not isinstance(step, pd.Timedelta):  # months
        step = (times[-1] - times[0]) / (len(times) - 1)
    spans = [pd.Timedelta(days=d) for d in (1, 7, 365.2425)]
    # A season of fewer than four steps is hardly one.
    return [round(span / step) for span in spans if span / step > 3.5]
