"""The exam: the targets that every entry is scored on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from backsight.errors import SettingError, WindowError
from backsight.series.rows import Rows
from backsight.series.series import day
from backsight.vocabulary import Origins
from backsight.windows.split import Split
from backsight.windows.windows import target_rows, window_origins

Part = Literal["validation", "test"]


@dataclass(frozen=True)
class Exam:
    """The same (origin, lead, target) keys for every entry, whatever its lookback.

    The keys follow from the split and the horizon alone, so no entry can change another one's. A longer
    lookback costs an entry training windows at the start of the series, never exam days.

    Attributes:
        target: the column to forecast.
        horizon: steps forecast at once.
        split: rows to learn from, to choose by, and to be examined on.
        stride: steps from one origin to the next, in every part; hourly rows with a horizon of 24 and a
            stride of 24 are forecast once a day.
        unknown: rows whose target was not observed (but filled); no window with such a target is learnt
            from or scored.
    """

    target: str
    horizon: int
    split: Split
    stride: int = 1
    unknown: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.horizon < 1 or self.stride < 1:
            raise SettingError(f"Horizon and stride must be 1 or more; {self.horizon} and {self.stride} were given.")
        for name, part in self.split.parts.items():
            if len(part) < self.horizon:
                raise WindowError(
                    f"The {name} part has {len(part)} rows, fewer than the horizon of {self.horizon}. "
                    f"Take a shorter horizon or a longer series."
                )
        parts: tuple[Part, ...] = ("validation", "test")
        if unseen := [part for part in parts if not len(self.origins(part))]:
            raise WindowError(f"No target of the {unseen[0]} part was observed: all were filled. Take other rows.")

    @property
    def gap(self) -> int:
        """Rows left out between one part and the next."""
        return self.split.gap

    @property
    def overlap(self) -> int:
        """How many windows in a row share a target row, so that their errors depend on each other."""
        return -(-self.horizon // self.stride)

    def origins(self, part: Part) -> Origins:
        """The origins of the windows whose targets lie in that part; shape (windows,)."""
        return self._observed(window_origins(self.split.parts[part], 1, self.horizon, self.stride))

    def training_origins(self, lookback: int) -> Origins:
        """The origins of the training windows of a lookback; shape (windows,)."""
        return self._observed(window_origins(self.split.train, lookback, self.horizon, self.stride))

    def _observed(self, origins: Origins) -> Origins:
        if not self.unknown:
            return origins
        return origins[~np.isin(target_rows(origins, self.horizon), self.unknown).any(axis=1)]

    def target_rows(self, part: Part) -> Origins:
        """The rows that are targets of a part, each once, rising; shape (rows,)."""
        return np.unique(target_rows(self.origins(part), self.horizon))

    def describe_days(self, series: Rows, part: Part) -> tuple[str, str, int]:
        """First and last target time of a part, and the number of its target rows."""
        return describe_days(series, [self], part)


class Sat(Protocol):
    """An exam of one series or of many, as far as its rows go."""

    def target_rows(self, part: Part) -> Origins:
        """The rows that are targets of a part, each once, rising; shape (rows,)."""


def also_tested(exams: Iterable[Sat]) -> int:
    """How many validation rows of these exams are test rows of another."""
    validated, tested = (
        np.unique(np.concatenate([exam.target_rows(part) for exam in exams])) for part in ("validation", "test")
    )
    return len(np.intersect1d(validated, tested))


def describe_days(series: Rows, exams: Iterable[Sat], part: Part) -> tuple[str, str, int]:
    """First and last target time of a part over several exams, and the number of its target rows."""
    rows = np.unique(np.concatenate([exam.target_rows(part) for exam in exams]))
    times = series.times[rows]
    return day(times.min()), day(times.max()), len(rows)
