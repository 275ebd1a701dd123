"""Intervals of forecasts, made from the errors of earlier ones; they move as actual values arrive.

A calibration says, for every lead, how far below and above a forecast the actual value may lie. It begins with the
errors on validation (split conformal) and then, if it is told of actuals, moves each end by itself: outwards by a step
when an actual falls beyond it, inwards by a small part of that step when none does (quantile tracking).

Sources: Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World"; Lei et al. 2018, J. American
Statistical Association 113, 1094-1111 (split conformal); Romano, Patterson and Candès 2019, NeurIPS 32 (around
quantile forecasts); Gibbs and Candès 2021, NeurIPS 34, and Angelopoulos, Candès and Tibshirani 2023, NeurIPS 36
(following what comes; the second calls this rule quantile tracking).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import ceil, isfinite
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backsight.errors import ExamError, SettingError, explain_validation

#: Shares of actual values that intervals are to hold.
LEVELS = (0.5, 0.8, 0.9)
#: By how much of the interval's width an end moves when an actual falls beyond it, one step ahead.
STEP = 0.1
#: Steps are at least those of an interval of so much of the first one's width, so that a narrow one can widen again.
NARROW = 0.2

Level = Annotated[float, Field(gt=0, lt=1)]
Ends = tuple[FiniteFloat, ...]
_STRICT = ConfigDict(extra="forbid")


class Arrival(NamedTuple):
    """A forecast, and the actual value that came.

    Attributes:
        origin: time of the last step that the forecast was allowed to see.
        time: when the actual value was observed.
        below, above: the actual less the lower and less the upper end of what was forecast; one number where one
            was forecast. NaN where nothing was observed.
        band: how far apart those two ends are; 0 for one number.
    """

    origin: datetime
    time: datetime
    below: float
    above: float
    band: float = 0.0


@dataclass(frozen=True, config=_STRICT)
class Standing:
    """What stood from some time on, until the next actual came.

    Attributes:
        time: of the last actual that it knows.
        count: errors that it was made from.
        lower, upper: what is added to a forecast for the ends of its interval, in the target's unit; one a level.
    """

    time: datetime
    count: Annotated[int, Field(ge=1)]
    lower: Ends
    upper: Ends


@dataclass(frozen=True, config=_STRICT)
class OfLead:
    """What is known of forecasts of one lead.

    Attributes:
        step: by how much of an interval's width an end moves.
        narrowest: the width that a step is taken of at least, in the target's unit.
        standing: what stood when, the latest last. Earlier ones are kept as long as a forecast made under them may
            still wait for its actual.
    """

    step: Annotated[FiniteFloat, Field(ge=0)]
    narrowest: Annotated[FiniteFloat, Field(ge=0)]
    standing: Annotated[tuple[Standing, ...], Field(min_length=1)]


@dataclass(frozen=True, config=_STRICT)
class Calibration:
    """The intervals of one entry's forecasts: immutable, plain values, JSON both ways.

    Attributes:
        levels: shares of actual values to hold, rising.
        leads: one a lead, from 1.

    Raises:
        pydantic.ValidationError: values that don't belong together.

    >>> begun = calibrate_lead(np.arange(-20.0, 21.0), until=datetime(2020, 1, 1), levels=(0.9,))
    >>> calibration = Calibration((0.9,), (begun,))
    >>> calibration.interval(100.0, lead=1)
    (81.0, 119.0)
    >>> later = calibration.update(150.0, 100.0, 1, origin=datetime(2020, 1, 1), time=datetime(2020, 1, 2))
    >>> [round(end, 2) for end in later.interval(100.0, lead=1)]
    [81.19, 122.61]
    >>> Calibration.from_json(later.to_json()) == later
    True
    """

    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    leads: Annotated[tuple[OfLead, ...], Field(min_length=1)]

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(set(self.levels)):
            raise ValueError("levels rise")
        for of_lead in self.leads:
            times = [stood.time for stood in of_lead.standing]
            if times != sorted(set(times)):
                raise ValueError("times rise")
            if any(len(ends) != len(self.levels) for s in of_lead.standing for ends in (s.lower, s.upper)):
                raise ValueError("every level has two ends")

    def interval(
        self, predicted: float, lead: int, level: float = 0.9, band: tuple[float, float] | None = None
    ) -> tuple[float, float]:
        """Both ends of the interval of a forecast, after all that the calibration was told of.

        Infinite where it knows too few errors for the level; see `errors_needed`.

        Args:
            predicted: the forecast, in the target's unit.
            lead: steps ahead, from 1.
            level: one of the calibration's.
            band: for a forecast of quantiles, its two outer ones, which take the place of `predicted`.

        Raises:
            ExamError: there is no such level or lead.
        """
        low, high = band or (predicted, predicted)
        return ends(self.of_lead(lead).standing[-1], self.place(level), level, low, high)

    def update(
        self,
        actual: float,
        predicted: float,
        lead: int,
        *,
        origin: datetime,
        time: datetime,
        band: tuple[float, float] | None = None,
    ) -> "Calibration":
        """The calibration that has been told of one more actual; itself, if it knew that one already.

        An actual is compared with the interval that its forecast was given at its origin, so actuals of one lead are
        told in the order of their times.

        Args:
            actual, predicted: in the target's unit.
            lead: steps ahead, from 1.
            origin: time of the last step that the forecast was allowed to see.
            time: of the actual.
            band: as in `interval`.

        Raises:
            ExamError: there is no such lead.
        """
        low, high = band or (predicted, predicted)
        told = follow(self.of_lead(lead), self.levels, [Arrival(origin, time, actual - low, actual - high, high - low)])
        return self.with_lead(lead, told[0])

    def of_lead(self, lead: int) -> OfLead:
        """What is known of forecasts of a lead.

        Raises:
            ExamError: nothing is.
        """
        if not 1 <= lead <= len(self.leads):
            raise ExamError(f"Intervals are known for leads 1 to {len(self.leads)}; {lead} was asked for.")
        return self.leads[lead - 1]

    def with_lead(self, lead: int, known: OfLead) -> "Calibration":
        """The calibration that knows something else of a lead."""
        return Calibration(self.levels, (*self.leads[: lead - 1], known, *self.leads[lead:]))

    def place(self, level: float) -> int:
        """The place of a level among the calibration's.

        Raises:
            ExamError: it is none of them.
        """
        if level not in self.levels:
            raise ExamError(
                f"Intervals are known for levels {', '.join(map(str, self.levels))}; {level} was asked for."
            )
        return self.levels.index(level)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads back, to the bit."""
        return TypeAdapter(Calibration).dump_python(self, mode="json")

    @classmethod
    def from_json(cls, values: Any) -> "Calibration":
        """The calibration of these values.

        Raises:
            SettingError: they are none.
        """
        try:
            return TypeAdapter(cls).validate_python(values)
        except ValidationError as error:
            raise SettingError(f"These are no intervals' values. {explain_validation(error)}") from error


