"""Errors of forecasts. A missing forecast is a failed one: it makes the error infinite."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backsight.errors import ExamError


def rmse(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Root of the mean squared error, in the target's unit; infinite if a forecast is not finite.

    Args:
        actual, predicted: same shape.

    Raises:
        ExamError: the shapes differ, or there is nothing to score.

    >>> rmse([1.0, 2.0], [1.0, 4.0]) == 2**0.5
    True
    """
    errors = _errors(actual, predicted)
    return float(np.sqrt(np.mean(errors**2))) if np.isfinite(errors).all() else float("inf")


def mae(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error, in the target's unit; infinite if a forecast is not finite.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    errors = _errors(actual, predicted)
    return float(np.mean(np.abs(errors))) if np.isfinite(errors).all() else float("inf")


def bias(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean of forecast minus actual, in the target's unit; infinite if a forecast is not finite.

    >>> bias([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    errors = _errors(actual, predicted)
    return float(np.mean(errors)) if np.isfinite(errors).all() else float("inf")


def _errors(actual: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    a, p = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if a.shape != p.shape:  # else (n,) and (n, 1) would broadcast to n x n errors, silently
        raise ExamError(f"Actual and predicted must have one shape; they have {a.shape} and {p.shape}.")
    if not a.size:
        raise ExamError("There is no forecast to score.")
    return p - a
