"""What a comparison found: forecasts, and all that follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from backsight.errors import RecipeError, SettingError
from backsight.evaluation.calibration import Calibration
from backsight.evaluation.ensemble import base_entry
from backsight.evaluation.exam import Exam, Part
from backsight.evaluation.forecasts import FOLD
from backsight.evaluation.intervals import calibrate, centred, examined
from backsight.evaluation.judge import Judge
from backsight.evaluation.panel_exam import PanelExam
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts, entry_names, rows_of
from backsight.evaluation.panel_intervals import examined_panel
from backsight.evaluation.significance import Paired, holm
from backsight.models.network import Network
from backsight.models.registry import simplicity
from backsight.runs import model_file
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted, predict_every_origin
from backsight.runs.histories import history_rows
from backsight.runs.openings import Openings
from backsight.runs.piece import Piece
from backsight.runs.study import Study
from backsight.series.panel import Panel
from backsight.series.series import Series


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes:
        study: what was asked.
        fitted: one an entry and seed that was finished, entry by entry; in a backtest, those of the latest fold.
        forecasts: of every one of them, and of the ensemble of each entry's seeds, on validation and test; see
            `evaluation.forecasts`, and of many series `evaluation.panel_forecasts`.
        seconds: that all of it took.
        interrupted: whether Ctrl-C ended it before every fit was done.
        openings: how often these test days have been opened; None where that is not noted.
        lost: fits that were given up since their workers died, and why; they sit no exam.
    """

    study: Study
    fitted: tuple[Fitted, ...]
    forecasts: Forecasts
    seconds: float
    interrupted: bool = False
    openings: Openings | None = None
    lost: Mapping[Piece, str] = field(default_factory=dict)

    @property
    def series(self) -> Series | Panel:
        """The data."""
        return self.study.series

    @property
    def exam(self) -> Exam | PanelExam:
        """Target, horizon and days; of a backtest, the latest fold's."""
        return self.study.exam

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was compared."""
        return self.study.entries

    @cached_property
    def judge(self) -> Judge:
        """Leaderboard, tie groups, verdicts and paired tests."""
        names = entry_names(self.forecasts)
        entry = {name: self.entry(name) for name in names}
        return Judge(
            self.forecasts,
            self.exam.overlap,
            floors=[name for name in names if not entry[name].recipe.reads_window],
            simple=[name for name in names if not isinstance(entry[name].recipe.core, Network)],
        )

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row an entry: tie groups first, and entries in each by mean validation RMSE over seeds.

        So an entry may stand above one with a lower error: that one is shown to be worse than the best, and of the
        other, which errs less evenly, it can't be shown. `sort_values("val_rmse")` orders by the error alone. The
        columns: see `Judge.leaderboard`.
        """
        return self.judge.leaderboard

    @property
    def leads(self) -> pd.DataFrame:
        """Errors and skill of every entry at each lead; see `Leads.table` in `evaluation.leads`."""
        return self.judge.leads.table

    @property
    def recommended(self) -> str:
        """The simplest of the entries that are as good as the best one on validation; see `Judge.as_good_as_best`.

        Simple is what comes first in the registry; among those of one model the shortest lookback, then the fewest
        features, then one model rather than an ensemble. If all have failed, the first.
        """
        return min(self.judge.as_good_as_best or self.leaderboard["entry"].tolist(), key=self._complexity)

    @cached_property
    def findings(self) -> Mapping[str, Paired]:
        """The paired tests on the test days that answer what everybody asks, adjusted together by Holm's method.

        By question: "recommended" (the recommended entry less the best one), "network" (the best network less the
        best simple model) and "best" (the best entry less the best simple model); what was chosen was chosen on
        validation.
        """
        board = self.leaderboard
        finite = set(self.judge.losses("test").columns)
        alive = [name for name in board.sort_values("val_rmse")["entry"] if name in finite]
        networks = [name for name in alive if isinstance(self.entry(name).recipe.core, Network)]
        simple = next((name for name in alive if name not in networks), None)
        asked = {
            "recommended": (self.recommended, next(iter(alive), None)),
            "network": (next(iter(networks), None), simple),
            "best": (next(iter(alive), None), simple),
        }
        pairs: dict[str, tuple[str, str]] = {}
        for question, (one, other) in asked.items():
            if one not in finite or other not in finite or base_entry(str(one)) == base_entry(str(other)):
                continue
            if {one, other} not in map(set, pairs.values()):
                pairs[question] = (str(one), str(other))
        return dict(zip(pairs, holm(self.judge.paired(*pair) for pair in pairs.values()), strict=True))

    def paired(self, first: str, second: str, part: Part = "test") -> Paired:
        """Error of entry `first` less that of `second` on a `part`, by paired tests; see `evaluation.significance`.

        Args:
            first, second: names of the entries.
            part: of the exam.

        Raises:
            ExamError: there is no such entry, or it failed.
        """
        return self.judge.paired(first, second, part)

    def entry(self, name: str) -> Entry:
        """The entry of that name; of an ensemble, the one whose seeds it averages.

        Raises:
            RecipeError: there is none.
        """
        return self.members(name)[0].entry

    @property
    def histories(self) -> pd.DataFrame:
        """Training curves of the networks; see `runs.histories`."""
        return history_rows(self.fitted)

    def members(self, entry: str) -> list[Fitted]:
        """The fitted seeds of an entry, or of an ensemble.

        Raises:
            RecipeError: no entry of that name was finished.
        """
        members = [f for f in self.fitted if f.entry.name == base_entry(entry)]
        if not members:
            names = ", ".join(dict.fromkeys(f.entry.name for f in self.fitted))
            raise RecipeError(f"There is no entry {entry!r}. The entries are {names}.")
        return members

    def model(self, entry: str | None = None) -> model_file.Model:
        """The fitted seeds of an entry as one model, with all that a file should say of it.

        Args:
            entry: its name, or that of the ensemble of its seeds; the recommended one without it.

        Raises:
            RecipeError: no such entry, or it is a model of yours.
        """
        members = self.members(entry or self.recommended)
        return model_file.make_model(self.study, members, self.forecasts, self.leaderboard)

    def save(self, path: str | Path, entry: str | None = None) -> None:
        """Write an entry to a model file, which `backsight.load_model` reads; see `runs.model_file`.

        Args:
            path: of one file, a zip.
            entry: its name; the recommended one without it.

        Raises:
            RecipeError: no such entry, or it is a model of yours.
            ModelFileError: it failed: its weights or its forecasts are not finite.
            SettingError: the file can't be written.

        >>> import backsight, tempfile
        >>> found = backsight.compare(backsight.load("seattle"), "temp_max", models=["ridge"], lookback=[3], seeds=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found.save(f"{folder}/ridge.zip", "ridge_3")
        ...     backsight.load_model(f"{folder}/ridge.zip").card.target
        Column(name='temp_max', unit='degC')
        """
        self.model(entry).save(path)

    def _complexity(self, name: str) -> tuple[int, int, int, bool]:
        entry = self.entry(name)
        return (simplicity(entry.recipe), entry.lookback, len(entry.features), name != entry.name)

    def predict(self, series: Series | Panel | None = None, entry: str | None = None) -> pd.DataFrame:
        """The mean forecast of an entry's seeds at every origin of a series, the last one included.

        Args:
            series: with the same columns; the compared one without it.
            entry: its name; the first of the leaderboard without it.

        Returns:
            one row a forecast: origin, lead, time, actual (NaN after the end), predicted, seed_sd (how far the
            seeds lie apart), and low and high of networks that learnt quantiles. The last `horizon` rows forecast
            what follows the series. Of many series the first column, series, says of which.

        Raises:
            RecipeError: no such entry.
            ColumnError: the series lacks a column.
        """
        name = entry or str(self.leaderboard["entry"].iloc[0])
        return predict_every_origin(self.members(name), series or self.series)

    def calibration(self, entry: str | None = None) -> Calibration:
        """What the errors of an entry on validation say of intervals around its forecasts; of a backtest, the latest.

        Args:
            entry: its name; the recommended one without it.

        Raises:
            RecipeError: no such entry.
            ExamError: it failed.
        """
        rows = centred(self._rows(entry))
        latest = rows[rows[FOLD] == rows[FOLD].max()] if FOLD in rows else rows
        return calibrate(latest[latest["part"] == "validation"])

    def intervals(self, entry: str | None = None, level: float = 0.9) -> pd.DataFrame:
        """The test forecasts of an entry with their intervals; see `evaluation.intervals.examined`.

        Args:
            entry: its name; the recommended one without it. Of several seeds their mean forecast is the centre.
            level: share of actual values to hold.

        Returns:
            one row a forecast: origin, lead, time, actual, predicted, seed_sd, lower and upper (by validation errors),
            adaptive_lower and adaptive_upper (with updates as actuals arrive). Of many series the first column, series,
            says of which.

        Raises:
            RecipeError: no such entry.
            ExamError: it failed.
            SettingError: the level is no share.

        >>> import backsight
        >>> found = backsight.compare(backsight.load("seattle"), "temp_max", models=["ridge"], lookback=[3], seeds=1)
        >>> rows = found.intervals("ridge_3")
        >>> round(float(((rows["lower"] <= rows["actual"]) & (rows["actual"] <= rows["upper"])).mean()), 2)
        0.96
        """
        if not 0 < level < 1:
            raise SettingError(f"A level is a share between 0 and 1, such as 0.9; {level} was given.")
        if isinstance(self.forecasts, PanelForecasts):
            return examined_panel(self.forecasts, self._single(entry), level).rows()
        return examined(centred(self._rows(entry)), level)

    def _single(self, entry: str | None) -> str:
        """The name of an entry, and of an ensemble that of its members."""
        return self.members(entry or self.recommended)[0].entry.name

    def _rows(self, entry: str | None) -> pd.DataFrame:
        """Forecasts rows of an entry's seeds."""
        return rows_of(self.forecasts, self._single(entry))