def calibrate_lead(
    below: NDArray[np.float64],
    above: NDArray[np.float64] | None = None,
    *,
    until: datetime,
    levels: Sequence[float] = LEVELS,
    overlap: int = 1,
    narrowest: float | None = None,
) -> OfLead:
    """Split conformal ends of one lead: of n errors those of rank ceil((n + 1) (1 - alpha / 2)) from either side.

    Had these errors and the next one come in any order with equal chances (exchangeable), the next one would lie
    beyond each end with a chance of alpha / 2 at most. Errors of a time series depend on each other and drift, so
    this is where one begins, and no promise.

    Args:
        below, above: actual less forecast, shape (windows,), in the target's unit; see `Arrival`. One of them
            where one number is forecast.
        until: time of the last actual among them.
        levels: 1 - alpha; rising.
        overlap: forecasts of this lead that are made before the actual of the first has come. Their errors depend on
            each other, so the ends move in smaller steps, by the cube root.
        narrowest: see `OfLead`; a share of the first interval's width without it.
    """
    lower, upper = conformal_ends(below, below if above is None else above, levels)
    least = NARROW * (upper[-1] - lower[-1]) if narrowest is None else narrowest
    return OfLead(step_of(overlap), least, (Standing(until, len(below), lower, upper),))


def conformal_ends(
    below: NDArray[np.float64], above: NDArray[np.float64], levels: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lower and upper ends of each level, from errors in any order; see `calibrate_lead`.

    >>> conformal_ends(np.arange(-20.0, 21.0), np.arange(-20.0, 21.0), [0.9])
    ((-19.0,), (19.0,))
    """
    count = len(below)
    low, high = np.sort(below), np.sort(above)
    ranks = [min(ceil(round((count + 1) * (1 + level) / 2, 9)), count) for level in levels]
    return tuple(float(low[count - rank]) for rank in ranks), tuple(float(high[rank - 1]) for rank in ranks)


def step_of(overlap: int) -> float:
    """By how much of an interval's width an end moves, where so many forecasts overlap."""
    return float(STEP / overlap ** (1 / 3))


def errors_needed(level: float) -> int:
    """How many errors an interval of a level needs to have an end on both sides.

    >>> errors_needed(0.9), errors_needed(0.5)
    (19, 3)
    """
    return ceil(round(2 / (1 - level), 9)) - 1


def ends(stood: Standing, place: int, level: float, low: float, high: float) -> tuple[float, float]:
    """Both ends of an interval around what was forecast; infinite if too few errors stand behind it."""
    if stood.count < errors_needed(level):
        return -float("inf"), float("inf")
    lower, upper = low + stood.lower[place], high + stood.upper[place]
    return min(lower, upper), max(lower, upper)  # ends that have crossed enclose what lies between them


def follow(known: OfLead, levels: Sequence[float], arrivals: Iterable[Arrival]) -> tuple[OfLead, list[Standing]]:
    """Tell what is known of a lead of more actuals, and learn what stood at each forecast's origin.

    Nothing is used before it was observed: what stood at an origin knows actuals up to that time.

    Args:
        known: before.
        levels: of its ends.
        arrivals: in the order of their times. One without an actual, or of a time that is known already, moves nothing.

    Returns:
        what is known after all of them, and for each arrival what stood at its origin.
    """
    standing, place, stood_at = list(known.standing), 0, []
    for arrival in arrivals:
        while place + 1 < len(standing) and standing[place + 1].time <= arrival.origin:
            place += 1
        stood_at.append(standing[place])
        if arrival.time > standing[-1].time and isfinite(arrival.below):
            standing.append(_move(known, levels, standing[-1], standing[place], arrival))
    return OfLead(known.step, known.narrowest, tuple(standing[place:])), stood_at


def _move(known: OfLead, levels: Sequence[float], now: Standing, then: Standing, arrival: Arrival) -> Standing:
    """Both ends of every level after one more actual, judged by the interval that stood when it was forecast."""
    lower, upper = [], []
    for place, level in enumerate(levels):
        width = arrival.band + now.upper[place] - now.lower[place]
        step, share = known.step * max(width, known.narrowest), (1 - level) / 2
        lower.append(now.lower[place] - step * ((arrival.below < then.lower[place]) - share))
        upper.append(now.upper[place] + step * ((arrival.above > then.upper[place]) - share))
    return Standing(arrival.time, now.count + 1, tuple(lower), tuple(upper))
