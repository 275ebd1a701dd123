"""Rolling origins: several splits of one series, each a step further on in time."""

from typing import Literal

from backsight.errors import SettingError, WindowError
from backsight.windows.split import Split

Window = Literal["expanding", "sliding"]


def rolling_folds(
    rows: range,
    folds: int,
    *,
    validation: int,
    test: int,
    gap: int = 0,
    window: Window = "expanding",
    train: int | None = None,
) -> tuple[Split, ...]:
    """Splits in time order, with parts of the same sizes, whose test parts lie side by side up to the last row.

    A fold is what one would have had at an earlier date: its test part comes after its validation part, and that
    after its training part, with the gap between them. No row is tested twice. With a horizon above 1, a window
    whose targets lie in two test parts is in neither.

    Args:
        rows: all that may be used; the last fold's test part ends with the last of them.
        folds: how many.
        validation, test: rows of these parts, the same in every fold.
        gap: rows left out before validation and before test.
        window: "expanding" trains on everything from the first row on, "sliding" on a constant number of rows.
        train: that number; without it, as many as there are before the first fold's validation part.

    Raises:
        SettingError: a number below 1 (a gap below 0), rows that are not side by side, or `train` for an expanding
            window.
        WindowError: too few rows.

    Source: Tashman 2000, International Journal of Forecasting 16, 437-450 (rolling origins); Bergmeir and Benitez
    2012, Information Sciences 191, 192-213.

    >>> for fold in rolling_folds(range(100), 2, validation=10, test=20):
    ...     print(fold)
    Split(train=range(0, 50), validation=range(50, 60), test=range(60, 80), gap=0)
    Split(train=range(0, 70), validation=range(70, 80), test=range(80, 100), gap=0)
    """
    _check_numbers(rows, folds=folds, validation=validation, test=test, gap=gap, window=window, train=train)
    # Where training ends in the first fold; each later one has as many rows more as a test part holds.
    first_stop = rows.stop - folds * test - 2 * gap - validation
    needed = train or 1
    if first_stop - rows.start < needed:
        missing = needed - (first_stop - rows.start)
        raise WindowError(
            f"{folds} folds with {validation} validation and {test} test rows and gaps of {gap} leave "
            f"{max(first_stop - rows.start, 0)} of {len(rows)} rows to train the first fold on; it needs {needed}. "
            f"Take fewer folds, parts or gaps that are {missing} rows shorter in all, or a longer series."
        )
    size = train or first_stop - rows.start
    splits = []
    for fold in range(folds):
        stop = first_stop + fold * test
        start = rows.start if window == "expanding" else stop - size
        checked = range(stop + gap, stop + gap + validation)
        splits.append(Split(range(start, stop), checked, range(checked.stop + gap, checked.stop + gap + test), gap))
    return tuple(splits)


def folds_of_split(split: Split, folds: int, window: Window = "expanding") -> tuple[Split, ...]:
    """Folds whose parts are as long as those of a split, and end where it ends.

    With an expanding window the last fold is the split itself, if only its gap lies between its parts.

    Raises:
        SettingError, WindowError: see `rolling_folds`.

    >>> split = Split(range(0, 80), range(80, 90), range(90, 100))
    >>> first, last = folds_of_split(split, 2)
    >>> first
    Split(train=range(0, 70), validation=range(70, 80), test=range(80, 90), gap=0)
    >>> last == split
    True
    """
    return rolling_folds(
        range(split.train.start, split.test.stop),
        folds,
        validation=len(split.validation),
        test=len(split.test),
        gap=split.gap,
        window=window,
    )


def folds_before_test(split: Split, folds: int, window: Window = "expanding") -> tuple[Split, ...]:
    """Folds inside the training and validation rows of a split, to choose settings by: its test rows stay unseen.

    Both the validation and the test part of each fold are as long as the split's validation part, and the last
    fold is tested on that very part.

    Raises:
        SettingError, WindowError: see `rolling_folds`.

    >>> folds_before_test(Split(range(0, 80), range(80, 90), range(90, 100)), 1)
    (Split(train=range(0, 70), validation=range(70, 80), test=range(80, 90), gap=0),)
    """
    return rolling_folds(
        range(split.train.start, split.validation.stop),
        folds,
        validation=len(split.validation),
        test=len(split.validation),
        gap=split.gap,
        window=window,
    )


def _check_numbers(
    rows: range, *, folds: int, validation: int, test: int, gap: int, window: Window, train: int | None
) -> None:
    if rows.step != 1 or rows.start < 0:
        raise SettingError(f"Folds are cut from rows that lie side by side, from row 0 on; {rows} was given.")
    counts = {"folds": folds, "validation rows": validation, "test rows": test, "training rows": train}
    for name, count in counts.items():
        if count is not None and count < 1:
            raise SettingError(f"The number of {name} must be 1 or more; {count} was given.")
    if gap < 0:
        raise SettingError(f"A gap is a number of rows, 0 or more; {gap} was given.")
    if window == "expanding" and train is not None:
        raise SettingError(
            f"An expanding window trains from the first row on: it takes no number of training rows ({train} was "
            f"given). Leave it out, or take a sliding window."
        )
