"""Whether the validation error fell again after it had risen, and what that was worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SecondDescent:
    """A fall of the validation error below its first valley, after a real rise.

    Attributes:
        valley, valley_rmse: the epoch of the first valley and its error.
        peak, peak_rmse: the highest point after it and before the second fall.
        bottom, bottom_rmse: the lowest point after the peak.
    """

    valley: int
    valley_rmse: float
    peak: int
    peak_rmse: float
    bottom: int
    bottom_rmse: float

    @property
    def gain(self) -> float:
        """How much lower the bottom is than the valley, in the target's unit; negative if it is higher."""
        return self.valley_rmse - self.bottom_rmse


def second_descent(val_rmse: Sequence[float], rise: float = 0.05, window: int = 5) -> SecondDescent | None:
    """Find a second descent in a validation curve, or None.

    The curve is smoothed by a running median first, since single epochs jump. The valley is the lowest
    point before the curve has risen by `rise` of its value; the second descent counts if the smoothed
    curve then falls by at least half of that rise.

    Args:
        val_rmse: one an epoch; what follows the first that is no number is left out.
        rise: share of the valley's error that the curve must climb for the valley to count as left.
        window: epochs of the running median, odd.

    Source: the phenomenon over epochs: Nakkiran et al. 2019, arXiv:1912.02292. The rule is our own.

    >>> up_and_down = [5, 4, 3, 3, 3.5, 4, 4.5, 4.5, 4, 3.5, 3, 2.5, 2.5, 2.5]
    >>> second_descent(up_and_down, window=1).bottom
    12
    >>> second_descent([5, 4, 3, 2, 1]) is None
    True
    """
    errors = np.asarray(val_rmse, dtype=float)
    diverged = np.flatnonzero(~np.isfinite(errors))
    curve = _running_median(errors[: diverged[0]] if len(diverged) else errors, window)
    lowest = np.minimum.accumulate(curve)
    left = np.flatnonzero(curve > lowest * (1 + rise))
    if not len(left):
        return None
    valley = int(np.argmin(curve[: left[0]]))
    # The peak that leaves the deepest fall behind it: compare every point with the lowest one after it.
    after = np.minimum.accumulate(curve[::-1])[::-1]
    fall = curve - after
    peak = int(left[0] + np.argmax(fall[left[0] :]))
    bottom = int(peak + np.argmin(curve[peak:]))
    if fall[peak] < 0.5 * (curve[peak] - curve[valley]) or curve[peak] <= curve[valley] * (1 + rise):
        return None
    return SecondDescent(
        valley + 1, float(curve[valley]), peak + 1, float(curve[peak]), bottom + 1, float(curve[bottom])
    )


def _running_median(curve: np.ndarray, window: int) -> np.ndarray:
    if len(curve) < window:
        return curve
    half = window // 2
    padded = np.pad(curve, half, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)
