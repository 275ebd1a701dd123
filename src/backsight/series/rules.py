"""The rules that the numbers of every table have to keep: in time order, finite, evenly spaced."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import DataError
from backsight.series.columns import expand_globs, refuse_text
from backsight.series.frequency import Step, find_step, grid_places, show_step, steps_from
from backsight.series.series import day
from backsight.series.times import Where

OnDuplicate = Literal["error", "first", "last", "mean"]
OnMissing = Literal["error", "ffill"]

#: Numbers beyond this are refused: far beyond it, 32 bits can't hold them.
LARGEST = 1e30


def numbers_of(frame: pd.DataFrame, globs: Iterable[str] | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns of numbers that were asked for, as float64, and the names of those that hold text."""
    numeric = [str(c) for c in frame.columns if _is_numeric(frame[c])]
    left_out = tuple(str(c) for c in frame.columns if c not in numeric)
    if globs is not None:
        globs = tuple(globs)
        refuse_text(globs, numeric, left_out)
        numeric = list(expand_globs(globs, numeric))
        left_out = ()
    if not numeric:
        raise DataError("No column holds numbers. A forecaster needs at least one.")
    return frame[numeric].astype("float64"), left_out


def _is_numeric(column: pd.Series) -> bool:
    if pd.api.types.is_object_dtype(column):
        return all(isinstance(v, Decimal | int | float) for v in column.dropna()) and not column.isna().all()
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def check_order(
    times: pd.DatetimeIndex, where: Where, repeats_allowed: bool, begins: NDArray[np.bool_] | None = None
) -> None:
    """Make sure that times rise.

    Args:
        times: one a row.
        where: names a row in error messages.
        repeats_allowed: whether a time may stand twice.
        begins: true where another series begins, whose times have nothing to do with those before; of one series, None.

    Raises:
        DataError: they don't.
    """
    steps = np.diff(times.asi8)
    if begins is not None:
        steps[begins[1:]] = 1
    back = np.flatnonzero(steps < 0)
    if len(back):
        i = back[0] + 1
        raise DataError(
            f"The rows are not in time order: {day(times[i])} at {where(i)} follows "
            f"{day(times[i - 1])}. Sort the file by time."
        )
    repeats = np.flatnonzero(steps == 0)
    if len(repeats) and not repeats_allowed:
        i = repeats[0] + 1
        raise DataError(
            f"{count_of(len(repeats), 'repeated time')}, first at {where(i)} ({day(times[i])}). A forecast "
            f"needs one row a step: drop the repeats or pass --on-duplicate first, last or mean."
        )


def check_finite(numbers: pd.DataFrame, where: Where, missing_allowed: bool) -> None:
    """Make sure that every cell holds a number that one can compute with.

    Raises:
        DataError: one doesn't.
    """
    values = numbers.to_numpy()
    fill = ", or pass --on-missing ffill to carry the last one forward"
    for kind, flaw, advice, allowed in (
        ("infinite value", np.isinf(values), "Every cell must hold a number: mend them", False),
        ("missing value", np.isnan(values), f"Every cell must hold a number: mend them{fill}", missing_allowed),
        ("value beyond 1e30", np.abs(values) > LARGEST, "Numbers so large overflow: take another unit", False),
    ):
        if flaw.any() and not allowed:
            row, column = np.argwhere(flaw)[0]
            raise DataError(
                f"{count_of(int(flaw.sum()), kind)}, first at {where(row)} in column "
                f"{numbers.columns[column]!r}. {advice}."
            )


def evenly_spaced(numbers: pd.DataFrame, where: Where, fill: bool, step: Step | None = None) -> pd.DataFrame:
    """The rows, with rows of NaN where steps are missing and may be filled.

    Args:
        numbers: with its times as index, rising.
        where: names a row in error messages.
        fill: whether missing steps may be filled.
        step: from one row to the next; the one that most rows keep without it.

    Raises:
        DataError: the steps are uneven, or some are missing and may not be filled, or too many are.
    """
    times = pd.DatetimeIndex(numbers.index)
    step = find_step(times) if step is None else step
    places, off_grid = grid_places(times, step)
    strays = np.flatnonzero(off_grid | (np.diff(places, prepend=-1) == 0))
    if len(strays):
        i = strays[0]
        raise DataError(
            f"The steps are uneven: most are {show_step(step)} apart, but {day(times[i])} at {where(i)} is off that "
            f"grid. Resample the series to even steps first."
        )
    gaps = np.flatnonzero(np.diff(places) > 1)
    missing = int(places[-1] + 1 - len(places))
    if not missing:
        return numbers
    i = gaps[0] + 1
    found = (
        f"{count_of(missing, 'missing step')}: {day(times[i])} at {where(i)} follows {day(times[i - 1])}, and a step "
        f"is {show_step(step)}."
    )
    if not fill:
        raise DataError(f"{found} Add the rows, or pass --on-missing ffill to carry the last values forward.")
    if missing > len(numbers):
        raise DataError(f"{found} That is more than there are rows: too many to be filled.")
    filled = pd.DataFrame(np.nan, index=steps_from(times[0], step, int(places[-1]) + 1), columns=numbers.columns)
    filled.iloc[places] = numbers.to_numpy()
    return filled


def carried_forward(numbers: pd.DataFrame) -> pd.DataFrame:
    """The rows, with the last value in place of each that is missing.

    Raises:
        DataError: there is no earlier one.
    """
    carried = numbers.ffill()
    if carried.isna().to_numpy().any():
        column = carried.columns[carried.isna().any()][0]
        raise DataError(
            f"Column {column!r} begins with missing values, and there is no earlier one to carry forward: begin "
            f"later (--from), or read other columns (--features)."
        )
    return carried


def count_of(n: int, thing: str) -> str:
    """So many things there are.

    >>> count_of(1, "missing step"), count_of(2, "missing value")
    ('There is 1 missing step', 'There are 2 missing values')
    """
    thing = thing if n == 1 else thing.replace("value", "values") if "value" in thing else f"{thing}s"
    return f"There {'is' if n == 1 else 'are'} {n} {thing}"
