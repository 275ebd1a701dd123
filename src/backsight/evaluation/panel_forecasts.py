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

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

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

    Windows of a series follow each other in time, and series in their order.
    """

    series: NDArray[np.int32]
    origin: NDArray[np.datetime64]
    turn: NDArray[np.int32]
    time: NDArray[np.datetime64]
    actual: Outputs
    scale: Numbers

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """The place of each window among those of its series, from 0; shape (windows,)."""
        return np.arange(len(self.series)) - np.searchsorted(self.series, self.series)

    @cached_property
    def observed(self) -> NDArray[np.int64]:
        """Of how many windows of its series the target had been observed at each origin, lead by lead.

        Shape (windows, horizon).
        """
        return self._counted(lambda origins, times: np.searchsorted(times, origins, side="right"))

    @cached_property
    def overlap(self) -> NDArray[np.int64]:
        """How many forecasts of a series are made until the actual of the first has come; shape (horizon,)."""
        before = self._counted(lambda origins, times: np.searchsorted(origins, times, side="left"))
        return (before - self.place[:, None]).max(axis=0)

    @cached_property
    def origins(self) -> NDArray[np.datetime64]:
        """The first origin of each turn; shape (turns,)."""
        first = np.full(int(self.turn.max()) + 1, self.origin.max())
        np.minimum.at(first, self.turn, self.origin)
        return first

    def by_turn(self, values: Numbers) -> Numbers:
        """What a number of each window comes to at each turn; shape (turns,).

        A turn with fewer series than most counts for less: the mean over turns is that over all windows.
        """
        turns = len(self.origins)
        return np.bincount(self.turn, values, turns) * turns / len(self.turn)

    def by_series(self, values: Numbers, count: int) -> Numbers:
        """The mean of a number of each window over each of so many series; NaN where one has no window."""
        sums, windows = np.bincount(self.series, values, count), np.bincount(self.series, minlength=count)
        return np.divide(sums, windows, out=np.full(count, np.nan), where=windows > 0)

    def _counted(
        self, count: Callable[[NDArray[np.datetime64], NDArray[np.datetime64]], NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        """For each series and lead a count by its origins and its times of targets, both rising."""
        starts = [*np.flatnonzero(self.place == 0).tolist(), len(self.place)]
        blocks = [slice(*bounds) for bounds in pairwise(starts)]
        leads = range(self.time.shape[1])
        return np.concatenate([np.stack([count(self.origin[b], self.time[b, h]) for h in leads], 1) for b in blocks])


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

    def centre(self, entry: str, part: Part) -> tuple[Outputs, Outputs]:
        """The mean forecast of an entry's seeds and their standard deviation (NaN for one): both (windows, horizon).

        Raises:
            ExamError: there is none of that name.
        """
        answers = [of_part[part] for of_part in self._named(entry).answers.values()]
        spread = np.std(answers, axis=0, ddof=1) if len(answers) > 1 else np.full_like(answers[0], np.nan)
        return _mean(answers), spread

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

        Returns:
            one row a turn, named by its first origin, and one column an entry; those that failed are left out.

        Raises:
            ExamError: no forecasts of that part are there.
        """
        if part not in self.sheets:
            raise ExamError(f"There are no {part} forecasts; the parts are {' and '.join(self.sheets)}.")
        sheet = self.sheets[part]
        losses = {}
        for entry in self.entries:
            squared = np.mean([self._squared(member, part) for member in self.answers if member[0] == entry], axis=0)
            of_turn = sheet.by_turn(squared / sheet.scale**2)
            if np.isfinite(of_turn).all():
                losses[entry] = of_turn
        table = pd.DataFrame(losses, index=pd.DatetimeIndex(sheet.origins, name="origin"))
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
        return pd.concat(self._named(entry).tables(), ignore_index=True)

    def _named(self, entry: str) -> "PanelForecasts":
        if entry not in self.entries:
            raise ExamError(f"There are no forecasts of {entry!r}; the entries are {', '.join(self.entries)}.")
        return self.of([entry])

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
        return np.sqrt(self.sheets[part].by_series(self._squared(member, part), len(self.ids)))


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


def horizon_of(forecasts: Forecasts) -> int:
    """How many leads there are; 1 where there is no forecast."""
    if isinstance(forecasts, PanelForecasts):
        return max((sheet.time.shape[1] for sheet in forecasts.sheets.values()), default=1)
    return int(forecasts["lead"].max()) if len(forecasts) else 1


def at_lead(forecasts: Forecasts, lead: int) -> Forecasts:
    """The forecasts of one lead, from 1."""
    if not isinstance(forecasts, PanelForecasts):
        return forecasts[forecasts["lead"] == lead]
    at = slice(lead - 1, lead)
    sheets = {part: replace(s, time=s.time[:, at], actual=s.actual[:, at]) for part, s in forecasts.sheets.items()}
    answers = {
        member: {part: predicted[:, at] for part, predicted in by_part.items()}
        for member, by_part in forecasts.answers.items()
    }
    return PanelForecasts(forecasts.ids, sheets, answers)


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
