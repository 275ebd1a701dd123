"""Several series of the same columns and the same step, one below the other."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from backsight.errors import DataError
from backsight.series.rows import Rows
from backsight.series.series import Series


@dataclass(frozen=True, eq=False)
class Blocks:
    """Which rows belong to which of several series that lie one below the other.

    Attributes:
        ids: the series' names, in their order, no two alike.
        bounds: shape (series + 1,): series k has the rows from `bounds[k]` up to `bounds[k + 1]`, without it.

    >>> blocks = Blocks(("a", "b"), np.array([0, 3, 5]))
    >>> len(blocks), blocks.rows(1), blocks.of(np.array([0, 2, 3]))
    (2, slice(3, 5, None), array([0, 0, 1]))
    """

    ids: tuple[str, ...]
    bounds: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.bounds.shape != (len(self.ids) + 1,) or self.bounds[0] != 0 or (np.diff(self.bounds) < 0).any():
            raise DataError(f"{len(self.ids)} series need as many bounds and one more, from 0 on and rising.")
        if len(set(self.ids)) < len(self.ids):
            twice = Counter(self.ids).most_common(1)[0][0]
            raise DataError(f"Two series are called {twice!r}.")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each series."""
        return np.diff(self.bounds)

    def rows(self, place: int) -> slice:
        """The rows of the series at that place."""
        return slice(int(self.bounds[place]), int(self.bounds[place + 1]))

    def of(self, rows: NDArray[np.integer]) -> NDArray[np.intp]:
        """The place of the series that each of these rows belongs to, same shape."""
        return np.searchsorted(self.bounds, rows, side="right") - 1

    def starts(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """The first row of the series that each of these rows belongs to, same shape."""
        return self.bounds[self.of(rows)]


@dataclass(frozen=True, eq=False)
class Panel(Rows):
    """Several series of the same columns, stacked: all rows of the first, then all of the next.

    Each is evenly spaced in time by itself. All have the same step; they may begin and end at different times.

    Attributes:
        blocks: which rows belong to which series.
        id: the column that named them.

    Raises:
        DataError: there are rows of no series, or not one value a row and column.

    >>> import pandas as pd
    >>> times = pd.date_range("2020-01-01", periods=3).append(pd.date_range("2021-01-01", periods=2))
    >>> panel = Panel("toy", times, np.arange(5.0)[:, None], ("y",), blocks=Blocks(("a", "b"), np.array([0, 3, 5])))
    >>> panel.series("b").column("y")
    array([3., 4.])
    """

    blocks: Blocks = field(kw_only=True)
    id: str = field(default="series", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blocks.bounds[-1] != len(self.times):
            raise DataError(f"{self.blocks.bounds[-1]} rows are of some series, of {len(self.times)} rows in all.")

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the series, in their order."""
        return self.blocks.ids

    def series(self, name: str) -> Series:
        """The series of that name, alone.

        Raises:
            DataError: there is none.
        """
        if name not in self.ids:
            raise DataError(f"There is no series {name!r}. The series are {name_some(self.ids)}.")
        return self.nth(self.ids.index(name))

    def nth(self, place: int) -> Series:
        """The series at that place, alone."""
        rows = self.blocks.rows(place)
        filled = None if self.filled is None else self.filled[rows]
        return Series(
            self.ids[place],
            self.times[rows],
            self.values[rows],
            self.columns,
            self.units,
            self.left_out,
            filled if filled is not None and filled.any() else None,
        )

    def each(self) -> Iterator[Series]:
        """All of them, one after the other."""
        return map(self.nth, range(len(self.blocks)))

    def without(self, names: Collection[str]) -> "Panel":
        """The panel without the series of these names.

        Raises:
            DataError: it has no series of one of them, or none would be left.
        """
        if not names:
            return self
        unknown = set(names) - set(self.ids)
        if unknown or len(names) == len(self.ids):
            raise DataError(
                f"{name_some(sorted(unknown))} can't be left out of {self.name}: there is no such series."
                if unknown
                else f"{self.name} has {len(self.ids)} series, and all of them would be left out."
            )
        out = set(names)
        return self._kept([slice(0, 0) if i in out else self.blocks.rows(k) for k, i in enumerate(self.ids)], out)

    def head(self, steps: int) -> "Panel":
        """The first `steps` rows of each series; all of one that has fewer.

        Raises:
            DataError: none has so many.
        """
        longest = int(self.blocks.sizes.max())
        if not 1 <= steps <= longest:
            raise DataError(f"The longest series of {self.name} has {longest} rows; the first {steps} were asked for.")
        rows = map(self.blocks.rows, range(len(self.blocks)))
        return self._kept([slice(r.start, min(r.stop, r.start + steps)) for r in rows], ())

    def _kept(self, rows: Sequence[slice], left_out: Collection[str]) -> "Panel":
        """Some rows of each series, and no series of these names."""
        places = np.concatenate([np.arange(r.start, r.stop) for r in rows])
        kept = [(i, r.stop - r.start) for i, r in zip(self.ids, rows, strict=True) if i not in left_out]
        bounds = np.cumsum([0, *(size for _, size in kept)])
        return replace(
            self,
            times=self.times[places],
            values=self.values[places],
            filled=None if self.filled is None else self.filled[places],
            blocks=Blocks(tuple(i for i, _ in kept), bounds),
        )


def name_some(names: Sequence[str], most: int = 5) -> str:
    """Names for people, the first few where there are many.

    >>> name_some(["a", "b"]), name_some(list("abcdefg"))
    ("'a', 'b'", "'a', 'b', 'c', 'd', 'e' and 2 more")
    """
    shown = ", ".join(repr(name if len(name) <= 40 else f"{name[:37]}...") for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
