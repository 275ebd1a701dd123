"""Ridge regression on lags: the strongest line there is."""

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from backsight.models.recipe import STRICT, Forecaster, OnEpoch, Recipe, ignore, mean_squared
from backsight.training.plan import Plan
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows

#: Penalties that are tried where none is given.
PENALTIES = tuple(float(p) for p in np.logspace(-2, 5, 15))


@dataclass(frozen=True, config=STRICT)
class Ridge(Recipe):
    """Linear least squares on all lags of all features, with a penalty on the squared weights.

    Attributes:
        penalty: weight of the penalty; None takes the best on validation of 0.01 to 100,000.

    Source: Hoerl and Kennard 1970, Technometrics 12, 55-67.
    """

    penalty: Annotated[float, Field(gt=0)] | None = None
    family: ClassVar[str] = "ridge"

    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        x = _lags(learn)
        y = learn.gather_outputs()
        x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
        x -= x_mean
        # One eigendecomposition of the smaller of the two Gram matrices serves every penalty.
        if x.shape[0] < x.shape[1]:
            values, vectors = np.linalg.eigh(x @ x.T)
            left, right = vectors.T @ (y - y_mean), x.T @ vectors
        else:
            values, vectors = np.linalg.eigh(x.T @ x)
            left, right = vectors.T @ (x.T @ (y - y_mean)), vectors
        values = np.maximum(values, 0.0)  # rounding can leave the smallest ones just below zero

        def solve(penalty: float) -> RidgeForecaster:
            weights = right @ (left / (values + penalty)[:, None])
            return RidgeForecaster(weights, y_mean - x_mean @ weights)

        candidates = [solve(p) for p in ((self.penalty,) if self.penalty else PENALTIES)]
        truth = check.gather_outputs()
        return min(candidates, key=lambda f: mean_squared(f.predict(check) - truth))


@plain_dataclass(frozen=True, eq=False)
class RidgeForecaster(Forecaster):
    """One weighted sum of the window a lead.

    Attributes:
        weights: shape (lookback x features, horizon).
        intercept: shape (horizon,).
    """

    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]

    @property
    def parameters(self) -> int:  # type: ignore[override]
        return self.weights.size + self.intercept.size

    def predict(self, windows: Windows) -> Outputs:
        # A product of a fixed order of sums per row, so that a forecast does not depend on how many
        # others are asked for (a BLAS picks another kernel for another shape).
        return np.einsum("wl,lh->wh", _lags(windows), self.weights) + self.intercept


def _lags(windows: Windows) -> NDArray[np.float64]:
    """Every window laid out flat: shape (windows, lookback x features)."""
    inputs = windows.gather_inputs()
    return inputs.reshape(len(inputs), inputs.shape[1] * inputs.shape[2]).astype(np.float64)
