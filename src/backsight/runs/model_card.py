"""What a model file says of its model: the text `model.json`, and whether a series fits the model."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from backsight.errors import BacksightError, ColumnError, DataError, ModelFileError, WindowError, explain_validation
from backsight.models.recipe import Recipe
from backsight.models.registry import recipe_from_json
from backsight.runs.entry import Entry
from backsight.runs.strict_json import canonical_json, read_canonical
from backsight.runs.study import MANY
from backsight.series.frequency import Step, grid_places, show_step
from backsight.series.panel import Panel
from backsight.series.series import Series
from backsight.training.plan import Plan, plan_from_json

#: Raised whenever the form changes; older ones stay readable. Only models of many series are of format 2.
FORMAT = 2
#: Bytes of the text. A model of a thousand columns has a hundred thousand.
LONGEST = 1_000_000

Name = Annotated[str, Field(max_length=1000)]
Date = Annotated[str, Field(max_length=40)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=1, le=MANY)]
Cell = bool | int | FiniteFloat | Name | None


class _Strict(BaseModel):
    """Nothing more than is listed, nothing less, and every value of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Column(_Strict):
    """A column of the series: its name, and its unit where known."""

    name: Name
    unit: Name | None


class StepNote(_Strict):
    """The step of a series, such as one day or three months."""

    unit: Literal["microseconds", "business days", "months", "month ends"]
    count: Annotated[int, Field(ge=1, le=10**18)]


class Span(_Strict):
    """Rows of a series: the times of the first and the last, and how many."""

    first: Date
    last: Date
    rows: Annotated[int, Field(ge=1)]


class SplitNote(_Strict):
    """The parts that the model learnt from, was chosen by, and was examined on."""

    train: Span
    validation: Span
    test: Span


class Data(_Strict):
    """The series: its name, its rows, and its SHA-256 (see `series.source.fingerprint`)."""

    name: Name
    rows: Span
    fingerprint: Hash


class ManyNote(_Strict):
    """Of many series: the column that names them, and how many there are. Their names stand with their scales."""

    id: Name
    series: Annotated[int, Field(ge=1)]


class MemberNote(_Strict):
    """Another member of the file: its bytes, and their SHA-256."""

    size: Annotated[int, Field(ge=1)]
    sha256: Hash


class Card(_Strict):
    """All that `model.json` says.

    Attributes:
        format: of the file.
        backsight: the version that wrote it.
        name: of the entry, as in "lstm_3".
        recipe: the model's settings, with its family.
        lookback, horizon: steps back and ahead.
        target: the column to forecast.
        features: the columns to read, in order.
        calendar: whether sine and cosine of the day of the year are read as well.
        step: of the series.
        data: what was compared on.
        split: its parts; of many series from the first of all to the last of all, and the rows of all.
        plan: how networks were trained.
        seeds: one a member; their mean is the forecast.
        leaderboard: the entry's line, and that of the ensemble of its seeds; a number that was not finite is None.
        members: the other members of the file.
        many: of many series; None of one.
    """

    format: Annotated[int, Field(ge=1, le=FORMAT)]
    backsight: Name
    name: Name
    recipe: dict[str, Any]
    lookback: Count
    horizon: Count
    target: Column
    features: list[Column]
    calendar: bool
    step: StepNote
    data: Data
    split: SplitNote
    plan: dict[str, Cell | list[Cell]]
    seeds: Annotated[list[Annotated[int, Field(ge=0, le=MANY)]], Field(min_length=1, max_length=1000)]
    leaderboard: list[dict[str, Cell]]
    members: dict[str, MemberNote]
    many: ManyNote | None = None

    @property
    def made_plan(self) -> Plan:
        """How networks were trained."""
        return plan_from_json(self.plan)

    @property
    def made_recipe(self) -> Recipe:
        """The model's settings."""
        return recipe_from_json(self.recipe)

    @property
    def entry(self) -> Entry:
        """What was fitted."""
        features = tuple(column.name for column in self.features)
        return Entry(self.name, self.made_recipe, self.lookback, features, self.calendar, self.made_plan)


def write_card(card: Card) -> bytes:
    """The text of a card, which guards itself: the last key is the SHA-256 of all the others."""
    values = card.model_dump(exclude={"many"} if card.many is None else None)
    return canonical_json(values | {"sha256": sha256(canonical_json(values)).hexdigest()})


