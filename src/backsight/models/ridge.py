"""Ridge regression on lags: the strongest line there is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from backsight.models.frozen import Frozen, Specs, floats, take_counts
from backsight.models.recipe import Forecaster, OnEpoch, Recipe, Slopes, ignore, mean_squared
from backsight.settings import STRICT
from backsight.training.plan import Plan
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows

#: More windows than this, with more numbers in their lags than that (256 MB), are read in blocks of so many numbers.
MANY, NUMBERS, BLOCK = 2**17, 2**25, 2**22

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
        if len(learn) > MANY and len(learn) * learn.features * learn.lookback > NUMBERS:
            x_mean, y_mean, solve = _in_blocks(learn)
        else:
            x, y = learn.gather_lags(), learn.gather_outputs()
            x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
            x -= x_mean
            y -= y_mean
            solve = _dual_solver(x, y) if x.shape[0] < x.shape[1] else _solver(x.T @ x, x.T @ y)

        def forecaster(penalty: float) -> RidgeForecaster:
            weights = solve(penalty)
            return RidgeForecaster(weights, y_mean - x_mean @ weights)

        candidates = [forecaster(p) for p in ((self.penalty,) if self.penalty else PENALTIES)]
        truth = check.gather_outputs()
        return min(candidates, key=lambda f: mean_squared(f.predict(check) - truth))

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        take_counts(settings)
        return {"weights": floats(features * lookback, horizon), "intercept": floats(horizon)}

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> Forecaster:
        return RidgeForecaster(frozen.arrays["weights"], frozen.arrays["intercept"])


@plain_dataclass(frozen=True, eq=False)
class RidgeForecaster(Forecaster):
    """One weighted sum of the window a lead.

    Attributes:
        weights: shape (features x lookback, horizon).
        intercept: shape (horizon,).
    """

    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]

    @property
    def parameters(self) -> int:  # type: ignore[override]
        return self.weights.size + self.intercept.size

    def freeze(self) -> Frozen:
        return Frozen({}, {"weights": self.weights, "intercept": self.intercept})

    def predict(self, windows: Windows) -> Outputs:
        # A product of a fixed order of sums per row, so that a forecast does not depend on how many
        # others are asked for (a BLAS picks another kernel for another shape).
        parts = range(0, max(len(windows), 1), MANY // 4)
        blocks = (windows.at(windows.origins[begin : begin + MANY // 4]) for begin in parts)
        products = [np.einsum("wl,lh->wh", block.gather_lags(), self.weights) for block in blocks]
        return np.concatenate(products) + self.intercept

    def mean_slopes(self, windows: Windows) -> Slopes:
        of_leads = self.weights.reshape(windows.features, windows.lookback, windows.horizon)
        return np.abs(of_leads).mean(axis=2).T  # a line's slopes are its weights, in every window


Weights = NDArray[np.float64]
Solver = Callable[[float], Weights]


def _solver(gram: NDArray[np.float64], products: NDArray[np.float64]) -> Solver:
    """Weights by penalty, from one eigendecomposition of the lags' Gram matrix; `products` are theirs with outputs."""
    values, vectors = _eigen(gram)
    projected = vectors.T @ products
    return lambda penalty: vectors @ (projected / (values + penalty)[:, None])


def _in_blocks(learn: Windows) -> tuple[NDArray[np.float64], NDArray[np.float64], Solver]:
    """Mean of the lags and of the outputs, and the weights by penalty, without holding all lags at once.

    The same up to rounding: sums are added up a block of windows at a time.
    """
    lags = learn.features * learn.lookback
    size = max(1, BLOCK // lags)
    blocks = [learn.at(learn.origins[begin : begin + size]) for begin in range(0, len(learn), size)]
    y = learn.gather_outputs()
    x_mean, y_mean = sum(b.gather_lags().sum(axis=0) for b in blocks) / len(learn), y.mean(axis=0)
    gram, products = np.zeros((lags, lags)), np.zeros((lags, learn.horizon))
    for block, truth in zip(blocks, np.split(y - y_mean, range(size, len(y), size)), strict=True):
        x = block.gather_lags() - x_mean
        gram += x.T @ x
        products += x.T @ truth
    return x_mean, y_mean, _solver(gram, products)


def _dual_solver(x: NDArray[np.float64], y: NDArray[np.float64]) -> Solver:
    """The same weights where there are more lags than windows, from the windows' Gram matrix."""
    values, vectors = _eigen(x @ x.T)
    projected = vectors.T @ y
    return lambda penalty: x.T @ (vectors @ (projected / (values + penalty)[:, None]))


def _eigen(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues, none of them negative, and eigenvectors; `gram` is used up."""
    from scipy.linalg import eigh

    # LAPACK's "evr" needs no work space of the matrix's own size, and the transpose (the same matrix) lies
    # in memory as LAPACK wants it.
    values, vectors = eigh(gram.T, overwrite_a=True, check_finite=False, driver="evr")
    return np.maximum(values, 0.0), vectors
