"""Rows of named columns of numbers over times: what one series and several of them have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import DataError
from backsight.series.columns import expand_globs, refuse_text, require_column


@dataclass(frozen=True, eq=False)
class Rows:
    """Named columns of numbers, one row a time; a `Series` or a `Panel`.

    Attributes:
        name: what people call it.
        times: one a row.
        values: shape (rows, columns), float64, finite.
        columns: the names, in the order of the second axis of `values`.
        units: unit by column, where known.
        left_out: columns of the source that hold text and so can't be forecast from.
        filled: shape (rows, columns), true where a value was carried forward and not observed; None
            where all were. No window with a filled target is learnt from or scored.
    """

    name: str
    times: pd.DatetimeIndex
    values: NDArray[np.float64]
    columns: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    filled: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.times), len(self.columns)):
            raise DataError(
                f"A series needs one row of values a time and one column a name: values have shape "
                f"{self.values.shape}, with {len(self.times)} times and {len(self.columns)} names."
            )

    def __len__(self) -> int:
        return len(self.times)

    def column(self, name: str) -> NDArray[np.float64]:
        """The column called `name`, shape (rows,), in its own unit.

        Raises:
            ColumnError: there is no such column.
        """
        return self.values[:, self.columns.index(require_column(name, self.columns))]

    def select(self, globs: Iterable[str]) -> Self:
        """The rows with only the columns that fit one of the globs.

        Raises:
            ColumnError: a glob fits nothing, or names a column of text.
        """
        globs = tuple(globs)
        refuse_text(globs, self.columns, self.left_out)
        chosen = expand_globs(globs, self.columns)
        places = [self.columns.index(c) for c in chosen]
        filled = None if self.filled is None else self.filled[:, places]
        return replace(self, values=self.values[:, places], columns=chosen, filled=filled)

    def filled_rows(self, column: str) -> tuple[int, ...]:
        """Rows in which the column's value was carried forward."""
        if self.filled is None:
            return ()
        return tuple(np.flatnonzero(self.filled[:, self.columns.index(column)]).tolist())
