"""A Panel from a long table: every rule of one series, kept by each of many; the work is done for all rows at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import ColumnError, DataError
from backsight.series.frequency import Step, find_step, grid_places, show_step
from backsight.series.panel import Blocks, Panel
from backsight.series.rules import OnDuplicate, OnMissing, check_finite, check_order, evenly_spaced, numbers_of
from backsight.series.series import as_time, day, end_of
from backsight.series.times import Where, split_off_times

#: What is no name of a series, in lower case: a cell that some program left empty. "NA" is one (Namibia).
NAMELESS = ("", "nan", "none", "null", "<na>")


@dataclass(frozen=True, eq=False)
class _Stacked:
    """Rows sorted by series.

    Attributes:
        numbers: the columns, with the times as index.
        ids: of all series.
        of: shape (rows,), rising: the place of each row's series in `ids`.
        where: names a row in error messages.
    """

    numbers: pd.DataFrame
    ids: tuple[str, ...]
    of: NDArray[np.intp]
    where: Where

    @property
    def bounds(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(np.bincount(self.of, minlength=len(self.ids)))]).astype(np.int64)

    @property
    def times(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.numbers.index)

    def kept(self, rows: NDArray[np.bool_]) -> "_Stacked":
        places = np.flatnonzero(rows)
        where = self.where
        return replace(self, numbers=self.numbers[rows], of=self.of[rows], where=lambda row: where(int(places[row])))


def from_long(
    frame: pd.DataFrame,
    id: str,
    *,
    time: str | None,
    time_format: str | None,
    columns: Iterable[str] | None,
    first: str | None,
    last: str | None,
    name: str,
    units: Mapping[str, str] | None,
    on_duplicate: OnDuplicate,
    on_missing: OnMissing,
    where: Where,
) -> Panel:
    """A Panel from a table in which a column names the series that each row belongs to; see `from_frame`.

    Rows of different series may lie mixed; those of one series are in time order. A series may end up with few rows
    or none: whether they are enough, whoever asks something of it says.

    Raises:
        ColumnError: there is no such column, or no column of times.
        DataError: a row has no name of a series; a rule is broken; series have different steps.
    """
    if frame.index.name is None and pd.api.types.is_integer_dtype(frame.index):
        frame = frame.reset_index(drop=True)  # numbers of rows, left over where tables were put together
    times, frame = split_off_times(frame, time, time_format, where)
    if id not in frame.columns:
        named = "holds the times" if id == time or not len(frame.columns) else "is not there"
        raise ColumnError(f"Column {id!r}, to tell series by, {named}. The columns are {', '.join(frame.columns[:8])}.")
    ids, codes = read_ids(frame[id], where)
    numbers, left_out = numbers_of(frame.drop(columns=id), columns)
    order = np.argsort(codes, kind="stable")
    rows = _Stacked(
        numbers.iloc[order].set_axis(times[order]),
        ids,
        codes[order],
        lambda row: f"{where(int(order[row]))} (series {ids[codes[order[row]]]!r})",
    )
    check_order(rows.times, rows.where, on_duplicate != "error", begins=np.diff(rows.of, prepend=-1) > 0)
    rows = rows.kept(_within(rows.times, first, last))
    if not len(rows.of):
        raise DataError(f"No row of {name} lies from {first or 'its start'} to {last or 'its end'}.")
    check_finite(rows.numbers, rows.where, missing_allowed=on_missing == "ffill")
    rows = _evenly_spaced(_once(rows, on_duplicate), name, id, fill=on_missing == "ffill")
    filled = rows.numbers.isna().to_numpy()
    return Panel(
        name=name,
        times=rows.times.rename("time"),
        values=np.ascontiguousarray(_carried_forward(rows).to_numpy(np.float64)),
        columns=tuple(rows.numbers.columns),
        units={c: u for c, u in (units or {}).items() if c in rows.numbers.columns},
        left_out=left_out,
        filled=filled if filled.any() else None,
        blocks=Blocks(ids, rows.bounds),
        id=id,
    )


def read_ids(cells: pd.Series, where: Where) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The names of the series in the order in which they first come, and the place of each row's name among them.

    Names are text: 7 is "7", and 2020-01-01 is "2020-01-01". Blanks around them say nothing.

    Raises:
        DataError: a row has none, or two names are the same text.

    >>> ids, codes = read_ids(pd.Series(["b", "a", "b"]), str)
    >>> ids, codes
    (('b', 'a'), array([0, 1, 0]))
    """
    codes, values = pd.factorize(cells)
    names = [_as_text(value) for value in values]
    nameless = np.array([name.lower() in NAMELESS for name in names] + [True])[codes]  # -1, a missing cell, is the last
    if nameless.any():
        row = int(np.flatnonzero(nameless)[0])
        shown = "empty" if codes[row] < 0 or not names[codes[row]] else repr(names[codes[row]])
        raise DataError(
            f"The name of the series in column {cells.name!r} is {shown} at {where(row)}, and in {nameless.sum():,} "
            f"rows in all. Every row needs one: name the series, or delete the rows."
        )
    if len(set(names)) < len(names):
        first = {name: place for place, name in reversed([*enumerate(names)])}
        place = next(place for place, name in enumerate(names) if first[name] != place)
        one, other = (repr(values[p]) for p in (first[names[place]], place))
        raise DataError(
            f"Two names of series in column {cells.name!r} read alike, {one} and {other}, the second at "
            f"{where(int(np.flatnonzero(codes == place)[0]))}. Write the same name the same way, and others otherwise."
        )
    return tuple(names), codes.astype(np.intp)


