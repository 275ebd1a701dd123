"""Checks of what repeats itself: a column that stands still, gaps filled with the mean, blocks copied from elsewhere.

A value that comes again is no news: rain is zero for weeks. So each check asks how often the column does so by itself,
and reports what would come by chance less than once in so many series.
"""

from collections import defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.series.doctor.finding import Finding, Observed, show_values
from backsight.series.series import day

#: Expected number of such stretches by chance below which one is reported; laxer where the value is the column's mean,
#: which few values are.
_STILL, _AT_MEAN, _COPIED = 1e-9, 1e-4, 1e-6
#: A value counts as the mean if it lies so near to it, in standard deviations.
_NEAR = 0.1
#: Rows near the mean from which on they tell how long a value stays there.
_ENOUGH = 20
#: Share of the rows from which on a value is a common one.
_COMMON = 0.01


def check_still(seen: Observed) -> list[Finding]:
    """Stretches of one value that are too long, column by column, and in one finding those at a column's mean."""
    found, filled, said = [], [], []
    for column in seen.columns:
        values = seen.column(column)
        at_mean, still = still_rows(values)
        if at_mean.any():
            filled.append(seen.cells(column, at_mean))
            said.append(f"{column} {show_values(values[at_mean])}")
        if still.any():
            found.append(
                Finding(
                    "stands still",
                    "suspect",
                    (seen.cells(column, still),),
                    show_values(values[still]),
                    "by the column's own habits a stretch so long comes less than once in a billion series",
                    "look whether the sensor hung; mask with --mask-suspect",
                )
            )
    if filled:
        columns = f"{len(filled)} column{'s' if len(filled) > 1 else ''}"
        found.append(
            Finding(
                "filled with the mean",
                "suspect",
                tuple(filled),
                f"stretches of one value in {columns}: {', '.join(said)}",
                "a long stretch of one value that is the mean of the column was never observed: somebody filled a gap",
                "such a mean knows later rows, and such rows should not be scored: mask with --mask-suspect, above all "
                "in the target",
            )
        )
    return found


