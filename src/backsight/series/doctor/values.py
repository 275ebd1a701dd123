"""Checks of single values: codes for "missing", numbers that nothing can be, numbers far from all others."""

import numpy as np
from numpy.typing import NDArray

from backsight.series.doctor.finding import Finding, Observed, show_values
from backsight.series.doctor.quantities import possible

#: What files write for "missing": nines, scaled as the column is, and the ends of 16 and 32 bits.
_NINES = np.array([(10.0**digits - 1) * 10.0**-scale for digits in range(1, 7) for scale in range(4)])
_LIMITS = np.array([32767.0, -32768.0, 65535.0, 1e20, -999.25])
#: The code 9 alone is as often a grade, a count or an okta.
_CODES = np.unique(np.concatenate([-_NINES, _NINES[_NINES > 9], _LIMITS]))

_CLEAN = "mask it (--mask), and read the rest with --on-missing ffill"


def check_sentinels(seen: Observed) -> list[Finding]:
    """Codes for "missing" that stand among numbers: -99, -999, 9999 and their like, scaled or not.

    A code counts only where it lies outside of all other values: -9.9 is a temperature, -99 is none.
    """
    found = []
    for column in seen.columns:
        values = seen.column(column)
        bad = sentinels(values)
        if bad.any():
            found.append(
                Finding(
                    "sentinel",
                    "wrong",
                    (seen.cells(column, bad),),
                    f"{show_values(values[bad])}; {_others(values, bad)}",
                    "-9, -99, 999, 9999 and their like, scaled by 0.1 to 0.001 too, far outside all other values "
                    "mean that nothing was observed",
                    _CLEAN,
                )
            )
    return found


def sentinels(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values are codes for "missing"; shape (rows,).

    A code lies outside the other values by more than half their range; a tenth is enough if it is negative where they
    never are, or comes three times.

    >>> sentinels(np.array([12.0, -9.9, -3.0, 25.0, -99.0])).nonzero()[0]
    array([4])
    """
    codes = _nearest_code(values)
    rest = values[np.isfinite(values) & ~codes]
    bad = np.zeros(len(values), dtype=bool)
    if len(rest) < 3 or rest.min() == rest.max():
        return bad
    low, high = rest.min(), rest.max()
    for code in np.unique(values[codes]):
        here = values == code
        gap = max(low - code, code - high) / (high - low)
        negative = code < 0 <= low
        if gap > 0.5 or (gap > 0.1 and (negative or here.sum() >= 3)):
            bad |= here
    return bad


def _nearest_code(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    place = np.searchsorted(_CODES, values).clip(1, len(_CODES) - 1)
    near = np.minimum(np.abs(values - _CODES[place - 1]), np.abs(values - _CODES[place]))
    return near <= 1e-9 * np.abs(values)


def check_possible(seen: Observed) -> list[Finding]:
    """Numbers that the quantity in the column's name can't have."""
    found = []
    for column in seen.columns:
        values = seen.column(column)
        bounds = possible(column, seen.units.get(column, ""), values)
        if bounds is None:
            continue
        # Rounding may put a hair beyond a bound.
        hair = 1e-9 * max(1.0, float(np.nanmax(np.abs(values))))
        bad = (values < bounds.low - hair) | (values > bounds.high + hair)
        if bad.any():
            found.append(
                Finding(
                    "impossible",
                    "wrong",
                    (seen.cells(column, bad),),
                    f"{show_values(values[bad])}; {_others(values, bad)}",
                    bounds.rule,
                    _CLEAN,
                )
            )
    return found


def check_far_off(seen: Observed) -> list[Finding]:
    """Numbers far from all others, and the one negative number of a column that has no other."""
    found = []
    for column in seen.columns:
        values = seen.column(column)
        bad, rule = (
            far_off(values),
            "a few numbers lie further off, and by another power of ten, than all others differ",
        )
        if not bad.any():
            bad, rule = (
                _same_negative(values),
                "no other number of the column is negative, and all that are, are the same",
            )
        if bad.any():
            found.append(
                Finding(
                    "far off",
                    "suspect",
                    (seen.cells(column, bad),),
                    f"{show_values(values[bad])}; {_others(values, bad)}",
                    rule,
                    "look whether a unit slipped or a code for 'missing' was left in; mask with --mask-suspect",
                )
            )
    return found


def far_off(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values, at most one in 200, are apart from the rest by more than the rest's range.

    They are ten times as large or as small as any of the rest, and by a larger factor than the largest of the rest is
    its middle: that spares what has long tails by nature, such as rain and sales.

    >>> far_off(np.array([20.1, 18.0, 25.0, 2210.0, 19.5])).nonzero()[0]
    array([3])
    """
    bad = np.zeros(len(values), dtype=bool)
    for sign in (1.0, -1.0):
        size = np.abs(values) if sign > 0 else 1 / np.maximum(np.abs(values), 1e-300)
        known = np.flatnonzero(np.isfinite(values) & (values != 0))
        order = known[np.argsort(-size[known], kind="stable")]
        sizes = size[order]  # falling
        for count in range(1, max(1, len(order) // 200) + 1):
            if len(order) < count + 4:
                break
            ratio = sizes[count - 1] / sizes[count]
            if ratio < 10 or ratio <= sizes[count] / np.median(sizes[count:]):
                continue
            far, rest = values[order[:count]], values[order[count:]]
            gap = np.abs(far[:, None] - np.array([rest.min(), rest.max()])).min()
            if gap > np.ptp(rest):
                bad[order[:count]] = True
                break
    return bad


def _same_negative(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """One negative number, seen twice or more, clearly apart from the others, of which none is negative."""
    negative = values < 0
    nothing = np.zeros(len(values), dtype=bool)
    distinct = np.unique(values[np.isfinite(values) & ~negative])
    if negative.sum() < 2 or np.ptp(values[negative]) > 0 or negative.sum() > 0.05 * len(values) or len(distinct) < 3:
        return nothing
    usual = np.diff(distinct[: len(distinct) // 2 + 1]).max()
    return negative if distinct[0] - values[negative][0] > 3 * usual else nothing


def _others(values: NDArray[np.float64], bad: NDArray[np.bool_]) -> str:
    rest = values[np.isfinite(values) & ~bad]
    return f"the others are {rest.min():g} to {rest.max():g}" if len(rest) else "there are no others"