def _as_text(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return day(value)
    if isinstance(value, float) and value.is_integer():  # whole numbers beside a missing one, as pandas keeps them
        return str(int(value))
    return str(value).strip()


def _within(times: pd.DatetimeIndex, first: str | None, last: str | None) -> NDArray[np.bool_]:
    kept = np.ones(len(times), dtype=bool)
    if first is not None:
        kept &= np.asarray(times >= as_time(first))
    if last is not None:
        kept &= np.asarray(times <= end_of(last))
    return kept


def _once(rows: _Stacked, on_duplicate: OnDuplicate) -> _Stacked:
    """Every time of a series once, by the rule that was asked for."""
    repeats = (np.diff(rows.times.asi8, prepend=-1) == 0) & (np.diff(rows.of, prepend=-1) == 0)
    if not repeats.any():
        return rows
    assert on_duplicate != "error"
    grouped = rows.numbers.groupby([rows.of, rows.times], sort=True).agg(on_duplicate)
    of = grouped.index.get_level_values(0).to_numpy(np.intp)
    merged = replace(rows, numbers=grouped.droplevel(0), of=of)
    bounds, ids = merged.bounds, rows.ids
    # Repeats are gone, so rows no longer sit where the file has them.
    return replace(merged, where=lambda row: f"step {row - bounds[of[row]] + 1} of series {ids[of[row]]!r}")


def _evenly_spaced(rows: _Stacked, name: str, column: str, fill: bool) -> _Stacked:
    """The rows, with rows of NaN where steps are missing and may be filled; all series with one step."""
    sizes, times = np.diff(rows.bounds), rows.times
    longest = int(np.argmax(sizes))
    if sizes[longest] < 3:
        raise DataError(
            f"A series needs at least 3 rows; the longest of {len(rows.ids):,} series of {name}, "
            f"{rows.ids[longest]!r}, has {sizes[longest]}. Is {column!r} the column that names them?"
        )
    step = find_step(times[rows.bounds[longest] : rows.bounds[longest + 1]])
    places, off_grid = grid_places(times, step, rows.bounds[rows.of])
    ahead = np.diff(places, prepend=-1)
    ahead[rows.bounds[:-1][sizes > 0]] = 1
    odd = np.unique(rows.of[off_grid | (ahead != 1)])
    if not len(odd):
        return rows
    blocks = {int(k): _even_block(rows, int(k), longest, step, fill) for k in odd}
    parts = [
        blocks.get(k, rows.numbers.iloc[a:b])
        for k, (a, b) in enumerate(zip(rows.bounds[:-1], rows.bounds[1:], strict=True))
    ]
    of = np.repeat(np.arange(len(rows.ids)), [len(part) for part in parts])
    return replace(rows, numbers=pd.concat(parts), of=of)


def _even_block(rows: _Stacked, place: int, longest: int, step: Step, fill: bool) -> pd.DataFrame:
    """The rows of one series with missing steps filled, or the error that says what is wrong with it."""
    begin, end = rows.bounds[place], rows.bounds[place + 1]
    block = rows.numbers.iloc[begin:end]
    own = find_step(rows.times[begin:end])
    at: Where = lambda row: rows.where(int(begin) + row)
    if show_step(own) == show_step(step):  # months that end and months that begin are counted each in their own way
        return evenly_spaced(block, at, fill, own)
    places, off_grid = grid_places(rows.times[begin:end], own)
    if not fill and not off_grid.any() and (np.diff(places) == 1).all():
        raise DataError(
            f"Series have different steps: {rows.ids[place]!r} has one every {show_step(own)}, from {at(0)} on, and "
            f"{rows.ids[longest]!r}, the longest, every {show_step(step)}. Compare those of one step, or resample them."
        )
    return evenly_spaced(block, at, fill, step)


def _carried_forward(rows: _Stacked) -> pd.DataFrame:
    """The rows, with the last value of the series in place of each that is missing."""
    if not rows.numbers.isna().to_numpy().any():
        return rows.numbers
    carried = rows.numbers.groupby(rows.of).ffill()
    missing = carried.isna().to_numpy()
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise DataError(
            f"Series {rows.ids[rows.of[row]]!r} begins with a missing value in column {carried.columns[column]!r}, and "
            f"there is no earlier one to carry forward: begin later (--from), or read other columns (--features)."
        )
    return carried