def still_rows(values: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows of stretches at the column's mean, and of other stretches, that are too long for chance; shape (rows,) both.

    If a value stays with probability p, of n rows with it there are n p^(length - 1) such stretches by chance. Near the
    mean p and n are those of all values there (else the filled gaps would excuse each other). For any other value they
    are its own; and a common value at the end of a scale (no rain, sky overcast, humidity 100 %) may stay as it likes.

    >>> values = np.random.default_rng(0).normal(size=400).round(2)
    >>> values[40:52] = 1.23
    >>> still_rows(values)[1].nonzero()[0]
    array([40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51])
    """
    at_mean, still = np.zeros(len(values), dtype=bool), np.zeros(len(values), dtype=bool)
    known = values[np.isfinite(values)]
    if len(known) < 30 or known.min() == known.max():
        return at_mean, still
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    lengths, level = np.diff(np.append(begins, len(values))), values[begins]
    distinct, place = np.unique(level, return_inverse=True)
    rows, repeats = np.bincount(place, lengths), np.bincount(place, lengths - 1)  # of each distinct value
    usual = repeats.sum() / rows.sum()
    near = (np.abs(distinct - known.mean()) <= _NEAR * known.std()) & (distinct != 0)
    ends = ((distinct == known.min()) | (distinct == known.max())).nonzero()[0]
    for run in np.flatnonzero((lengths >= 3) & np.isfinite(level)):
        one, length = place[run], int(lengths[run])
        stretch, others = slice(begins[run], begins[run] + length), rows[one] - length
        beside = near & (np.arange(len(distinct)) != one)
        stays = (repeats[beside].sum() + 0.5) / (rows[beside].sum() + 1.0)
        told = rows[beside].sum() >= _ENOUGH  # a column of few levels (months, tariffs) has no others near its mean
        if near[one] and told and max(rows[near].sum() - length, 1) * stays ** (length - 1) < _AT_MEAN:
            at_mean[stretch] = True
            continue
        if one in ends and others >= _COMMON * len(known):
            continue
        # Five more rows of a column's usual habit, for a value that is seldom seen outside of this stretch.
        own = (repeats[one] - (length - 1) + 5 * usual + 0.5) / (others + 6.0)
        if max(others, 1) * own ** (length - 1) < _STILL:
            still[stretch] = True
    return at_mean, still


def check_copied(seen: Observed) -> list[Finding]:
    """Blocks of rows that stand a second time elsewhere, in one finding: the later block of each."""
    blocks: dict[tuple[int, int, int], list[str]] = defaultdict(list)
    for column in seen.columns:
        for block in copied_blocks(seen.column(column)):
            blocks[block].append(column)
    if not blocks:
        return []
    there: dict[str, NDArray[np.bool_]] = {}
    said = []
    for (first, again, length), columns in sorted(blocks.items()):
        for column in columns:
            there.setdefault(column, np.zeros(len(seen), dtype=bool))[again : again + length] = True
        names = ", ".join(columns[:3]) + (f" and {len(columns) - 3} others" if len(columns) > 3 else "")
        said.append(f"{names}: {length} rows from {day(seen.times[again])} are those from {day(seen.times[first])}")
    return [
        Finding(
            "copied",
            "suspect",
            tuple(seen.cells(column, rows) for column, rows in there.items()),
            "; ".join(said),
            "by a column's own habits two such blocks agree by chance less than once in a million series",
            "find out which of them was observed: --mask-suspect empties the later one",
        )
    ]


def copied_blocks(values: NDArray[np.float64]) -> list[tuple[int, int, int]]:
    """Blocks that stand twice: first row of both, and length.

    Two rows agree with probability q1, and the next two then with q: of n²/2 pairs of places so many have blocks of k
    equal rows by chance: n²/2 q1 q^(k-1). Where more than a tenth of the rows come again so, the column is periodic
    by nature, and nothing is reported.
    """
    count = len(values)
    codes = np.unique(values, return_inverse=True)[1].astype(np.uint64)
    pairs_agree = _pairs(np.bincount(codes.astype(np.int64)))
    both = _pairs(np.unique(codes[:-1] * np.uint64(count) + codes[1:], return_counts=True)[1])
    once = (pairs_agree + 1) / (count**2 / 2)
    again = min((both + 1) / (pairs_agree + count), 0.999)
    need = max(5, int(np.ceil(1 + np.log(_COPIED / (count**2 / 2 * once)) / np.log(again))))
    if count < 2 * need:
        return []
    place = pd.Series(_block_hashes(codes, need))
    # A block that mostly stands still is like many others of its kind.
    moves = np.append(False, codes[1:] != codes[:-1])
    lively = np.convolve(moves, np.ones(need), "valid") >= need / 2
    unknown = np.convolve(~np.isfinite(values), np.ones(need), "valid") > 0
    twice = np.flatnonzero(place.duplicated(keep=False).to_numpy() & lively & ~unknown)
    if not len(twice) or len(twice) > 0.1 * count:
        return []
    first_of: dict[int, int] = {}
    found: list[tuple[int, int, int]] = []
    for row in twice.tolist():
        first = first_of.setdefault(int(place[row]), row)
        inside = any(f <= first < f + n and a <= row < a + n and row - first == a - f for f, a, n in found)
        if first + need > row or inside:
            continue
        length = 0
        while row + length < count and values[first + length] == values[row + length] and first + length < row:
            length += 1
        if length >= need:  # two blocks of one hash need not be equal
            found.append((first, row, length))
    return found


def _pairs(counts: NDArray[np.int64]) -> float:
    """How many pairs agree, given how often each value comes."""
    numbers = counts.astype(np.float64)
    return float((numbers * (numbers - 1)).sum() / 2)


def _block_hashes(codes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """One number for each block of that length, equal for equal blocks; shape (rows - length + 1,)."""
    hashes = np.zeros(len(codes) - length + 1, dtype=np.uint64)
    factor = np.uint64(6364136223846793005)  # Knuth's, of his 64-bit linear congruential generator
    for offset in range(length):
        hashes = hashes * factor + codes[offset : offset + len(hashes)] + np.uint64(1)
    return hashes
