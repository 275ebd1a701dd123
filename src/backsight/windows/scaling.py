"""Scaling, learnt from training rows and from nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backsight.errors import DataError
from backsight.series.panel import name_some

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


@dataclass(frozen=True, eq=False)
class EachScaler:
    """How each of several series is scaled, by its own training rows.

    Attributes:
        ids: names of the series.
        inputs: mean and scale of the input columns, shape (series, columns).
        target: mean and scale of the target, shape (series,).
        alone: whether a single series was learnt from, which then keeps the unit of its target; several share one.
    """

    ids: tuple[str, ...]
    inputs: Scaler
    target: Scaler
    alone: bool

    def of(self, ids: Sequence[str]) -> "EachScaler":
        """The same of these series, in this order.

        Raises:
            DataError: one of them is unknown.
        """
        if ids == self.ids:
            return self
        place = {name: k for k, name in enumerate(self.ids)}
        unknown = [name for name in ids if name not in place]
        if unknown:
            raise DataError(
                f"{name_some(unknown)} {'was' if len(unknown) == 1 else 'were'} not among the {len(self.ids):,} series "
                f"that the models were fitted on, so there is nothing to scale them by. Leave them out, or fit anew."
            )
        rows = [place[name] for name in ids]
        inputs, target = (Scaler(s.mean[rows], s.scale[rows]) for s in (self.inputs, self.target))
        return EachScaler(tuple(ids), inputs, target, self.alone)


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
    return Scaler(mean, np.where(constant(mean, deviation), 1.0, deviation))


def constant(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether numbers of this mean and standard deviation are all the same: the latter may come out as 1e-17."""
    return deviation <= 1e-12 * np.abs(mean)
