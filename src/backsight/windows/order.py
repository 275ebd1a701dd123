"""Whether the windows of three parts keep the order of time."""

from collections.abc import Mapping

import numpy as np

from backsight.vocabulary import Origins
from backsight.windows.split import Split
from backsight.windows.windows import target_rows


def order_leaks(
    split: Split, lookback: int, horizon: int, origins_by_part: Mapping[str, Origins], gap: int | None = None
) -> list[str]:
    """What is wrong with the windows of the three parts; nothing if all is in order.

    In every window input precedes target, within the series and within the part; the targets of one part follow those
    of the one before by more than the gap; no origin stands twice or out of order.

    Args:
        split: rows that may be targets.
        lookback, horizon: lengths of a window's inputs and outputs.
        origins_by_part: row of each window's last input, for train, validation and test.
        gap: rows that must lie between two parts; the split's own without it.

    >>> split = Split(range(0, 8), range(8, 10), range(10, 12))
    >>> origins = {"train": np.array([1, 8]), "validation": np.array([7, 8]), "test": np.array([9, 10])}
    >>> order_leaks(split, lookback=2, horizon=1, origins_by_part=origins)[0]
    'train: the target in row 9 lies outside its part'
    """
    leaks = []
    gap = split.gap if gap is None else gap
    for name, origins in origins_by_part.items():
        rows, part = target_rows(origins, horizon), split.parts[name]
        if len(origins) and origins.min() < lookback - 1:
            leaks.append(f"{name}: a window begins before the series")
        if (np.diff(origins) <= 0).any():
            leaks.append(f"{name}: windows stand twice, or not in time order")
        outside = rows[(rows < part.start) | (rows >= part.stop)]
        if outside.size:
            leaks.append(f"{name}: the target in row {outside[0]} lies outside its part")
    for earlier, later in (("train", "validation"), ("validation", "test"), ("train", "test")):
        one, other = (target_rows(origins_by_part[part], horizon) for part in (earlier, later))
        if one.size and other.size and other.min() - one.max() <= gap:
            leaks.append(f"{later} does not follow {earlier} by more than a gap of {gap} rows")
    return leaks
