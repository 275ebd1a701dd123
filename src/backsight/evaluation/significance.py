"""Whether two entries differ, by how much, and how sure that is.

All of it compares losses window by window (see `evaluation.losses`), so days that are hard for everybody cost
nobody anything. Tests and bootstraps come from statsmodels and arch; here stands what is asked of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import ExamError

#: Differences that are none are announced this often, at most.
LEVEL = 0.05
#: A larger error by this share of the best is no difference that anybody would pay for, however certain it is.
NEGLIGIBLE = 0.01
#: Draws of a bootstrap.
DRAWS = 1000
#: Windows below which nothing is claimed, in lengths of a target that several windows share ...
LENGTHS = 5
#: ... and in windows that are worth independent ones.
INDEPENDENT = 10

Losses = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """Two entries on the same windows; errors are root mean squares over windows and seeds, in the target's unit.

    Attributes:
        first, second: names of the entries.
        difference: error of the first less that of the second: negative if the first is better.
        low, high: 95 % interval of the difference, by stationary bootstrap.
        p: of a Diebold-Mariano test of equal mean squared errors, two-sided, corrected for small samples; one
            that was asked with others is adjusted by Holm's method.
        windows: how many.
        effective: how many independent windows they are worth.
        smallest: the difference that such an exam shows four times in five.
        seed_error: standard error of the difference that comes from the seeds alone.
        enough: whether there are windows enough to claim anything.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    windows: int
    effective: float
    smallest: float
    seed_error: float
    enough: bool

    @property
    def differ(self) -> bool:
        """Whether the difference is real: neither other days nor other seeds would undo it."""
        return self._on_other_days and abs(self.difference) > 2 * self.seed_error

    @property
    def seeds_undo(self) -> bool:
        """Whether other days would leave the difference, and other seeds might not."""
        return self._on_other_days and not self.differ

    @property
    def _on_other_days(self) -> bool:
        return self.enough and self.p < LEVEL


def paired_test(
    losses: pd.DataFrame,
    first: str,
    second: str,
    *,
    overlap: int = 1,
    seed_error: float = 0.0,
    seed: int = 0,
) -> Paired:
    """Compare two entries.

    Args:
        losses: one row a window in time order, one column an entry; see `window_losses`.
        first, second: columns of it.
        overlap: windows that share a target row, as horizon / stride; their losses depend on each other.
        seed_error: standard error of the difference between the errors, over seeds.
        seed: of the bootstrap.

    Raises:
        ExamError: an entry has no losses.

    Sources: Diebold and Mariano 1995, J. Business & Economic Statistics 13, 253-263; Harvey, Leybourne and
    Newbold 1997, Int. J. Forecasting 13, 281-291; degrees of freedom: Lazarus, Lewis, Stock and Watson 2018, J.
    Business & Economic Statistics 36, 541-559; Politis and Romano 1994, J. American Statistical Association
    89, 1303-1313; block length: Politis and White 2004, Econometric Reviews 23, 53-70, corrected 2009.

    >>> rng = np.random.default_rng(0)
    >>> losses = pd.DataFrame({"a": rng.random(300), "b": rng.random(300) + 0.3})
    >>> found = paired_test(losses, "a", "b")
    >>> found.difference < 0, found.differ
    (True, True)
    """
    lacking = [name for name in (first, second) if name not in losses]
    if lacking:
        raise ExamError(f"There are no losses of {lacking[0]}: it failed, or sat no exam.")
    a, b = (losses[name].to_numpy(dtype=np.float64) for name in (first, second))
    gap, windows = a - b, len(losses)
    errors = sqrt(a.mean()), sqrt(b.mean())
    if (
        windows < 3 or np.ptp(gap) <= 1e-9 * np.abs(gap).max()
    ):  # the same forecasts, or a constant gap: no variance to test against
        same = bool(windows) and float(np.abs(gap).max()) == 0
        alike = Paired(
            first, second, errors[0] - errors[1], np.nan, np.nan, 1.0, windows, 0.0, np.nan, seed_error, False
        )
        return replace(alike, low=0.0, high=0.0, effective=float(windows), smallest=0.0) if same else alike
    p, standard_error = _diebold_mariano(gap, overlap)
    effective = _effective(gap, standard_error)
    low, high = _interval(a, b, overlap, seed)
    return Paired(
        first,
        second,
        difference=errors[0] - errors[1],
        low=low,
        high=high,
        p=p,
        windows=windows,
        effective=effective,
        # From squared to plain errors: a^2 - b^2 = (a - b) (a + b).
        smallest=_power_factor(windows) * standard_error / (errors[0] + errors[1]),
        seed_error=seed_error,
        enough=_enough(windows, effective, overlap),
    )


