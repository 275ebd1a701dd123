"""Which rows a forecaster learns from, chooses by, and is examined on."""

from dataclasses import dataclass
from math import ceil

from backsight.errors import SettingError, WindowError
from backsight.series.series import Series, as_time, day


@dataclass(frozen=True)
class Split:
    """Target rows of the three parts, in time order.

    A window belongs to the part that holds all its targets; its inputs may reach back into earlier
    parts, as they would on the day. `gap` rows between two parts are no targets at all.

    Attributes:
        train, validation, test: row numbers of the targets.
        gap: rows left out between one part and the next.

    Raises:
        WindowError: a part is empty, or begins before the earlier one and the gap have ended.
        SettingError: the gap is below 0.

    >>> Split(range(0, 80), range(80, 90), range(90, 100)).test
    range(90, 100)
    """

    train: range
    validation: range
    test: range
    gap: int = 0

    def __post_init__(self) -> None:
        if self.gap < 0:
            raise SettingError(f"A gap is a number of rows, 0 or more; {self.gap} was given.")
        for name, part in self.parts.items():
            if not len(part) or part.step != 1 or part.start < 0:
                raise WindowError(
                    f"The {name} part would hold no row. Give it a larger share, a longer series, or a smaller gap."
                )
        for (a, first), (b, second) in (
            (("train", self.train), ("validation", self.validation)),
            (("validation", self.validation), ("test", self.test)),
        ):
            if second.start < first.stop + self.gap:
                raise WindowError(
                    f"The {b} part must begin after the {a} part and the gap of {self.gap} rows have ended: "
                    f"{a} ends at row {first.stop - 1}, {b} begins at row {second.start}."
                )

    @property
    def parts(self) -> dict[str, range]:
        """The three parts by name, in time order."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def split_by_fractions(
    steps: int, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1), gap: int = 0, first: int = 0
) -> Split:
    """Cut the rows `first..steps` by shares, in time order.

    The holdout is the larger half of any remainder, and so is the test part: holdout = ceil((1 - train) n),
    test = ceil(share n). With the default shares these are the sizes that scikit-learn's
    `train_test_split(shuffle=False)` gives when it is called twice, and so the lesson's.

    Args:
        steps: number of rows.
        fractions: shares of train, validation and test; they add up to 1.
        gap: rows left out before validation and before test, taken from the earlier part's end.
        first: the first row that can be a target.

    Raises:
        SettingError: the shares don't add up to 1, or one is not positive.
        WindowError: a part would be empty.

    >>> split_by_fractions(3654, first=30)
    Split(train=range(30, 2929), validation=range(2929, 3291), test=range(3291, 3654), gap=0)
    """
    if not all(share > 0 for share in fractions) or abs(sum(fractions) - 1) > 1e-9:
        raise SettingError(
            f"The shares of train, validation and test must be positive and add up to 1; "
            f"{', '.join(map(str, fractions))} were given."
        )
    rows = steps - first
    # ceil of a product of floats: 0.2 * 5 must not become 2 by a rounding error above 1.
    holdout = ceil(round((1 - fractions[0]) * rows, 6))
    test = ceil(round(fractions[2] / (fractions[1] + fractions[2]) * holdout, 6))
    return _cut(steps, first, steps - holdout, steps - test, gap)


def split_by_dates(series: Series, validation: str, test: str, gap: int = 0, first: int = 0) -> Split:
    """Cut at the first step on or after two dates.

    Args:
        series: for its times.
        validation, test: dates such as 2008-01-08.
        gap: rows left out before each, taken from the earlier part's end.
        first: the first row that can be a target.

    Raises:
        DataError: a date can't be read.
        WindowError: a part would be empty.

    >>> import backsight
    >>> split_by_dates(backsight.load("seattle"), validation="2014-01-01", test="2015-01-01").test
    range(1096, 1461)
    """
    at = [int(series.times.searchsorted(as_time(text))) for text in (validation, test)]
    if not first < at[0] < at[1] < len(series):
        raise WindowError(
            f"Validation must begin after the first row, test after validation, both before the end: "
            f"{series.name} runs from {day(series.times[first])} to {day(series.times[-1])}, and "
            f"{validation} and {test} were given."
        )
    return _cut(len(series), first, at[0], at[1], gap)


def _cut(steps: int, first: int, validation: int, test: int, gap: int) -> Split:
    return Split(range(first, validation - gap), range(validation, test - gap), range(test, steps), gap)
