"""Scaling, learnt from training rows and from nothing else."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ScaleName = Literal["standard", "none"]


@dataclass(frozen=True, eq=False)
class Scaler:
    """Subtracts a mean and divides by a scale, column by column.

    Attributes:
        mean, scale: shape (columns,), in the columns' units.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scaled values, same shape (steps, columns)."""
        return (values - self.mean) / self.scale


def fit_scaler(values: NDArray[np.float64], name: ScaleName = "standard") -> Scaler:
    """A scaler for these training rows.

    Args:
        values: shape (training rows, columns).
        name: "standard" gives every column mean 0 and standard deviation 1 over the rows (a constant
            column keeps its scale of 1); "none" changes nothing.

    >>> scaler = fit_scaler(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scaler.mean, scaler.scale
    (array([2., 5.]), array([1., 1.]))
    """
    columns = values.shape[1]
    if name == "none":
        return Scaler(np.zeros(columns), np.ones(columns))
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    # A constant column's deviation may come out as 1e-17 rather than 0.
    flat = deviation <= 1e-12 * np.abs(mean)
    return Scaler(mean, np.where(flat, 1.0, deviation))