def gains_nothing(
    losses: pd.DataFrame, name: str, benchmark: str, *, overlap: int = 1, seed_error: float = 0.0
) -> bool:
    """Whether it is shown that an entry's error is not lower than another's by `NEGLIGIBLE` of that, or more.

    A tie shows no such thing. Here the test of `paired_test` must find the entry worse than the benchmark's error less
    that share, and other seeds must not undo it. That *none* of many gains is said where all have passed, each alone.

    Args:
        losses, overlap, seed_error: as in `paired_test`.
        name, benchmark: columns of the losses.

    Source: Berger 1982, Technometrics 24, 295-300 (intersection-union tests).

    >>> rng = np.random.default_rng(0)
    >>> losses = pd.DataFrame({"a": rng.random(300), "b": rng.random(300), "c": rng.random(300) + 0.3})
    >>> gains_nothing(losses, "b", "a"), gains_nothing(losses, "c", "a"), gains_nothing(losses, "a", "a")
    (False, True, True)
    """
    a, b = (losses[column].to_numpy(dtype=np.float64) for column in (name, benchmark))
    gap = a - (1 - NEGLIGIBLE) ** 2 * b
    if len(gap) < 3 or np.ptp(gap) <= 1e-9 * np.abs(gap).max():  # no variance to test against
        return False
    p, standard_error = _diebold_mariano(gap, overlap)
    further = sqrt(a.mean()) - (1 - NEGLIGIBLE) * sqrt(b.mean()) > 2 * seed_error
    return further and p < LEVEL and _enough(len(gap), _effective(gap, standard_error), overlap)


def _effective(gap: Losses, standard_error: float) -> float:
    """How many independent windows a mean gap of this standard error is worth."""
    return min(float(len(gap)), float(gap.var(ddof=1)) / standard_error**2)


def _enough(windows: int, effective: float, overlap: int) -> bool:
    return windows >= LENGTHS * overlap and effective >= INDEPENDENT


def holm(tests: Iterable[Paired]) -> list[Paired]:
    """The tests with their p adjusted for how many were asked at once, by Holm's method.

    Source: Holm 1979, Scandinavian J. of Statistics 6, 65-70.

    >>> one = Paired("a", "b", 1.0, 0.1, 1.9, 0.01, 300, 300.0, 0.5, 0.0, True)
    >>> [round(t.p, 3) for t in holm([one, replace(one, p=0.03), replace(one, p=0.04)])]
    [0.03, 0.06, 0.06]
    """
    from statsmodels.stats.multitest import multipletests

    asked = list(tests)
    if not asked:
        return []
    adjusted = multipletests([t.p for t in asked], method="holm")[1]
    return [replace(t, p=float(p)) for t, p in zip(asked, adjusted, strict=True)]


def confidence_set(losses: pd.DataFrame, *, overlap: int = 1, level: float = LEVEL, seed: int = 0) -> list[str]:
    """The entries among which the best one is, but for a share of `level` of all such exams.

    Args:
        losses: one row a window in time order, one column an entry.
        overlap: windows that share a target row.
        level: how often the best may be missing.
        seed: of the bootstrap.

    Returns:
        their names, in the order of the columns.

    Source: Hansen, Lunde and Nason 2011, Econometrica 79, 453-497 (the Model Confidence Set).

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.random((300, 3))
    >>> confidence_set(pd.DataFrame(noise + [0.0, 0.02, 0.5], columns=["a", "b", "c"]))
    ['a', 'b']
    """
    # Equal columns have no difference to test, and stay or go together.
    distinct = losses.loc[:, ~losses.T.duplicated()]
    if distinct.shape[1] < 2 or len(losses) < 3:
        return list(losses.columns)
    from arch.bootstrap import MCS

    length = _block_length(distinct.sub(distinct.mean(axis=1), axis=0).to_numpy(), overlap)
    found = MCS(distinct, size=level, reps=DRAWS, block_size=length, seed=np.random.default_rng(seed))
    found.compute()
    kept = distinct[list(found.included)]
    return [name for name in losses.columns if kept.eq(losses[name], axis=0).all().any()]


