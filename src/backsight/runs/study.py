"""A study: all that a comparison depends on, before anything is fitted."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Literal

from backsight.errors import ExamError, RecipeError, SettingError
from backsight.evaluation.exam import Exam
from backsight.evaluation.panel_exam import Cut, PanelExam, make_panel_exam
from backsight.models.recipe import Recipe
from backsight.models.recursive import Recursive
from backsight.models.registry import BASELINES, as_recipe, split_models, with_settings
from backsight.runs.entry import Entry, make_entries
from backsight.runs.fit import Fit, Fitted, Keeper, fit_entry
from backsight.runs.jobs import Job
from backsight.runs.piece import Piece
from backsight.series.columns import refuse_text, require_column
from backsight.series.panel import Panel
from backsight.series.series import Series
from backsight.series.source import one_series
from backsight.training.plan import Plan
from backsight.windows.folds import Window, folds_of_split
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split, split_by_fractions
from backsight.windows.windows import check_lookback

Model = str | Recipe | Callable[..., Any]
Strategy = Literal["direct", "recursive"]

#: More seeds, steps or features than this are a slip of the finger.
MANY = 1_000_000

NO_FOLDS = "Many series sit one exam; a backtest of them is not built. Leave out --folds, or take one series alone."

#: Networks of a comparison that names none.
NETWORKS = ("dense", "rnn", "lstm", "gru")


@dataclass(frozen=True, eq=False)
class Study:
    """What is asked: the same study gives the same forecasts, whoever carries it out.

    Attributes:
        series: the data; of many series, those that can sit the exam.
        exam: target, horizon and days.
        entries: what is compared.
        seeds: fits of each model that is random, with seeds 0, 1, ...
        plan: how networks are trained whose entry has no plan of its own.
        scale: how inputs, and the target for networks, are scaled.
        earlier: in a backtest, the exams before `exam`, in time order; every entry is fitted anew for each.
        skipped: of many series, those that were left out since they can't sit the exam.

    Raises:
        SettingError: fewer than one seed, or two entries of one name.
        RecipeError: an entry can't forecast the target from its columns.
        WindowError: a lookback is too long for the training rows.
        ExamError: exams of a backtest ask for different things, or test the same rows.
    """

    series: Series | Panel
    exam: Exam | PanelExam
    entries: tuple[Entry, ...]
    seeds: int = 5
    plan: Plan = field(default_factory=Plan)
    scale: ScaleName = "standard"
    earlier: tuple[Exam, ...] = ()
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_count("seeds", self.seeds)
        for name, count in Counter(entry.name for entry in self.entries).items():
            if count > 1:
                raise SettingError(
                    f"Two different models are called {name!r}. Rename your function; or make your recipe a dataclass, "
                    f"so that its settings stand in its name."
                )
        if isinstance(self.series, Panel) != isinstance(self.exam, PanelExam):
            raise ExamError("Many series sit an exam of many, and one series that of one.")
        if isinstance(self.exam, PanelExam):
            if self.earlier:
                raise SettingError(NO_FOLDS)
            return  # who makes such an exam has looked at each series; see `study_of_many`
        for before, after in pairwise([*self.earlier, self.exam]):
            if replace(before, split=after.split) != after or before.split.test.stop > after.split.test.start:
                raise ExamError("Exams of a backtest ask for the same thing, on test rows that follow each other.")
        for exam in [*self.earlier, self.exam]:
            for entry in self.entries:
                entry.recipe.check_columns(exam.target, entry.features)
                check_lookback(exam.split, entry.lookback, exam.horizon)

    @property
    def exams(self) -> tuple[Exam | PanelExam, ...]:
        """All exams that entries sit, in time order."""
        return (*self.earlier, self.exam)

    @property
    def one_exam(self) -> Exam:
        """The exam, if it is of one series.

        Raises:
            SettingError: it is of many.
        """
        one_series(self.series)
        assert isinstance(self.exam, Exam)
        return self.exam

    def jobs(self, keeper: Keeper | None = None) -> list[Job[Fitted]]:
        """One job an entry and exam, with all of its seeds: all exams of the first entry, then of the next.

        What a keeper has is not fitted again, and what is fitted it keeps.
        """
        return [
            Job(
                f"{entry.name}, fold {fold}" if self.earlier else entry.name,
                entry.recipe,
                self.seeds_of(entry),
                self.fit_of(entry, fold)
                if keeper is None
                else partial(keeper.fit, self.fit_of(entry, fold), entry.name, fold),
            )
            for entry in self.entries
            for fold in range(1, len(self.exams) + 1)
        ]

    def pieces(self) -> list[Piece]:
        """All fits: the first seeds of all entries and exams, then the next ones, so that each network starts early."""
        fits = [
            Piece(entry.name, fold, seed)
            for entry in self.entries
            for fold in range(1, len(self.exams) + 1)
            for seed in self.seeds_of(entry)
        ]
        return sorted(fits, key=lambda piece: piece.seed)

    def entry(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            KeyError: there is none.
        """
        return self.entries[self.places[name]]

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each entry among them, by its name."""
        return {entry.name: place for place, entry in enumerate(self.entries)}

    def seeds_of(self, entry: Entry) -> range:
        """The seeds an entry is fitted with; a model without randomness has one."""
        return range(self.seeds if entry.recipe.random else 1)

    def fit_of(self, entry: Entry, fold: int) -> Fit:
        """What fits an entry for an exam, counted from 1, with any seeds."""
        plan = entry.plan or self.plan
        return partial(fit_entry, self.series, self.exams[fold - 1], entry, plan, self.scale)


def make_study(
    series: Series | Panel,
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
    split: Split | Cut | None = None,
    folds: int = 1,
    window: Window = "expanding",
    calendar: bool = False,
    dropout: Sequence[float] = (),
    strategy: Sequence[Strategy] = ("direct",),
    baselines: bool = True,
    skip_short: bool = False,
) -> Study:
    """Models at several lookbacks, and the exam they sit; arguments and errors are those of `compare`.

    >>> import backsight
    >>> study = make_study(backsight.load("seattle"), "temp_max", models="ridge", lookback=[3, 7])
    >>> [entry.name for entry in study.entries]
    ['persistence', 'seasonal', 'climatology', 'ridge_3', 'ridge_7', 'trees_3', 'trees_7']
    """
    refuse_text([target], series.columns, series.left_out)
    require_column(target, series.columns)
    if horizon == 1 and "recursive" in strategy:
        raise SettingError("Strategies differ from the second step ahead on; the horizon is 1. Name a longer one.")
    recipes = [made for recipe in choose_recipes(models, dropout, baselines) for made in by_strategy(recipe, strategy)]
    columns = series.columns if features is None else series.select(features).columns
    entries = make_entries(dict.fromkeys(recipes), lookback, columns, calendar)
    if isinstance(series, Panel):
        if check_count("folds", folds) > 1:
            raise SettingError(NO_FOLDS)
        if "recursive" in strategy:
            raise SettingError("Many series are forecast directly: leave out the strategy recursive.")
        if isinstance(split, Split):
            raise SettingError("A Split says rows of one series. For many give a function that cuts each of them.")
        longest = max(entry.lookback for entry in entries)
        panel, of_many, skipped = make_panel_exam(
            series,
            target,
            split or by_shares,
            lookback=longest,
            horizon=horizon,
            stride=stride,
            skip_short=skip_short,
        )
        return Study(panel, of_many, tuple(entries), seeds, plan or Plan(), scale, skipped=skipped)
    whole = split(series) if callable(split) else split or by_shares(series)
    splits = folds_of_split(whole, folds, window) if check_count("folds", folds) > 1 else (whole,)
    *earlier, exam = (Exam(target, horizon, cut, stride, series.filled_rows(target)) for cut in splits)
    return Study(series, exam, tuple(entries), seeds, plan or Plan(), scale, tuple(earlier))


def by_shares(series: Series) -> Split:
    """The parts where nothing is said of them: 80, 10 and 10 % of the rows."""
    return split_by_fractions(len(series))


def choose_recipes(models: Iterable[Model] | str, dropout: Sequence[float], baselines: bool) -> list[Recipe]:
    """The recipes that were named, and the baselines before them; each once.

    Raises:
        RecipeError: unknown model, or a dropout outside its range.
    """
    names = split_models(models) if isinstance(models, str) else models
    chosen: list[Recipe] = [as_recipe(name) for name in (BASELINES if baselines else ())]
    for recipe in map(as_recipe, names):
        rates = dropout if "dropout" in getattr(recipe.core, "__dataclass_fields__", ()) else ()
        chosen += [with_settings(recipe, {"dropout": rate}) for rate in rates] or [recipe]
    if not chosen:
        raise RecipeError("No model was named. `backsight models` lists them.")
    return list(dict.fromkeys(chosen))


def by_strategy(recipe: Recipe, strategies: Iterable[Strategy]) -> list[Recipe]:
    """The recipe once with each strategy; as it is if it reads no window, or is recursive already.

    >>> by_strategy(as_recipe("persistence"), ["recursive"]) == [as_recipe("persistence")]
    True
    """
    if not recipe.reads_window or isinstance(recipe, Recursive):
        return [recipe]
    return [recipe if strategy == "direct" else Recursive(recipe) for strategy in strategies]


def check_count(name: str, value: int) -> int:
    """`value`, if it is 1 or more, and no more than anybody means.

    Raises:
        SettingError: it is not.
    """
    if not 1 <= value <= MANY:
        raise SettingError(f"{name.capitalize()} must be 1 or more, and at most {MANY:,}; {value} was given.")
    return value
