"""What each entry is worth beside the simple models, in a word; and whether it only repeats what it last saw."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from backsight.evaluation.forecasts import KEY
from backsight.evaluation.significance import INDEPENDENT, LENGTHS, Paired, better_than, paired_test

Label = Literal["better", "tied", "behind", "no better", "baseline", "floor", "too few windows"]


@dataclass(frozen=True)
class Verdict:
    """What an entry is worth.

    Attributes:
        label: better than the best baseline; tied with it; behind it; "no better", which is not shown to be better
            than the floor; the best baseline or the floor itself; or too few windows to say.
        against: the entry it was measured by; "" if none.
    """

    label: Label
    against: str = ""


def give_verdicts(
    losses: pd.DataFrame,
    floor: str | None,
    baseline: str | None,
    apart: Callable[[str, str], bool],
    *,
    overlap: int = 1,
) -> dict[str, Verdict]:
    """A verdict for each entry, measured by two that were chosen on validation.

    Args:
        losses: on the test windows; see `evaluation.losses`.
        floor: the best of the models that read no window (persistence, climatology); None without one.
        baseline: the best of all simple models, the floor among them; None without one.
        apart: whether there are windows enough to tell two entries apart, and seeds don't undo it.
        overlap: windows that share a target row.
    """
    measures = {m for m in (floor, baseline) if m is not None}
    if not measures:
        return {}
    short = len(losses) < max(LENGTHS * overlap, INDEPENDENT)

    def found(measure: str | None, sign: int) -> set[str]:
        """Entries that are better (sign 1) or worse (sign -1) than a measure."""
        if measure is None or short:
            return set()
        named = better_than(sign * losses, measure, overlap=overlap)
        return {name for name in named if apart(name, measure)}

    above_floor, above, below = found(floor, 1), found(baseline, 1), found(baseline, -1)

    def judge(name: str) -> Verdict:
        if name == floor:
            return Verdict("floor")
        if short:
            return Verdict("too few windows")
        if floor is not None and name not in above_floor:
            return Verdict("no better", floor)
        if name == baseline or baseline is None:
            return Verdict("baseline")
        return Verdict("better" if name in above else "behind" if name in below else "tied", baseline)

    return {name: judge(name) for name in losses.columns}


@dataclass(frozen=True)
class Parrot:
    """How closely forecasts follow the last value that was known, and how closely what they forecast.

    Attributes:
        yesterday: correlation of the forecasts with the target at their origins.
        today: correlation of the forecasts with the target that they forecast.
        gain: by how much their error is below that of repeating the last value, by a paired test.
    """

    yesterday: float
    today: float
    gain: Paired

    @property
    def repeats(self) -> bool:
        """Whether they follow the past more closely than what they forecast, and no test finds them better than it.

        It may be chance that no test does, where windows are few; `gain` says how large it is. The first alone says
        little: the best possible forecast of an autoregressive series follows yesterday perfectly, and today not.
        """
        return self.yesterday > self.today and not (self.gain.differ and self.gain.difference < 0)


def find_parrot(rows: pd.DataFrame, known: pd.Series, *, overlap: int = 1) -> Parrot | None:
    """Measure the forecasts of one entry; None where nothing varies, or hardly a last value is known.

    Correlations, mean over leads, see shape and timing and not the level, as the eye does in a plot where a
    forecast runs one step behind.

    Args:
        rows: forecasts rows of one entry and part; see `evaluation.forecasts`. Several seeds are averaged.
        known: the target by time.
        overlap: windows that share a target row.

    >>> walk = np.random.default_rng(0).standard_normal(400).cumsum()
    >>> rows = pd.DataFrame({"part": "test", "lead": 1, "origin": range(399), "time": range(1, 400)})
    >>> rows["actual"] = walk[1:]
    >>> find_parrot(rows.assign(predicted=walk[:-1]), pd.Series(walk)).repeats
    True
    """
    means = rows.groupby(KEY, sort=False)[["actual", "predicted"]].mean().reset_index()
    means["last"] = means["origin"].map(known)
    means = means.dropna()
    pairs = []
    for _, of_lead in means.groupby("lead"):
        values = of_lead[["predicted", "last", "actual"]].to_numpy(dtype=np.float64)
        if len(values) > 2 and (np.ptp(values, axis=0) > 0).all():
            pairs.append(np.corrcoef(values.T)[0, 1:])
    if not pairs:
        return None
    yesterday, today = np.mean(pairs, axis=0)
    squared = means[["predicted", "last"]].sub(means["actual"], axis=0) ** 2
    losses = squared.groupby(means["origin"]).mean()
    gain = paired_test(losses, "predicted", "last", overlap=overlap)
    return Parrot(float(yesterday), float(today), gain)
