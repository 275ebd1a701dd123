"""A study: all that a comparison depends on, before anything is fitted."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

from backsight.errors import ExamError, RecipeError, SettingError
from backsight.evaluation.exam import Exam
from backsight.models.recipe import Recipe
from backsight.models.registry import BASELINES, as_recipe, split_models, with_settings
from backsight.runs.entry import Entry, make_entries
from backsight.runs.fit import Fit, Fitted, Keeper, fit_entry
from backsight.runs.jobs import Job
from backsight.runs.piece import Piece
from backsight.series.columns import refuse_text, require_column
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.folds import Window, folds_of_split
from backsight.windows.scaling import ScaleName
from backsight.windows.split import Split, split_by_fractions
from backsight.windows.windows import check_lookback

Model = str | Recipe | Callable[..., Any]

#: More seeds, steps or features than this are a slip of the finger.
MANY = 1_000_000

#: Networks of a comparison that names none.
NETWORKS = ("dense", "rnn", "lstm", "gru")


@dataclass(frozen=True, eq=False)
class Study:
    """What is asked: the same study gives the same forecasts, whoever carries it out.

    Attributes:
        series: the data.
        exam: target, horizon and days.
        entries: what is compared.
        seeds: fits of each model that is random, with seeds 0, 1, ...
        plan: how networks are trained whose entry has no plan of its own.
        scale: how inputs, and the target for networks, are scaled.
        earlier: in a backtest, the exams before `exam`, in time order; every entry is fitted anew for each.

    Raises:
        SettingError: fewer than one seed, or two entries of one name.
        WindowError: a lookback is too long for the training rows.
        ExamError: exams of a backtest ask for different things, or test the same rows.
    """

    series: Series
    exam: Exam
    entries: tuple[Entry, ...]
    seeds: int = 5
    plan: Plan = field(default_factory=Plan)
    scale: ScaleName = "standard"
    earlier: tuple[Exam, ...] = ()

    def __post_init__(self) -> None:
        check_count("seeds", self.seeds)
        for name, count in Counter(entry.name for entry in self.entries).items():
            if count > 1:
                raise SettingError(f"Two different models are called {name!r}. Rename your function.")
        for before, after in pairwise(self.exams):
            if replace(before, split=after.split) != after or before.split.test.stop > after.split.test.start:
                raise ExamError("Exams of a backtest ask for the same thing, on test rows that follow each other.")
        for exam in self.exams:
            for entry in self.entries:
                check_lookback(exam.split, entry.lookback, exam.horizon)

    @property
    def exams(self) -> tuple[Exam, ...]:
        """All exams that entries sit, in time order."""
        return (*self.earlier, self.exam)

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
    baselines: bool = True,
) -> Study:
    """Models at several lookbacks, and the exam they sit; arguments and errors are those of `compare`.

    >>> import backsight
    >>> study = make_study(backsight.load("seattle"), "temp_max", models="ridge", lookback=[3, 7])
    >>> [entry.name for entry in study.entries]
    ['persistence', 'seasonal', 'climatology', 'ridge_3', 'ridge_7', 'trees_3', 'trees_7']
    """
    refuse_text([target], series.columns, series.left_out)
    require_column(target, series.columns)
    recipes = choose_recipes(models, dropout, baselines)
    columns = series.columns if features is None else series.select(features).columns
    entries = make_entries(recipes, lookback, columns, calendar)
    whole = split or split_by_fractions(len(series))
    splits = folds_of_split(whole, folds, window) if check_count("folds", folds) > 1 else (whole,)
    *earlier, exam = (Exam(target, horizon, cut, stride, series.filled_rows(target)) for cut in splits)
    return Study(series, exam, tuple(entries), seeds, plan or Plan(), scale, tuple(earlier))


def choose_recipes(models: Iterable[Model] | str, dropout: Sequence[float], baselines: bool) -> list[Recipe]:
    """The recipes that were named, and the baselines before them; each once.

    Raises:
        RecipeError: unknown model, or a dropout outside its range.
    """
    names = split_models(models) if isinstance(models, str) else models
    chosen: list[Recipe] = [as_recipe(name) for name in (BASELINES if baselines else ())]
    for recipe in map(as_recipe, names):
        rates = dropout if "dropout" in getattr(recipe, "__dataclass_fields__", ()) else ()
        chosen += [with_settings(recipe, {"dropout": rate}) for rate in rates] or [recipe]
    if not chosen:
        raise RecipeError("No model was named. `backsight models` lists them.")
    return list(dict.fromkeys(chosen))


def check_count(name: str, value: int) -> int:
    """`value`, if it is 1 or more, and no more than anybody means.

    Raises:
        SettingError: it is not.
    """
    if not 1 <= value <= MANY:
        raise SettingError(f"{name.capitalize()} must be 1 or more, and at most {MANY:,}; {value} was given.")
    return value
