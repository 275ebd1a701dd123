"""Lookback curves: the error of each model against how far it looks back, and the shortest lookback that will do.

Validation chooses: which lookback is best, which are tied with it, which is recommended. Test days only say what
that choice costs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from backsight.errors import ExamError
from backsight.evaluation.judge import Judge
from backsight.evaluation.leaderboard import leaderboard
from backsight.evaluation.panel_forecasts import entry_names, opened_parts
from backsight.evaluation.significance import INDEPENDENT, LENGTHS, Paired, holm


class Point(NamedTuple):
    """A point of a curve."""

    model: str
    lookback: int


@dataclass(frozen=True)
class Choice:
    """The shortest lookback that can't be told from the best one, on validation.

    Attributes:
        best: the entry of the lowest validation error.
        recommended: of the entries tied with it the one of the shortest lookback; of several the lowest in
            `LookbackCurves.order`, then in error.
        tied: all that are tied with the best, by lookback, the best among them.
        enough: whether there are validation windows enough to tell any lookbacks apart. Without, all are tied.
        cost: on the test days, the error of the recommended entry less that of the best one; None if they are
            the same, or test days are sealed.
    """

    best: str
    recommended: str
    tied: tuple[str, ...]
    enough: bool
    cost: Paired | None = None


@dataclass(frozen=True, eq=False)
class LookbackCurves:
    """Curves of several models on one exam.

    Attributes:
        judge: of all entries that sat the exam, floors included.
        points: model and lookback of each entry that lies on a curve.
        order: of models, the simpler the lower: between equal lookbacks of different models it decides.
    """

    judge: Judge
    points: Mapping[str, Point]
    order: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [name for name in self.points if name not in entry_names(self.judge.forecasts)]
        if unknown or not self.points:
            raise ExamError(f"A curve needs the forecasts of its entries; there are none of {(unknown or ['any'])[0]}.")

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a point, in the order of `points`: model, lookback, entry, errors, tied, best, recommended.

        Errors are those of `evaluation.leaderboard`: val_rmse, val_sd, val_min, val_max, and the same of test. A
        failed entry has infinite ones. The last three columns compare lookbacks of one model.
        """
        board = leaderboard(self.judge.forecasts).set_index("entry")
        errors = [f"{part}_{what}" for part in ("val", "test") for what in ("rmse", "sd", "min", "max")]
        rows = board.loc[list(self.points), errors].reset_index()
        rows.insert(0, "model", [point.model for point in self.points.values()])
        rows.insert(1, "lookback", [point.lookback for point in self.points.values()])
        choices = self.choices.values()
        rows["tied"] = rows["entry"].isin([name for choice in choices for name in choice.tied])
        rows["best"] = rows["entry"].isin([choice.best for choice in choices])
        rows["recommended"] = rows["entry"].isin([choice.recommended for choice in choices])
        return rows

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Models that have a curve, in the order in which they came."""
        return tuple(dict.fromkeys(point.model for point in self.points.values()))

    @property
    def choices(self) -> Mapping[str, Choice]:
        """The choice for each model, by its name; a model that failed at every lookback has none."""
        return {model: choice for model, choice in self._all_choices.items() if model is not None}

    @property
    def overall(self) -> Choice | None:
        """The choice among all points of all models; None if all failed."""
        return self._all_choices.get(None)

    @cached_property
    def network(self) -> Paired | None:
        """Whether a network is worth it: the best one of the curves and the best simple model, on the test days.

        Both are the best on validation. None without one of them, or while test days are sealed.
        """
        pair = self._network_pair
        return None if pair is None else self._tests.get(pair) or self._tests.get(pair[::-1])

    @property
    def _network_pair(self) -> tuple[str, str] | None:
        errors = self.judge.losses("validation").mean()
        networks = [name for name in errors.index if name in self.points and name not in self.judge.simple]
        baseline = self.judge.baseline
        return (str(errors[networks].idxmin()), baseline) if networks and baseline is not None else None

    @cached_property
    def _tests(self) -> Mapping[tuple[str, str], Paired]:
        """All that is asked of the test days, by pair, each once: adjusted together."""
        opened = "test" in opened_parts(self.judge.forecasts)
        finite = set(self.judge.losses("test")) if opened else set()
        pairs = {(c.recommended, c.best): None for c in self._chosen.values() if c.recommended != c.best}
        worth = self._network_pair
        if worth is not None and worth[::-1] not in pairs:
            pairs[worth] = None
        tests = holm(self.judge.paired(*pair) for pair in pairs if finite.issuperset(pair))
        return {(test.first, test.second): test for test in tests}

    @cached_property
    def _all_choices(self) -> Mapping[str | None, Choice]:
        """By model, and under None the one among all; with what they cost on test."""
        return {model: replace(c, cost=self._tests.get((c.recommended, c.best))) for model, c in self._chosen.items()}

    @cached_property
    def _chosen(self) -> Mapping[str | None, Choice]:
        """By model, and under None the one among all.

        Among all models a lookback is tied with the best only if it is tied with its own model's best, too: with many
        entries, less can be told apart, and what is known of a model alone stays known.
        """
        chosen: dict[str | None, Choice] = {}
        for model in self.models:
            names = [name for name, point in self.points.items() if point.model == model]
            if (choice := self._choose(names, names)) is not None:
                chosen[model] = choice
        eligible = [name for choice in chosen.values() for name in choice.tied]
        if (overall := self._choose(list(self.points), eligible)) is not None:
            chosen[None] = overall
        return chosen

    def _choose(self, names: Collection[str], eligible: Collection[str]) -> Choice | None:
        """The choice among those of `names` that are eligible, by the ties among all of them."""
        losses = self.judge.losses("validation")
        errors = losses[[name for name in losses if name in names]].mean()
        if errors.empty:
            return None
        groups = self.judge.groups_among(names)
        tied = sorted(
            (name for name, group in groups.items() if group == 1 and name in eligible),
            key=lambda name: self._rank(name, errors),
        )
        enough = len(losses) >= max(LENGTHS * self.judge.overlap, INDEPENDENT)
        return Choice(str(errors.idxmin()), tied[0], tuple(tied), enough)

    def _rank(self, name: str, errors: pd.Series) -> tuple[int, int, float]:
        point = self.points[name]
        return point.lookback, self.order.get(point.model, 0), float(errors[name])
