"""Model files: what won a comparison, kept, and read again on another day or machine.

One zip, or a folder with the same members:

| member | what it holds |
|---|---|
| `model.json` | the card (see `runs.model_card`), with size and SHA-256 of every other member, and of itself |
| `seed-0.safetensors`, ... | one fitted forecaster each, with its scaler (see `runs.packed`) |
| `calibration.safetensors` | forecasts of the validation part (see `runs.calibration`) |

Whoever sends a model file may be anybody. Reading one runs no code of its own, unpacks nothing to the disk, and builds
nothing before all of it has been checked.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from backsight import __version__
from backsight.errors import ModelFileError, RecipeError, SettingError
from backsight.evaluation.ensemble import base_entry
from backsight.evaluation.exam import Exam
from backsight.evaluation.forecasts import FOLD
from backsight.evaluation.panel_exam import PanelExam
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts
from backsight.models.registry import recipe_to_json, storable
from backsight.runs.calibration import (
    CalibrationRows,
    calibration_of,
    calibration_of_panel,
    expected_calibration,
    pack_calibration,
    unpack_calibration,
)
from backsight.runs.durable import write_durably
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted, predict_every_origin
from backsight.runs.model_card import (
    LONGEST,
    Card,
    Column,
    Data,
    ManyNote,
    MemberNote,
    Span,
    SplitNote,
    check_fits,
    plain_line,
    read_card,
    step_note,
    write_card,
)
from backsight.runs.model_members import Members, member, named, opened
from backsight.runs.outlook import Span as OriginSpan
from backsight.runs.packed import Packed, pack, read_packed
from backsight.runs.panel_outlook import look_ahead_at
from backsight.runs.stored_zip import ZipMembers, write_zip
from backsight.runs.strict_json import canonical_json
from backsight.runs.study import Study
from backsight.runs.tensors import read_tensors
from backsight.series.frequency import find_step
from backsight.series.panel import Panel
from backsight.series.rows import Rows
from backsight.series.series import Series
from backsight.series.source import fingerprint

CARD = "model.json"
CALIBRATION = "calibration.safetensors"
#: Bytes of a whole file. Ours have some ten thousand; a stack of LSTMs of a thousand units has a hundred million.
LARGEST = 2**30


@dataclass(frozen=True, eq=False)
class Model:
    """A model that can be saved: the fitted seeds of one entry, and what is known of them.

    Attributes:
        card: columns, units, step, split, data, and the entry's line of the leaderboard. Its `members` are those of
            the file it was read from; none before.
        fitted: one a seed. Their mean is the forecast.
        calibration: their forecasts of the validation part.
    """

    card: Card
    fitted: tuple[Fitted, ...]
    calibration: CalibrationRows

    @property
    def entry(self) -> Entry:
        """What was fitted: recipe, lookback and features."""
        return self.fitted[0].entry

    def predict(self, series: Series | Panel) -> pd.DataFrame:
        """Forecasts at every origin of a series, the last one included.

        Returns:
            one row a forecast: origin, lead, time, actual (NaN after the end of the series), predicted. Of many series
            the first column, series, says of which.

        Raises:
            ColumnError, DataError, WindowError: the series does not fit; see `check_fits`.
        """
        check_fits(self.card, series)
        return predict_every_origin(list(self.fitted), series)

    def forecast(
        self, series: Series | Panel, *, horizon: int | None = None, last: int = 1, level: float = 0.9
    ) -> pd.DataFrame:
        """Forecasts of what follows a series, with intervals; see `runs.outlook` for more.

        Args:
            series: with the model's columns, in its units, at its step; for a model of many series, some of these.
            horizon: steps ahead; the model's own without it. Fewer are its first ones; more take a model of one series
                that reads the target's own past alone.
            last: from so many of the last rows.
            level: share of actual values that intervals are to hold.

        Returns:
            one row a forecast: origin, lead, time, actual (NaN where none was observed), predicted, seed_sd (NaN for a
            single seed), lower, upper. Of many series the first column, series, says of which.

        Raises:
            ColumnError, DataError, WindowError: the series does not fit; see `check_fits`.
            RecipeError: the model can't forecast so far ahead.
            SettingError: a number outside its range.
        """
        return look_ahead_at(self, series, horizon=horizon, span=OriginSpan(last), level=level).rows

    def save(self, path: str | Path) -> None:
        """Write one file to `path`, a zip, whole or not at all; `load_model` reads it again to the bit.

        Raises:
            RecipeError: it is a model of yours.
            ModelFileError: its numbers are not finite, or too many.
            SettingError: the file can't be written.
        """
        data = write_model(self)
        write_durably(Path(path), data)


def make_model(study: Study, fitted: Sequence[Fitted], forecasts: Forecasts, leaderboard: pd.DataFrame) -> Model:
    """A model of an entry's fitted seeds.

    Args:
        study: in which it was fitted.
        fitted: its seeds, in order.
        forecasts: rows of the comparison; see `evaluation.forecasts`.
        leaderboard: of the comparison.

    Raises:
        RecipeError: it is a model of yours, which no file can hold.
    """
    entry, exam, series = fitted[0].entry, study.exam, study.series
    plan, seeds = entry.plan or study.plan, [one.seed for one in fitted]
    lines = leaderboard.reset_index().to_dict("records")
    sat: list[tuple[Rows, Exam]]
    if isinstance(series, Panel) and isinstance(exam, PanelExam):
        sat, many = list(zip(series.each(), exam.exams, strict=True)), ManyNote(id=series.id, series=len(series.ids))
    else:
        sat, many = [(series, study.one_exam)], None
    parts = sat[0][1].split.parts
    card = Card(
        format=1 if many is None else 2,
        backsight=__version__,
        name=entry.name,
        recipe=json.loads(canonical_json(recipe_to_json(entry.recipe))),
        lookback=entry.lookback,
        horizon=exam.horizon,
        target=_column(series, exam.target),
        features=[_column(series, name) for name in entry.features],
        calendar=entry.calendar,
        step=step_note(find_step(series.times)),
        data=Data(name=series.name, rows=_span([(series, range(len(series)))]), fingerprint=fingerprint(series)),
        split=SplitNote(**{name: _span([(one, of.split.parts[name]) for one, of in sat]) for name in parts}),
        plan=json.loads(canonical_json(asdict(plan))),
        seeds=seeds,
        leaderboard=[plain_line(line) for line in lines if base_entry(str(line["entry"])) == entry.name],
        members={},
        many=many,
    )
    of_card = tuple(replace(one, entry=card.entry) for one in fitted)
    return Model(card, of_card, _calibration(study, forecasts, entry.name, seeds))


def _calibration(study: Study, forecasts: Forecasts, entry: str, seeds: list[int]) -> CalibrationRows:
    """The validation forecasts of an entry; of a backtest, those of the latest fold."""
    if isinstance(forecasts, PanelForecasts):
        return calibration_of_panel(forecasts, entry, seeds)
    rows = forecasts[(forecasts["entry"] == entry) & (forecasts["part"] == "validation")]
    return calibration_of(rows[rows[FOLD] == len(study.exams)] if FOLD in rows else rows, seeds)


def _column(series: Rows, name: str) -> Column:
    return Column(name=name, unit=series.units.get(name) or None)


def _span(parts: Sequence[tuple[Rows, range]]) -> Span:
    """Rows of one series, or of each of several."""
    first = min(series.times[rows.start : rows.stop].min() for series, rows in parts)
    last = max(series.times[rows.start : rows.stop].max() for series, rows in parts)
    return Span(first=first.isoformat(), last=last.isoformat(), rows=sum(len(rows) for _, rows in parts))


def write_model(model: Model) -> bytes:
    """The bytes of a model file: equal models give equal bytes.

    Raises:
        RecipeError, ModelFileError: see `Model.save`.
    """
    names = member_names(model.card.seeds)
    blobs = [*map(pack, model.fitted), pack_calibration(model.calibration)]
    if (size := sum(map(len, blobs))) > LARGEST:
        raise ModelFileError(f"A model file has at most {LARGEST:,} bytes; {model.card.name} takes {size:,}.")
    notes = {n: MemberNote(size=len(b), sha256=sha256(b).hexdigest()) for n, b in zip(names, blobs, strict=True)}
    text = write_card(model.card.model_copy(update={"members": notes, "backsight": __version__}))
    data = write_zip({CARD: text, **dict(zip(names, blobs, strict=True))})
    with named(f"{model.card.name} can't be saved"):
        read_members(BytesIO(data))  # so that nothing is written that could not be read
    return data


def check_can_be_saved(study: Study, entry: str | None) -> None:
    """Make sure, before anything is fitted, that a file can hold an entry of a study.

    Args:
        study: what will be fitted.
        entry: its name; without it, whichever will be recommended.

    Raises:
        SettingError: there is no such entry.
        RecipeError: it is a model of yours, or might be.
    """
    recipes = {one.name: one.recipe for one in study.entries}
    if entry is None:
        own = [name for name, recipe in recipes.items() if not storable(recipe)]
        if own:
            raise RecipeError(
                f"{own[0]} might be recommended, and is a model of yours, which no file holds. Name the entry to save."
            )
    elif base_entry(entry) not in recipes:
        raise SettingError(f"There is no entry {entry!r} to save. The entries are {', '.join(recipes)}.")
    else:
        recipe_to_json(recipes[base_entry(entry)])


def member_names(seeds: Sequence[int]) -> list[str]:
    """The members beside the card, in their order."""
    return [*(f"seed-{seed}.safetensors" for seed in seeds), CALIBRATION]


def load_model(path: str | Path) -> Model:
    """The model of a file or folder.

    Args:
        path: that `Model.save` has written, or a folder that holds what was in it.

    Raises:
        ModelFileError: it is damaged or was not written by backsight; the message names the member. Nothing has been
            built or run by then.
    """
    with named(f"{path}"):
        with opened(Path(path)) as members:
            card, packed, calibration = _read(members)
        fitted = []
        for name, one in zip(member_names(card.seeds), packed, strict=False):
            with named(name):
                fitted.append(one.thaw(card.made_plan, seconds=0.0))
        return Model(card, tuple(fitted), calibration)


def read_members(file: BinaryIO) -> tuple[Card, list[Packed], CalibrationRows]:
    """All members of an open zip, read and checked; nothing is built yet.

    Raises:
        ModelFileError: see `load_model`.
    """
    return _read(ZipMembers(file))


def _read(members: Members) -> tuple[Card, list[Packed], CalibrationRows]:
    """Read all members and check them, one by one and against each other."""
    with named(CARD):
        card = read_card(members.read(members.open(CARD, None, LONGEST).size))
        names = member_names(card.seeds)
        if sorted(card.members) != sorted(names):
            raise ModelFileError(f"It must list the members {', '.join(names)}; it lists {', '.join(card.members)}.")
        if sum(note.size for note in card.members.values()) > LARGEST:
            raise ModelFileError(f"A model file has at most {LARGEST:,} bytes; it lists more.")
    entry = card.entry
    packed = []
    for name, seed in zip(names, card.seeds, strict=False):
        with member(members, name, card.members[name]) as read:
            packed.append(read_packed(read, card.members[name].size, entry))
            _check_member(packed[-1], card, seed)
    with member(members, CALIBRATION, card.members[CALIBRATION]) as read:
        seeds, size = len(card.seeds), card.members[CALIBRATION].size
        _, arrays = read_tensors(read, size, lambda note: expected_calibration(note, seeds, card.horizon))
        calibration = unpack_calibration(arrays)
    members.finish()
    _check_series(card, packed, calibration)
    return card, packed, calibration


def _check_series(card: Card, packed: Sequence[Packed], calibration: CalibrationRows) -> None:
    """Make sure that all members are of the same series, and of as many as the card says."""
    eaches = [one.view.each for one in packed]
    counts = [None if each is None else len(each.ids) for each in eaches]
    counts.append(None if calibration.of_series is None else len(calibration.of_series.scale))
    said = None if card.many is None else card.many.series
    if set(counts) != {said} or len({each.ids for each in eaches if each is not None}) > 1:
        raise ModelFileError(f"Its members must all be of the {said or 'one'} series of {CARD}, by the same names.")


def _check_member(packed: Packed, card: Card, seed: int) -> None:
    """Make sure that a seed is one of this card, and can forecast."""
    view = packed.view
    for what, found, said in (
        ("seed", packed.seed, seed),
        ("target", view.target, card.target.name),
        ("horizon", view.horizon, card.horizon),
    ):
        if found != said:
            raise ModelFileError(f"Its {what} must be {said!r}, as {CARD} has it; it is {found!r}.")
    packed.require_finite()
