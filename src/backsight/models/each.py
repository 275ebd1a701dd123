"""One forecaster a series: for models that read no window, and so know nothing that another series could teach."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backsight.errors import DataError, WindowError
from backsight.models.recipe import Forecaster, Recipe
from backsight.training.plan import Plan
from backsight.vocabulary import Outputs
from backsight.windows.many import each_series
from backsight.windows.windows import Windows


@dataclass(frozen=True, eq=False)
class EachForecaster(Forecaster):
    """Forecasts every series by a forecaster of its own.

    Attributes:
        of: by the name of the series.
    """

    of: Mapping[str, Forecaster]

    @property
    def parameters(self) -> int | None:  # type: ignore[override]
        counts = [one.parameters for one in self.of.values()]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def steps_back(self) -> int:  # type: ignore[override]
        return max(one.steps_back for one in self.of.values())

    def predict(self, windows: Windows) -> Outputs:
        """Forecasts of shape (windows, horizon), each in its series' unit.

        Raises:
            DataError: the windows are of a series that there is no forecaster of.
        """
        predicted = np.empty((len(windows), windows.horizon))
        for name, which, alone in each_series(windows):
            if name not in self.of:
                raise DataError(f"There is no forecaster of series {name!r}: it was not among those that were fitted.")
            predicted[which] = self.of[name].predict(alone)
        return predicted


def fit_each(recipe: Recipe, learn: Windows, check: Windows, plan: Plan, seed: int) -> EachForecaster:
    """Fit a recipe to every series by itself: to the bit what it would be if there were no others.

    Args:
        recipe: one that reads no window.
        learn, check: training and validation windows of several series, each of which has both.
        plan, seed: as in `Recipe.fit`.

    Raises:
        WindowError: a series is too short for the recipe.
    """
    fitted: dict[str, Forecaster] = {}
    for (name, _, of_learn), (_, _, of_check) in zip(each_series(learn), each_series(check), strict=True):
        try:
            fitted[name] = recipe.fit(of_learn, of_check, plan, seed)
        except WindowError as error:
            raise WindowError(f"Series {name!r}: {error}") from error
    return EachForecaster(fitted)
