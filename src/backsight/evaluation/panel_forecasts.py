"""Forecasts of many series, and what a judge reads of them.

A thousand series, a hundred test days each and a hundred fits are ten million forecasts. As rows of a table, each with
its key, they would fill a computer's memory; so the keys are kept once, and a fit is one array of numbers in their
order. That all entries sit the same exam is so by construction.

Errors of different series can't be averaged as they are: a shop that sells a thousand pieces a day would drown one that
sells ten. So each is divided by the standard deviation of its series' target over its own training rows, and errors
over many series are in such units, "sd". An sd of 1 is what forecasting the training mean costs where nothing changes.

Series are examined at the same time, and their errors depend on each other: a storm reaches all shops at once. A test
that took them for independent would be sure of everything. So paired tests see one loss a *turn*, which is the step
in time that an origin lies in, over all series.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import ExamError, SettingError
from backsight.evaluation.ensemble import ENSEMBLE
from backsight.evaluation.exam import Part
from backsight.evaluation.panel_exam import PanelExam
from backsight.series.frequency import find_step, grid_places
from backsight.series.panel import Panel
from backsight.vocabulary import Outputs
from backsight.windows.windows import target_rows

Member = tuple[str, int]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sheet:
    """The questions of one part of an exam, window by window: the same for all who sit it.

    Attributes:
        series: shape (windows,), the place of the series.
        origin: shape (windows,), time of the last step that may be seen.
        turn: shape (windows,), from 0, rising with time: windows of several series whose origins lie in one step.
        time: shape (windows, horizon), of the targets.
        actual: shape (windows, horizon), in the unit of each series.
        scale: shape (windows,), of the series: what errors are divided by.
    """

    series: NDArray[np.int32]
    origin: NDArray[np.datetime64]
    turn: NDArray[np.int32]
    time: NDArray[np.datetime64]
    actual: Outputs
    scale: Numbers


@dataclass(frozen=True, eq=False)
class PanelForecasts:
    """Forecasts of many series by several entries and seeds.

    Attributes:
        ids: names of the series.
        sheets: by part.
        answers: by entry and seed, and then by part, forecasts in the order of the sheet, shape (windows, horizon).

    Raises:
        ExamError: an entry did not answer every question.
    """

    ids: tuple[str, ...]
    sheets: Mapping[Part, Sheet]
    answers: Mapping[Member, Mapping[Part, Outputs]]

    def __post_init__(self) -> None:
        for (entry, seed), answers in self.answers.items():
            for part, sheet in self.sheets.items():
                shape = answers[part].shape if part in answers else None
                if shape != sheet.actual.shape:
                    raise ExamError(
                        f"All entries must sit the same exam: {entry}, seed {seed}, must answer a {part} part of shape "
                        f"{sheet.actual.shape}; its forecasts have shape {shape}."
                    )

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the entries, in the order in which they came."""
        return tuple(dict.fromkeys(entry for entry, _ in self.answers))

    def of(self, entries: Iterable[str]) -> "PanelForecasts":
        """The forecasts of these entries."""
        kept = set(entries)
        return replace(self, answers={member: a for member, a in self.answers.items() if member[0] in kept})

    def with_ensembles(self) -> "PanelForecasts":
        """The same, and behind each entry of several seeds the mean of their forecasts as an entry of its own."""
        answers: dict[Member, Mapping[Part, Outputs]] = {}
        for entry in self.entries:
            members = {member: a for member, a in self.answers.items() if member[0] == entry}
            answers |= members
            if len(members) > 1:
                means = {part: _mean([a[part] for a in members.values()]) for part in self.sheets}
                answers[f"{entry}{ENSEMBLE}", 0] = means
        return replace(self, answers=answers)

    def in_sd(self) -> Iterator[tuple[str, int, dict[str, tuple[Numbers, Numbers]]]]:
        """For each entry and seed, by part, what was asked and what was answered, in sd: both (windows, horizon)."""
        for (entry, seed), answers in self.answers.items():
            yield (
                entry,
                seed,
                {
                    part: (sheet.actual / sheet.scale[:, None], answers[part] / sheet.scale[:, None])
                    for part, sheet in self.sheets.items()
                },
            )

    def turn_losses(self, part: Part) -> pd.DataFrame:
        """Mean squared error in sd of every entry at every turn of a part, over series, leads and seeds.

        A turn with fewer series than most counts for less: the mean over turns is that over all windows.

        Returns:
            one row a turn, named by its first origin, and one column an entry; those that failed are left out.

        Raises:
            ExamError: no forecasts of that part are there.
        """
        if part not in self.sheets:
            raise ExamError(f"There are no {part} forecasts; the parts are {' and '.join(self.sheets)}.")
        sheet = self.sheets[part]
        turns = int(sheet.turn.max()) + 1
        origins = np.full(turns, sheet.origin.max())
        np.minimum.at(origins, sheet.turn, sheet.origin)
        losses = {}
        for entry in self.entries:
            squared = np.mean([self._squared(member, part) for member in self.answers if member[0] == entry], axis=0)
            of_turn = np.bincount(sheet.turn, squared / sheet.scale**2, turns) * turns / len(sheet.turn)
            if np.isfinite(of_turn).all():
                losses[entry] = of_turn
        table = pd.DataFrame(losses, index=pd.DatetimeIndex(origins, name="origin"))
        table.columns.name = "entry"
        return table

    @cached_property
    def series_scores(self) -> pd.DataFrame:
        """One row an entry and series: series, entry, sd, val_rmse, test_rmse; RMSE are means over seeds.

        Errors are in the unit of each series; `sd` is what they are divided by where those of several are put together.
        One with a forecast missing is infinite, and one of a part that was not opened NaN.
        """
        count = len(self.ids)
        scale = np.ones(count)
        for sheet in self.sheets.values():
            scale[sheet.series] = sheet.scale
        tables = []
        for place, entry in enumerate(self.entries):
            members = [member for member in self.answers if member[0] == entry]
            errors = {"val_rmse": np.full(count, np.nan), "test_rmse": np.full(count, np.nan)}
            for part in self.sheets:
                column = "val_rmse" if part == "validation" else "test_rmse"
                errors[column] = np.mean([self._rmse_of_each(member, part) for member in members], axis=0)
            names = {"series": named(self.ids, range(count)), "entry": named(self.entries, [place] * count)}
            tables.append(pd.DataFrame({**names, "sd": scale, **errors}))
        return pd.concat(tables, ignore_index=True)

    def tables(self) -> Iterator[pd.DataFrame]:
        """Forecasts rows of one entry and seed after the other; see `evaluation.forecasts`. One column more: series."""
        parts = list(self.sheets)
        for entry, seed in self.answers:
            yield pd.concat([self._rows((entry, seed), part, parts) for part in parts], ignore_index=True)

    def rows(self, entry: str) -> pd.DataFrame:
        """Forecasts rows of one entry, all of its seeds; see `evaluation.forecasts`. One column more: series.

        Raises:
            ExamError: there is none of that name.
        """
        if entry not in self.entries:
            raise ExamError(f"There are no forecasts of {entry!r}; the entries are {', '.join(self.entries)}.")
        return pd.concat(self.of([entry]).tables(), ignore_index=True)

    def _rows(self, member: Member, part: Part, parts: list[Part]) -> pd.DataFrame:
        sheet, (entry, seed) = self.sheets[part], member
        count, horizon = sheet.actual.shape
        rows = count * horizon
        return pd.DataFrame(
            {
                "entry": named(self.entries, np.full(rows, self.entries.index(entry))),
                "seed": np.full(rows, seed, dtype=np.int32),
                "series": named(self.ids, np.repeat(sheet.series, horizon)),
                "part": named(parts, np.full(rows, parts.index(part))),
                "origin": np.repeat(sheet.origin, horizon),
                "lead": np.tile(np.arange(1, horizon + 1, dtype=np.int32), count),
                "time": sheet.time.ravel(),
                "actual": sheet.actual.ravel(),
                "predicted": self.answers[member][part].ravel(),
            }
        )

    def _squared(self, member: Member, part: Part) -> Numbers:
        """Mean squared error of each window over its leads, in its series' unit; infinite where one is missing."""
        squared = np.square(self.answers[member][part] - self.sheets[part].actual).mean(axis=1)
        return np.where(np.isnan(squared), np.inf, squared)

    def _rmse_of_each(self, member: Member, part: Part) -> Numbers:
        place, count = self.sheets[part].series, len(self.ids)
        sums, windows = np.bincount(place, self._squared(member, part), count), np.bincount(place, minlength=count)
        return np.sqrt(np.divide(sums, windows, out=np.full(count, np.nan), where=windows > 0))


