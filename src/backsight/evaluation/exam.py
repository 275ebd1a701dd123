"""The exam: the targets that every entry is scored on."""

from dataclasses import dataclass
from typing import Literal

from backsight.errors import SettingError, WindowError
from backsight.series.series import Series, day
from backsight.vocabulary import Origins
from backsight.windows.split import Split
from backsight.windows.windows import window_origins

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
    """

    target: str
    horizon: int
    split: Split
    stride: int = 1

    def __post_init__(self) -> None:
        if self.horizon < 1 or self.stride < 1:
            raise SettingError(f"Horizon and stride must be 1 or more; {self.horizon} and {self.stride} were given.")
        for name, part in self.split.parts.items():
            if len(part) < self.horizon:
                raise WindowError(
                    f"The {name} part has {len(part)} rows, fewer than the horizon of {self.horizon}. "
                    f"Take a shorter horizon or a longer series."
                )

    def origins(self, part: Part) -> Origins:
        """The origins of the windows whose targets lie in that part; shape (windows,)."""
        return window_origins(self.split.parts[part], 1, self.horizon, self.stride)

    def training_origins(self, lookback: int) -> Origins:
        """The origins of the training windows of a lookback; shape (windows,)."""
        return window_origins(self.split.train, lookback, self.horizon, self.stride)

    def describe_days(self, series: Series, part: Part) -> tuple[str, str, int]:
        """First and last target time of a part, and the number of its target rows."""
        rows = self.split.parts[part]
        return day(series.times[rows[0]]), day(series.times[rows[-1]]), len(rows)
