"""The judge: forecasts rows in, and out come leaderboard, tie groups, verdicts and paired tests.

Validation chooses: ranks, tie groups, which baseline is the best one. Test days judge what was chosen: verdicts
and the tests between entries.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np
import pandas as pd

from backsight.evaluation.ensemble import base_entry
from backsight.evaluation.exam import Part
from backsight.evaluation.folds import Folds
from backsight.evaluation.forecasts import NO_FORECASTS
from backsight.evaluation.leaderboard import leaderboard, ranked, seed_scores
from backsight.evaluation.leads import Leads
from backsight.evaluation.losses import window_losses
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts, opened_parts
from backsight.evaluation.significance import (
    Paired,
    confidence_set,
    gains_nothing,
    paired_test,
    seed_error,
    tie_groups,
    within_one_error,
)
from backsight.evaluation.verdicts import Parrot, Verdict, find_parrot, give_verdicts


@dataclass(frozen=True, eq=False)
class Judge:
    """All that forecasts rows say.

    Attributes:
        forecasts: see `evaluation.forecasts`; ensembles are entries like any other, folds of a backtest are pooled,
            and of many series errors are in sd.
        overlap: windows that share a target row; see `Exam.overlap`.
        floors: entries that read no window (persistence, climatology).
        simple: entries that are no network, the floors among them.
    """

    forecasts: Forecasts
    overlap: int = 1
    floors: Collection[str] = ()
    simple: Collection[str] = ()

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row an entry and seed; see `evaluation.leaderboard`."""
        return seed_scores(self.forecasts)

    @cached_property
    def folds(self) -> Folds:
        """Scores in each fold of a backtest; none otherwise."""
        return Folds(NO_FORECASTS if isinstance(self.forecasts, PanelForecasts) else self.forecasts)

    @cached_property
    def leads(self) -> Leads:
        """Scores of each lead by itself."""
        return Leads(self.forecasts, self.floors, self.overlap)

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """Tie groups, and entries in each by mean validation RMSE over seeds.

        The columns of `evaluation.leaderboard`, and: group, from 1; in_set, whether it belongs to the Model Confidence
        Set on validation, which holds the best entry with 95 % confidence; val_skill and test_skill, the share of the
        best baseline's mean squared error that an entry saves (NaN without a baseline); verdict (see
        `evaluation.verdicts`) and against, the entry it was measured by.
        """
        board = leaderboard(self.forecasts)
        board.insert(0, "group", board["entry"].map(dict(self.groups)).fillna(max(self.groups.values(), default=0) + 1))
        board["group"] = board["group"].astype(int)
        board["in_set"] = board["entry"].isin(self.confidence_set)
        for part in ("val", "test"):
            reference = board.loc[board["entry"] == self.baseline, f"{part}_rmse"]
            ratio = board[f"{part}_rmse"] / (reference.iloc[0] if len(reference) else np.nan)
            board[f"{part}_skill"] = 1 - ratio**2
        board["verdict"] = [self.verdicts[e].label if e in self.verdicts else "" for e in board["entry"]]
        board["against"] = [self.verdicts[e].against if e in self.verdicts else "" for e in board["entry"]]
        return ranked(board, ["group", "val_rmse", "entry"])

    @cached_property
    def groups(self) -> Mapping[str, int]:
        """Entries that can't be told apart on validation share a number, from 1; failed ones have none."""
        return self.groups_among(self.losses("validation").columns)

    @cached_property
    def confidence_set(self) -> list[str]:
        """The Model Confidence Set on validation; see `significance.confidence_set`."""
        return confidence_set(self.losses("validation"), overlap=self.overlap)

    @cached_property
    def as_good_as_best(self) -> list[str]:
        """The entries tied for best that lie within one standard error of it, on validation; see `significance`.

        A tie alone may mean that an entry is bad in a way that is hard to prove, as on a single day.
        """
        losses = self.losses("validation")
        tied = [name for name in losses.mean().sort_values(kind="stable").index if self.groups[name] == 1]
        return [name for name in tied if within_one_error(losses, tied[0], name, overlap=self.overlap)]

    def groups_among(self, names: Collection[str]) -> Mapping[str, int]:
        """Tie groups of some entries, as if there were no others; see `significance.tie_groups`."""
        losses = self.losses("validation")
        return tie_groups(losses[[n for n in losses if n in names]], self._set_apart_by_seeds, overlap=self.overlap)

    @cached_property
    def verdicts(self) -> Mapping[str, Verdict]:
        """What each entry is worth, on test; empty while the test days are sealed."""
        if self._means["test_rmse"].isna().all():
            return {}
        losses = self.losses("test")
        floor, baseline = (name if name in losses else None for name in (self.floor, self.baseline))

        def apart(one: str, other: str) -> bool:
            found = self.paired(one, other)
            return found.enough and abs(found.difference) > 2 * found.seed_error

        return give_verdicts(losses, floor, baseline, apart, overlap=self.overlap)

    @cached_property
    def no_gain(self) -> frozenset[str]:
        """Networks shown, on test, to be no better than the best simple model by 1 % or more of its error.

        See `significance.gains_nothing`. Empty while the test days are sealed, and without a simple model.
        """
        losses, baseline = self._losses.get("test"), self.baseline
        if losses is None or baseline is None or baseline not in losses:
            return frozenset()
        errors = {
            name: self._seed_error(name, baseline, "test") for name in map(str, losses) if name not in self.simple
        }
        return frozenset(
            name
            for name, error in errors.items()
            if gains_nothing(losses, name, baseline, overlap=self.overlap, seed_error=error)
        )

    @property
    def floor(self) -> str | None:
        """The best of the models that read no window, on validation."""
        return self._best(self.floors)

    @property
    def baseline(self) -> str | None:
        """The best of the simple models, on validation."""
        return self._best(self.simple)

    def losses(self, part: Part) -> pd.DataFrame:
        """One row a window, one column an entry; see `evaluation.losses`.

        Raises:
            ExamError: the part has not been opened.
        """
        return self._losses[part] if part in self._losses else window_losses(self.forecasts, part)

    @cached_property
    def _losses(self) -> dict[str, pd.DataFrame]:
        parts: tuple[Part, ...] = ("validation", "test")
        opened = opened_parts(self.forecasts)
        return {part: window_losses(self.forecasts, part) for part in parts if part in opened}

    def paired(self, first: str, second: str, part: Part = "test") -> Paired:
        """The difference between two entries; see `evaluation.significance`.

        Raises:
            ExamError: one failed, or there is none of that name.
        """
        error = self._seed_error(first, second, part)
        return paired_test(self.losses(part), first, second, overlap=self.overlap, seed_error=error)

    @cached_property
    def parrots(self) -> Mapping[str, Parrot]:
        """How closely the forecasts of each entry follow the last known value, on test; of one series only.

        On the days of the verdicts, so that no forecast is called a parrot that a verdict has found better than the
        last value. Empty while the test days are sealed.
        """
        if isinstance(self.forecasts, PanelForecasts):
            return {}
        known = self.forecasts.drop_duplicates("time").set_index("time")["actual"]
        rows = self.forecasts[self.forecasts["part"] == "test"]
        found = (
            (str(name), find_parrot(of_entry, known, overlap=self.overlap))
            for name, of_entry in rows.groupby("entry", sort=False)
        )
        return {name: parrot for name, parrot in found if parrot is not None}

    @cached_property
    def _means(self) -> pd.DataFrame:
        return self.scores.groupby("entry", sort=False)[["val_rmse", "test_rmse"]].mean()

    def _best(self, names: Collection[str]) -> str | None:
        errors = {name: float(self._means["val_rmse"].get(name, np.inf)) for name in sorted(names)}
        finite = {name: error for name, error in errors.items() if isfinite(error)}
        return min(finite, key=lambda name: finite[name]) if finite else None

    def _seed_error(self, one: str, other: str, part: Part) -> float:
        """Standard error over seeds of the difference between two entries' errors."""
        return seed_error(*(self._seed_errors(name, part) for name in (one, other)))

    def _seed_errors(self, entry: str, part: Part) -> list[float]:
        """Errors by seed; of an ensemble those of its members, which is more than its own would vary."""
        rows = self.scores[self.scores["entry"] == base_entry(entry)]
        return rows["val_rmse" if part == "validation" else "test_rmse"].tolist()

    def _set_apart_by_seeds(self, one: str, other: str) -> bool:
        """Whether two validation errors lie further apart than two standard errors over seeds."""
        gap = abs(float(self._means["val_rmse"][one] - self._means["val_rmse"][other]))
        return gap > 2 * self._seed_error(one, other, "validation")