def named(names: Sequence[str], codes: Iterable[int]) -> "pd.Categorical[str]":
    """A column of names as their places among all: of a thousand names and a million rows, a few megabytes.

    >>> list(named(["a", "b"], [1, 0, 1]))
    ['b', 'a', 'b']
    """
    return pd.Categorical.from_codes(np.asarray(codes, dtype=np.int64), pd.Index(names))


Forecasts = pd.DataFrame | PanelForecasts


def make_sheet(panel: Panel, exam: PanelExam, part: Part) -> Sheet:
    """The questions of a part of an exam."""
    rows = exam.origins(part)
    place = panel.blocks.of(rows).astype(np.int32)
    times = panel.times[rows]
    longest = int(np.argmax(panel.blocks.sizes))
    step = find_step(panel.times[panel.blocks.rows(longest)])
    since_first, _ = grid_places(times, step, np.full(len(rows), int(np.argmin(times.asi8))))
    _, turn = np.unique(since_first // exam.stride, return_inverse=True)
    targets = target_rows(rows, exam.horizon)
    return Sheet(
        place,
        times.to_numpy(),
        turn.astype(np.int32),
        panel.times.to_numpy()[targets],
        panel.column(exam.target)[targets],
        exam.scales[place],
    )


def entry_names(forecasts: Forecasts) -> list[str]:
    """Names of the entries, in the order in which they come."""
    return list(forecasts.entries if isinstance(forecasts, PanelForecasts) else dict.fromkeys(forecasts["entry"]))


def of_entries(forecasts: Forecasts, names: Collection[str]) -> Forecasts:
    """The forecasts of these entries alone."""
    if isinstance(forecasts, PanelForecasts):
        return forecasts.of(names)
    return forecasts[forecasts["entry"].isin(list(names))]


def rows_of(forecasts: Forecasts, entry: str) -> pd.DataFrame:
    """Forecasts rows of one entry, all of its seeds.

    Raises:
        SettingError: they are of many series, for which whoever asks for rows is not made.
    """
    if isinstance(forecasts, PanelForecasts):
        raise SettingError("This is made for forecasts of one series; these are of many.")
    return forecasts[forecasts["entry"] == entry]


def opened_parts(forecasts: Forecasts) -> set[str]:
    """The parts of the exam of which there are forecasts."""
    return set(forecasts.sheets if isinstance(forecasts, PanelForecasts) else forecasts["part"])


def _mean(predictions: list[Outputs]) -> Outputs:
    """Their mean, added up with the rounding errors made good, as pandas adds (Kahan): to the bit as for one series."""
    total, lost = np.zeros_like(predictions[0]), np.zeros_like(predictions[0])
    for predicted in predictions:
        more = predicted - lost
        added = total + more
        lost = added - total - more
        total = added
    return total / len(predictions)
