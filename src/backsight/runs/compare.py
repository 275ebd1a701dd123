"""One comparison: every entry and seed fitted, all of them examined on the same days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter

import pandas as pd

from backsight.errors import Interrupted, RecipeError
from backsight.evaluation.calibration import Calibration
from backsight.evaluation.ensemble import base_entry
from backsight.evaluation.exam import Exam, Part
from backsight.evaluation.forecasts import FOLD
from backsight.evaluation.intervals import calibrate, centred, examined
from backsight.evaluation.judge import Judge
from backsight.evaluation.significance import Paired, holm
from backsight.models.network import Network
from backsight.models.registry import simplicity
from backsight.runs import model_file
from backsight.runs.elsewhere import carry_out_elsewhere
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted, predict_every_origin
from backsight.runs.folder import RunFolder, run_in
from backsight.runs.histories import history_rows
from backsight.runs.jobs import Outcome, carry_out
from backsight.runs.openings import Openings, note_opening
from backsight.runs.piece import Piece
from backsight.runs.pools import THREADS, Backend, BackendName
from backsight.runs.progress import Progress, Silent
from backsight.runs.sitting import sit_all, whole_folds
from backsight.runs.study import NETWORKS, Model, Strategy, Study, make_study
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.folds import Window
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split

NOTHING_LOST: Mapping[Piece, str] = {}


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes:
        study: what was asked.
        fitted: one an entry and seed that was finished, entry by entry; in a backtest, those of the latest fold.
        forecasts: of every one of them, and of the ensemble of each entry's seeds, on validation and test; see
            `evaluation.forecasts`.
        seconds: that all of it took.
        interrupted: whether Ctrl-C ended it before every fit was done.
        openings: how often these test days have been opened; None where that is not noted.
        lost: fits that were given up since their workers died, and why; they sit no exam.
    """

    study: Study
    fitted: tuple[Fitted, ...]
    forecasts: pd.DataFrame
    seconds: float
    interrupted: bool = False
    openings: Openings | None = None
    lost: Mapping[Piece, str] = field(default_factory=dict)

    @property
    def series(self) -> Series:
        """The data."""
        return self.study.series

    @property
    def exam(self) -> Exam:
        """Target, horizon and days; of a backtest, the latest fold's."""
        return self.study.exam

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was compared."""
        return self.study.entries

    @cached_property
    def judge(self) -> Judge:
        """Leaderboard, tie groups, verdicts and paired tests."""
        names = list(dict.fromkeys(self.forecasts["entry"]))
        entry = {name: self.entry(name) for name in names}
        return Judge(
            self.forecasts,
            self.exam.overlap,
            floors=[name for name in names if not entry[name].recipe.reads_window],
            simple=[name for name in names if not isinstance(entry[name].recipe.core, Network)],
        )

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Tie groups, and entries in each by mean validation RMSE over seeds; see `evaluation.judge`."""
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
            RecipeError: no such entry, or it is a function of yours.
        """
        members = self.members(entry or self.recommended)
        return model_file.make_model(self.study, members, self.forecasts, self.leaderboard)

    def save(self, path: str | Path, entry: str | None = None) -> None:
        """Write an entry to a model file, which `backsight.load_model` reads; see `runs.model_file`.

        Args:
            path: of one file, a zip.
            entry: its name; the recommended one without it.

        Raises:
            RecipeError: no such entry, or it is a function of yours.
            ModelFileError: it failed: its weights or its forecasts are not finite.
            SettingError: the file can't be written.

        >>> import backsight, tempfile
        >>> found = compare(backsight.load("seattle"), "temp_max", models=["ridge"], lookback=[3], seeds=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found.save(f"{folder}/ridge.zip", "ridge_3")
        ...     backsight.load_model(f"{folder}/ridge.zip").card.target
        Column(name='temp_max', unit='degC')
        """
        self.model(entry).save(path)

    def _complexity(self, name: str) -> tuple[int, int, int, bool]:
        entry = self.entry(name)
        return (simplicity(entry.recipe), entry.lookback, len(entry.features), name != entry.name)

    def predict(self, series: Series | None = None, entry: str | None = None) -> pd.DataFrame:
        """The mean forecast of an entry's seeds at every origin of a series, the last one included.

        Args:
            series: with the same columns; the compared one without it.
            entry: its name; the first of the leaderboard without it.

        Returns:
            one row a forecast: origin, lead, time, actual (NaN after the end), predicted, seed_sd (how far the
            seeds lie apart), and low and high of networks that learnt quantiles. The last `horizon` rows forecast
            what follows the series.

        Raises:
            RecipeError: no such entry.
            ColumnError: the series lacks a column.
        """
        name = entry or str(self.leaderboard["entry"].iloc[0])
        return predict_every_origin(self.members(name), series or self.series)

    def calibration(self, entry: str | None = None) -> Calibration:
        """What validation errors say of intervals around an entry's forecasts; of a backtest, those of the latest fold.

        Args:
            entry: its name; the recommended one without it.

        Raises:
            RecipeError, ExamError: there is no such entry, or it failed.
        """
        rows = self._centred(entry)
        latest = rows[rows[FOLD] == rows[FOLD].max()] if FOLD in rows else rows
        return calibrate(latest[latest["part"] == "validation"])

    def intervals(self, entry: str | None = None, level: float = 0.9) -> pd.DataFrame:
        """The test forecasts of an entry with their intervals, made in two ways; see `evaluation.intervals.examined`.

        Args:
            entry: its name; the recommended one without it. Of several seeds their mean forecast is the centre.
            level: share of actual values to hold.

        Raises:
            RecipeError, ExamError: there is no such entry, or it failed.
            SettingError: the level is no share.
        """
        return examined(self._centred(entry), level)

    def _centred(self, entry: str | None) -> pd.DataFrame:
        name = self.members(entry or self.recommended)[0].entry.name
        return centred(self.forecasts[self.forecasts["entry"] == name])


def compare(
    series: Series,
    target: str,
    *,
    features: Iterable[str] | None = None,
    models: Iterable[Model] | str = NETWORKS,
    lookback: Iterable[int] = (1, 3, 7, 30),
    horizon: int = 1,
    stride: int = 1,
    seeds: int = 5,
    plan: Plan | None = None,
    scale: ScaleName = "standard",
    split: Split | None = None,
    folds: int = 1,
    window: Window = "expanding",
    calendar: bool = False,
    dropout: Sequence[float] = (),
    strategy: Sequence[Strategy] = ("direct",),
    baselines: bool = True,
    out: Path | str | None = None,
    workers: int | None = None,
    backend: BackendName = "threads",
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Put models at several lookbacks through one exam.

    Args:
        series: the data.
        target: the column to forecast.
        features: globs of the columns to read; all of them without it.
        models: names (with settings: "lstm(units=7)"), recipes, or functions that take an input shape and
            return a `keras.Model`.
        lookback: numbers of steps.
        horizon: steps to forecast at once.
        stride: steps from one origin to the next.
        seeds: fits of each model that is random, with seeds 0, 1, ...
        plan: how networks are trained.
        scale: "standard" scales inputs, and the target for networks, by training rows; "none" does not.
        split: the parts; 80, 10 and 10 % of the rows without it.
        folds: exams, for a backtest. The last is the one of `split`; each of the others is the same exam one test
            part earlier. Every model is fitted anew for each, and scores are over the test rows of all.
        window: whether training begins with the first row in every fold ("expanding"), or slides along and always
            has as many rows as in the first fold ("sliding").
        calendar: whether to read sine and cosine of the day of the year too.
        dropout: rates; every model that has dropout is entered once with each.
        strategy: how several steps are forecast; every model that reads a window is entered once with each. "direct":
            one output a step. "recursive": one output, fed back as the newest value; it reads the target alone.
        baselines: whether persistence, seasonal persistence, climatology, ridge and boosted trees sit the
            exam too, as they should.
        out: a run folder that keeps every fit; with the same arguments a comparison that was ended goes on there.
        workers: fits at a time; one a core without it.
        backend: where fits are carried out: "threads" of this process, "processes" of this machine, or the workers of
            "dask" or "ray". The numbers are the same.
        cluster: the address of a Dask or Ray cluster that is running; without it one is started on this machine.
        progress: told what happens.

    Raises:
        ColumnError: no such target, or a glob that fits nothing.
        RecipeError: no such model or setting, or one that can't read these columns.
        SettingError: a number outside its range, or a folder that holds another run.
        WindowError: the series is too short.
        Interrupted: Ctrl-C came before a single fit was finished.

    >>> import backsight
    >>> series = backsight.load("seattle")
    >>> found = compare(series, "temp_max", models=["ridge"], lookback=[3], seeds=1)
    >>> list(found.leaderboard["entry"])[:2]
    ['ridge_3', 'trees_3']
    """
    study = make_study(
        series,
        target,
        features=features,
        models=models,
        lookback=lookback,
        horizon=horizon,
        stride=stride,
        seeds=seeds,
        plan=plan,
        scale=scale,
        split=split,
        folds=folds,
        window=window,
        calendar=calendar,
        dropout=dropout,
        strategy=strategy,
        baselines=baselines,
    )
    with run_in(out, "compare", study) as run:
        return examine(study, workers, progress, run, Backend(backend, cluster))


def examine(
    study: Study,
    workers: int | None = None,
    progress: Progress | None = None,
    run: RunFolder | None = None,
    backend: Backend = THREADS,
) -> Comparison:
    """Fit every entry and seed, then open the test days once, for all that were finished.

    Args:
        study: what is asked.
        workers: fits at a time; one a core without it.
        progress: told what happens.
        run: keeps every fit, and has those of earlier.
        backend: where fits are carried out.

    Raises:
        Interrupted: Ctrl-C came before a single fit was finished.
        BacksightError: whatever a fit raised.
    """
    began = perf_counter()
    progress = progress or Silent()
    lost = NOTHING_LOST
    if backend == THREADS:
        outcome = carry_out(study.jobs(run), workers, progress)
    else:
        outcome, lost = carry_out_elsewhere(study, backend, workers, progress, run)
    return conclude(study, outcome, perf_counter() - began, run, lost)


def conclude(
    study: Study,
    outcome: Outcome[Fitted],
    seconds: float,
    run: RunFolder | None = None,
    lost: Mapping[Piece, str] = NOTHING_LOST,
) -> Comparison:
    """Open the test days, once, and gather the forecasts of all that was finished.

    Raises:
        Interrupted: nothing was.
    """
    folds = whole_folds(study, outcome.results)
    if not folds[-1]:
        raise Interrupted
    openings = note_opening(study) if run is None else run.open_test_days()
    forecasts = sit_all(study, folds)
    return Comparison(study, tuple(folds[-1]), forecasts, seconds, outcome.interrupted, openings, lost)
