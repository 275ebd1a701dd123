"""A backtest fold by fold: the scores of each, how often one entry beats another, and what choosing anew is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, sqrt

import numpy as np
import pandas as pd

from backsight.evaluation.forecasts import FOLD
from backsight.evaluation.leaderboard import seed_scores


@dataclass(frozen=True, eq=False)
class Folds:
    """The folds of a backtest; empty where forecasts have none.

    Attributes:
        forecasts: see `evaluation.forecasts`.
    """

    forecasts: pd.DataFrame

    def __len__(self) -> int:
        return self.forecasts[FOLD].nunique() if FOLD in self.forecasts else 0

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a fold, entry and seed: the columns of `seed_scores`, and fold."""
        if not len(self):
            return seed_scores(self.forecasts.iloc[:0]).assign(**{FOLD: 0})
        tables = [seed_scores(rows).assign(**{FOLD: fold}) for fold, rows in self.forecasts.groupby(FOLD)]
        return pd.concat(tables, ignore_index=True)

    def won(self, first: str, second: str) -> int:
        """In how many folds the first has the lower test error, over its seeds."""
        return sum(losses[first] < losses[second] for losses in self._losses("test_rmse").values())

    @cached_property
    def picks(self) -> Mapping[int, str]:
        """For each fold the entry of the lowest error on the fold's own validation part; none if all failed in one."""
        folds = self._losses("val_rmse")
        picked = {fold: min(losses, key=lambda name: losses[name]) for fold, losses in folds.items()}
        return picked if all(isfinite(folds[fold][name]) for fold, name in picked.items()) else {}

    @cached_property
    def picks_rmse(self) -> float | None:
        """Test RMSE, over all folds, of whoever picks an entry anew in each fold; None where none was picked.

        No pick has seen a test row of its fold, or of any later one. That can't be said of a ranking over all folds at
        once: the validation rows of one fold are test rows of the one before.
        """
        if not self.picks:
            return None
        folds = self._losses("test_rmse")
        tested = self.forecasts[self.forecasts["part"] == "test"]
        windows = [tested.loc[tested[FOLD] == fold, "origin"].nunique() for fold in self.picks]
        losses = [folds[fold][name] for fold, name in self.picks.items()]
        return sqrt(np.average(losses, weights=windows))

    def _losses(self, column: str) -> dict[int, dict[str, float]]:
        """Mean squared errors over seeds, by fold and entry."""
        losses: dict[int, dict[str, float]] = {}
        means = (self.scores[column] ** 2).groupby([self.scores[FOLD], self.scores["entry"]]).mean().reset_index()
        for fold, entry, loss in means.itertuples(index=False):
            losses.setdefault(fold, {})[entry] = loss
        return losses