def read_card(text: bytes) -> Card:
    """The card of a text.

    Raises:
        ModelFileError: it is damaged, or not of our form.
    """
    values = read_canonical(text, "It")
    claimed = values.pop("sha256", None)
    if claimed != sha256(canonical_json(values)).hexdigest():
        raise ModelFileError("It is damaged: its SHA-256 differs.")
    if type(values.get("format")) is int and values["format"] > FORMAT:
        raise ModelFileError(
            f"It is of format {values['format']}, and this backsight reads up to {FORMAT}: take a newer one."
        )
    try:
        card = Card.model_validate(values)
    except ValidationError as error:
        raise ModelFileError(f"It is not of our form. {explain_validation(error)}") from error
    if not isinstance(card.recipe.get("family"), str):
        raise ModelFileError("It is not of our form: its recipe has no family.")
    try:
        _ = card.entry
    except BacksightError as error:
        raise ModelFileError(str(error)) from error
    if (card.format > 1) != (card.many is not None):
        raise ModelFileError("It is not of our form: models of many series, and no others, are of format 2.")
    names = [column.name for column in card.features]
    if len(set(names)) < len(names) or len(set(card.seeds)) < len(card.seeds) or not (names or card.calendar):
        raise ModelFileError("It is not of our form: columns and seeds must be there, each once.")
    return card


def step_note(step: Step) -> StepNote:
    """A step as plain values.

    >>> step_note(pd.Timedelta(days=1))
    StepNote(unit='microseconds', count=86400000000)
    """
    if isinstance(step, pd.Timedelta):
        return StepNote(unit="microseconds", count=step // pd.Timedelta(microseconds=1))
    if isinstance(step, pd.offsets.BusinessDay):
        return StepNote(unit="business days", count=1)
    if isinstance(step, pd.offsets.MonthEnd):
        return StepNote(unit="month ends", count=step.n)
    return StepNote(unit="months", count=step.kwds["months"])


def noted_step(note: StepNote) -> Step:
    """The step of plain values.

    >>> noted_step(step_note(pd.offsets.MonthEnd(3)))
    <3 * MonthEnds>
    """
    if note.unit == "microseconds":
        return pd.Timedelta(microseconds=note.count)
    if note.unit == "business days":
        return pd.offsets.BusinessDay()
    return pd.offsets.MonthEnd(note.count) if note.unit == "month ends" else pd.DateOffset(months=note.count)


def check_fits(card: Card, series: Series | Panel) -> None:
    """Make sure that a model can forecast a series: the same columns, in the same units, at the same step.

    A unit that only one of both knows is taken to be the same.

    Raises:
        ColumnError: a column is missing.
        DataError: a unit or the step differs, or the model is of many series and this is one, or the other way round.
        WindowError: a series has a single row, so nobody knows its step.
    """
    if (card.many is not None) != isinstance(series, Panel):
        learnt = f"{card.many.series:,} series, told by column {card.many.id!r}" if card.many else "one series"
        shown = f"has {len(series.ids):,}" if isinstance(series, Panel) else "is one"
        raise DataError(f"{card.name} has learnt from {learnt}; {series.name} {shown}. Read it as that was read.")
    wanted = {column.name: column for column in (card.target, *card.features)}
    missing = [name for name in wanted if name not in series.columns]
    if missing:
        raise ColumnError(
            f"{card.name} reads {_list(list(wanted))}; {series.name} has no column {_list(missing)}. It has "
            f"{_list(list(series.columns))}."
        )
    for name, column in wanted.items():
        unit = series.units.get(name)
        if column.unit and unit and column.unit != unit:
            raise DataError(
                f"{card.name} has learnt {name} in {column.unit}; {series.name} has it in {unit}. Convert the column."
            )
    for one in series.each() if isinstance(series, Panel) else [series]:
        _check_step(card, one)


def _check_step(card: Card, series: Series) -> None:
    if len(series) < 2:
        raise WindowError(f"{series.name} has one row, which has no step. Give two or more.")
    places, between = grid_places(series.times, noted_step(card.step))
    if between.any() or (places[1:] - places[:-1] != 1).any():
        step = show_step(noted_step(card.step))
        raise DataError(
            f"{card.name} has learnt from rows {step} apart; those of {series.name} are not: after "
            f"{series.times[0]} comes {series.times[1]}. Resample the series, or compare anew."
        )


def _list(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def plain_line(line: Mapping[Any, Any]) -> dict[str, Cell]:
    """A line of a leaderboard as plain values; numbers that are not finite become None.

    >>> plain_line({"entry": "ridge_3", "val_rmse": 0.5, "test_rmse": float("nan")})
    {'entry': 'ridge_3', 'val_rmse': 0.5, 'test_rmse': None}
    """
    return {str(name): _plain(value) for name, value in line.items()}


def _plain(value: Any) -> Cell:
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float):
        return plain if abs(plain) < float("inf") else None
    return plain if isinstance(plain, bool | int) or plain is None else str(plain)
