"""Errors lead by lead, and how far ahead a forecast is of use."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from backsight.evaluation.ensemble import base_entry
from backsight.evaluation.exam import Part
from backsight.evaluation.leaderboard import METRICS, PARTS, seed_scores
from backsight.evaluation.losses import window_losses
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts, at_lead, horizon_of
from backsight.evaluation.significance import Paired, paired_test, seed_error

_KEYS = ["entry", "seed", "lead"]
_ERRORS = [f"{part}_{metric}" for part in PARTS for metric in METRICS]


@dataclass(frozen=True)
class Useful:
    """How far ahead an entry is of use.

    Attributes:
        entry: which.
        leads: at so many, from the first on, it is better than the models that read no window; 0 if at none.
        tests: the tests that say so, one a lead, up to the first that doesn't.
    """

    entry: str
    leads: int
    tests: tuple[Paired, ...]


@dataclass(frozen=True, eq=False)
class Leads:
    """The leads of an exam, each judged by itself.

    Attributes:
        forecasts: see `evaluation.forecasts`; folds of a backtest are pooled, and of many series errors are in sd.
        floors: entries that read no window (persistence, climatology).
        overlap: windows that share a target row; see `Exam.overlap`.
    """

    forecasts: Forecasts
    floors: Collection[str] = ()
    overlap: int = 1

    @property
    def horizon(self) -> int:
        """How many leads there are; 1 where there is no forecast."""
        return horizon_of(self.forecasts)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row an entry, seed and lead: entry, seed, lead, and the errors of `evaluation.leaderboard.seed_scores`.

        Errors with a forecast missing are infinite; test columns are NaN where the test part has not been opened.
        """
        if isinstance(self.forecasts, PanelForecasts):
            leads = range(1, self.horizon + 1)
            tables = [seed_scores(at_lead(self.forecasts, lead)).assign(lead=lead) for lead in leads]
            return pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)[[*_KEYS, *_ERRORS]]
        return _scores_of_rows(self.forecasts)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row an entry and lead, means over seeds.

        Columns: entry, lead; for validation (`val_`) and test (`test_`) rmse, mae, bias, and skill, the share of the
        reference's mean squared error that the entry saves; and reference, the model of that lead; see `references`.
        """
        means = self.scores.groupby(["entry", "lead"], sort=False)[_ERRORS].mean().reset_index()
        means["reference"] = means["lead"].map(self.references).astype(object)
        of_reference = means.set_index(["entry", "lead"])
        for place, part in ((4, "val"), (8, "test")):
            errors = of_reference[f"{part}_rmse"].reindex(pd.MultiIndex.from_frame(means[["reference", "lead"]]))
            measure = errors.where(np.isfinite).to_numpy()  # there is no skill beside one that has failed
            means.insert(place + 1, f"{part}_skill", 1 - (means[f"{part}_rmse"] / measure) ** 2)
        return means

    @cached_property
    def references(self) -> Mapping[int, str]:
        """For each lead the best of the models that read no window, on validation; none if there is no such model.

        One step ahead that is often persistence, and further ahead climatology.
        """
        floors = self.scores[self.scores["entry"].isin(list(self.floors)) & np.isfinite(self.scores["val_rmse"])]
        best = floors.sort_values(["lead", "val_rmse", "entry"]).drop_duplicates("lead")
        return {int(lead): str(entry) for lead, entry in best[["lead", "entry"]].itertuples(index=False)}

    @cached_property
    def best(self) -> str | None:
        """The entry of the lowest error over all leads on validation, of those that read a window and did not fail."""
        losses = window_losses(self.forecasts, "validation").mean()
        readers = losses[[name for name in losses.index if name not in self.floors]]
        return str(readers.idxmin()) if len(readers) else None

    def useful(self, entry: str, part: Part = "test") -> Useful | None:
        """Up to which lead an entry is better than the best model that reads no window; None if there is none.

        Leads are asked in their order, each at the usual level, and the first no ends it: the chance that a lead is
        called useful wrongly stays that of one test, however many leads there are.

        Source: Maurer, Hothorn and Lehmacher 1995, in Vollmar (ed.), "Biometrie in der chemisch-pharmazeutischen
        Industrie" 6, 3-18 (tests in a fixed order).
        """
        tests: list[Paired] = []
        for lead in range(1, self.horizon + 1):
            reference = self.references.get(lead)
            losses = window_losses(at_lead(self.forecasts, lead), part)
            if reference is None or reference not in losses or entry not in losses:
                return None
            error = seed_error(*(self._errors(name, lead, part) for name in (entry, reference)))
            # A forecast of so many steps shares errors with as many that follow, and with no more than overlap.
            overlap = min(lead, self.overlap)
            tests.append(paired_test(losses, entry, reference, overlap=overlap, seed_error=error))
            if not tests[-1].differ or tests[-1].difference > 0:
                return Useful(entry, lead - 1, tuple(tests))
        return Useful(entry, len(tests), tuple(tests))

    def _errors(self, entry: str, lead: int, part: Part) -> list[float]:
        """Errors by seed; of an ensemble those of its members, which is more than its own would vary."""
        rows = self.scores[(self.scores["entry"] == base_entry(entry)) & (self.scores["lead"] == lead)]
        return rows["val_rmse" if part == "validation" else "test_rmse"].tolist()


def _scores_of_rows(forecasts: pd.DataFrame) -> pd.DataFrame:
    """See `Leads.scores`: of hundreds of leads at once."""
    error = (forecasts["predicted"] - forecasts["actual"]).where(np.isfinite, np.inf)
    sizes = pd.DataFrame({"rmse": error**2, "mae": error.abs(), "bias": error})
    table = forecasts[_KEYS].drop_duplicates(ignore_index=True)
    for short, part in PARTS.items():
        rows = forecasts["part"] == part
        means = sizes[rows].groupby([forecasts.loc[rows, key] for key in _KEYS], sort=False).mean()
        means["rmse"] **= 0.5
        table = table.join(means.add_prefix(f"{short}_"), on=_KEYS)
    return table