def better_than(
    losses: pd.DataFrame, benchmark: str, *, overlap: int = 1, level: float = LEVEL / 2, seed: int = 0
) -> list[str]:
    """The entries that are better than one they are all measured by.

    The chance that a single one of them is named wrongly is `level`, however many there are. Unlike Holm's method
    this knows that entries have their bad days together, and so overlooks fewer.

    Args:
        losses: one row a window in time order, one column an entry.
        benchmark: the entry to be better than.
        overlap: windows that share a target row.
        level: chance of a wrong name; half of `LEVEL`, since the other half is spent on who is worse.
        seed: of the bootstrap.

    Source: Romano and Wolf 2005, Econometrica 73, 1237-1282 (StepM).

    >>> rng = np.random.default_rng(0)
    >>> losses = pd.DataFrame(rng.random((300, 3)) + [0.2, 0.21, 0.0], columns=["a", "b", "c"])
    >>> better_than(losses, "a")
    ['c']
    """
    from arch.bootstrap import StepM

    gaps = losses.drop(columns=benchmark).sub(losses[benchmark], axis=0)
    gaps = gaps.loc[:, np.ptp(gaps.to_numpy(), axis=0) > 0]  # the same forecasts are not better
    if gaps.empty or len(losses) < 3:
        return []
    # Each gap in units of its own spread, so that an entry unlike the benchmark does not drown out the others.
    # Means are taken for less than they are, as a bootstrap of few blocks knows too little of their spread.
    # The benchmark stands among them, since arch fails where nobody is left over.
    scaled = gaps / gaps.std()
    scaled = scaled - (1 - _small_sample(len(gaps), overlap)) * scaled.mean()
    scaled = pd.concat([scaled, pd.Series(0.0, scaled.index, name=benchmark)], axis=1)
    length = _block_length(gaps.to_numpy(), overlap)
    random = np.random.default_rng(seed)
    found = StepM(np.zeros(len(gaps)), scaled, size=level, block_size=length, reps=DRAWS, seed=random)
    found.compute()
    return [name for name in gaps.columns if name in found.superior_models]


def tie_groups(
    losses: pd.DataFrame, apart: Callable[[str, str], bool], *, overlap: int = 1, seed: int = 0
) -> Mapping[str, int]:
    """Groups of entries that can't be told from the best of each, from 1.

    In the first group are the leader and all that are not shown to be worse than it (see `better_than`), whose seeds
    could undo the difference, or whose error is larger by so little that nobody would care (`NEGLIGIBLE`). The second
    group is the same among those that are left, and so on. With too few windows all are in one group.

    Args:
        losses: one row a window in time order, one column an entry.
        apart: whether two entries are further apart than other seeds could undo.
        overlap: windows that share a target row.
        seed: of the bootstrap.

    >>> rng = np.random.default_rng(0)
    >>> losses = pd.DataFrame(rng.random((300, 3)) + [0.5, 0.0, 0.02], columns=["a", "b", "c"])
    >>> dict(tie_groups(losses, lambda one, other: True))
    {'c': 1, 'b': 1, 'a': 2}
    """
    means = losses.mean().sort_values(kind="stable")
    left = list(means.index)
    if len(losses) < max(LENGTHS * overlap, INDEPENDENT):
        return dict.fromkeys(left, 1)
    groups: dict[str, int] = {}
    while left:
        leader = left[0]
        worse = set(better_than(-losses[left], leader, overlap=overlap, seed=seed))
        told = {n for n in worse if not negligible(means[leader], means[n]) and apart(leader, n)}
        groups |= dict.fromkeys((n for n in left if n not in told), max(groups.values(), default=0) + 1)
        left = [n for n in left if n in told]
    return groups


def negligible(best: float, other: float) -> bool:
    """Whether a mean squared error is larger than the best by so little that its root differs by `NEGLIGIBLE`.

    >>> negligible(1.0, 1.01), negligible(1.0, 1.1)
    (True, False)
    """
    return sqrt(other) <= (1 + NEGLIGIBLE) * sqrt(best)


def within_one_error(losses: pd.DataFrame, best: str, other: str, *, overlap: int = 1) -> bool:
    """Whether an entry lies within one standard error of the difference from the best, or differs by next to nothing.

    Source: the one-standard-error rule of Breiman, Friedman, Olshen and Stone 1984, "Classification and Regression
    Trees", section 3.4.3, with the error of the paired difference.

    >>> rng = np.random.default_rng(0)
    >>> losses = pd.DataFrame(rng.random((300, 3)) + [0.0, 0.3, 0.0], columns=["a", "b", "c"])
    >>> within_one_error(losses, "a", "b"), within_one_error(losses, "a", "c")
    (False, True)
    """
    gap = (losses[other] - losses[best]).to_numpy(dtype=np.float64)
    small = negligible(losses[best].mean(), losses[other].mean())
    return small or (np.ptp(gap) > 0 and bool(gap.mean() <= _diebold_mariano(gap, overlap)[1]))


def seed_error(one: Sequence[float], other: Sequence[float]) -> float:
    """Standard error of the difference of two means over seeds; a single seed tells nothing and adds nothing.

    >>> round(seed_error([1.0, 2.0, 3.0], [4.0]), 3)
    0.577
    """
    return sqrt(sum(float(np.var(errors, ddof=1)) / len(errors) for errors in (one, other) if len(errors) > 1))


def _diebold_mariano(gap: Losses, overlap: int) -> tuple[float, float]:
    """The p of equal means, and the standard error of the mean gap."""
    from scipy.stats import t
    from statsmodels.tsa.stattools import diebold_mariano_test

    # Windows fewer than overlaps leave no degree of freedom; such exams are too short for any claim.
    horizon = min(overlap, (len(gap) + 1) // 2)
    # statsmodels' own bandwidth and degrees of freedom call equal forecasts different too often where windows overlap
    # or losses depend on each other for long: a wider one, and what it leaves of the windows. See benchmarks/levels.py.
    windows = len(gap)
    wanted = max(horizon - 1, ceil(1.5 * horizon), ceil(windows ** (1 / 3)), 2 * _block_length(gap[:, None], 1))
    lags = min(wanted, windows // 3)
    nothing = np.zeros_like(gap)
    found = diebold_mariano_test(
        nothing, gap, nothing, criterion=lambda _, loss: loss, harvey_adj=True, horizon=horizon, lags=lags
    )
    statistic = abs(float(found.statistic))
    p = 2 * float(t.sf(statistic, min(windows - 1, 1.5 * windows / (lags + 1))))
    return p, abs(float(gap.mean())) / statistic if statistic else _naive(gap)


def _naive(gap: Losses) -> float:
    return float(gap.std(ddof=1)) / sqrt(len(gap))


def _interval(a: Losses, b: Losses, overlap: int, seed: int) -> tuple[float, float]:
    """95 % interval of the difference between the roots of the means."""
    from arch.bootstrap import StationaryBootstrap

    drawn = StationaryBootstrap(_block_length((a - b)[:, None], overlap), a, b, seed=np.random.default_rng(seed))
    low, high = drawn.conf_int(lambda x, y: np.array([sqrt(x.mean()) - sqrt(y.mean())]), DRAWS, "percentile")
    return float(low[0]), float(high[0])


#: Windows from which no length of blocks can be told: arch needs as many lags.
FEWEST = 8


def _block_length(gaps: Losses, overlap: int) -> int:
    """Mean length of the blocks that a bootstrap draws: what half of the columns ask for, and `overlap` at least."""
    from arch.bootstrap import optimal_block_length

    varying = gaps[:, np.ptp(gaps, axis=0) > 0] if len(gaps) >= FEWEST else gaps[:, :0]
    with np.errstate(divide="ignore", invalid="ignore"):  # in very short exams; what is no number is left out below
        enough = varying.shape[1] and len(gaps) > FEWEST
        lengths = optimal_block_length(varying)["stationary"].to_numpy() if enough else np.ones(1)
    usable = lengths[np.isfinite(lengths)]
    wanted = max(1.0, float(overlap), float(np.median(usable)) if len(usable) else 1.0)
    return min(ceil(wanted), max(1, len(gaps) // 3))


def _small_sample(windows: int, overlap: int) -> float:
    """Harvey, Leybourne and Newbold's factor, and the normal quantile over that of t with a window an overlap."""
    from scipy.stats import norm, t

    lost = windows + 1 - 2 * overlap + overlap * (overlap - 1) / windows
    freedom = max(windows / overlap - 1, 1.0)
    return sqrt(max(lost, 0.0) / windows) * float(norm.ppf(1 - LEVEL / 2) / t.ppf(1 - LEVEL / 2, freedom))


def _power_factor(windows: int) -> float:
    """Standard errors by which means must differ for a two-sided test to see it four times in five."""
    from scipy.stats import t

    return float(t.ppf(1 - LEVEL / 2, windows - 1) + t.ppf(0.8, windows - 1))
