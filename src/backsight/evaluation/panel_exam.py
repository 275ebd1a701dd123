"""The exam of many series: that of each, one below the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backsight.errors import WindowError
from backsight.evaluation.exam import Exam, Part
from backsight.series.panel import Blocks, Panel
from backsight.series.series import Series
from backsight.vocabulary import Origins
from backsight.windows.scaling import constant
from backsight.windows.split import Split
from backsight.windows.windows import check_lookback

#: How to cut a series, whichever it is: by shares, or at dates.
Cut = Callable[[Series], Split]


@dataclass(frozen=True, eq=False)
class PanelExam:
    """The exams of many series: all ask for the same target and horizon, each of its own rows.

    Attributes:
        exams: one a series, in its own rows.
        blocks: which rows of the panel are whose.
        scales: shape (series,): standard deviation of each target over the rows up to the last training target, by
            which its errors are divided where those of different series are put together; 1 where there is but one.
    """

    exams: tuple[Exam, ...]
    blocks: Blocks
    scales: NDArray[np.float64]

    @property
    def target(self) -> str:
        """The column to forecast."""
        return self.exams[0].target

    @property
    def horizon(self) -> int:
        """Steps forecast at once."""
        return self.exams[0].horizon

    @property
    def stride(self) -> int:
        """Steps from one origin to the next."""
        return self.exams[0].stride

    @property
    def gap(self) -> int:
        """Rows left out between one part of a series and the next."""
        return self.exams[0].gap

    @property
    def overlap(self) -> int:
        """How many turns in a row share a target row; see `Exam.overlap` and `evaluation.panel_forecasts`.

        One more where the origins of a series lie several steps apart: those of another may lie between them.
        """
        return self.exams[0].overlap + (self.stride > 1)

    def origins(self, part: Part) -> Origins:
        """The origins, as rows of the panel, of the windows whose targets lie in that part; shape (windows,)."""
        return self._origins[part]

    def training_origins(self, lookback: int) -> Origins:
        """The origins of the training windows of a lookback; shape (windows,)."""
        return self._stacked([exam.training_origins(lookback) for exam in self.exams])

    def target_rows(self, part: Part) -> Origins:
        """The rows of the panel that are targets of a part, each once, rising; shape (rows,)."""
        return self._stacked([exam.target_rows(part) for exam in self.exams])

    @cached_property
    def _origins(self) -> dict[Part, Origins]:
        parts: tuple[Part, ...] = ("validation", "test")
        return {part: self._stacked([exam.origins(part) for exam in self.exams]) for part in parts}

    def _stacked(self, rows: list[Origins]) -> Origins:
        starts = self.blocks.bounds[:-1].tolist()
        return np.concatenate([of + start for of, start in zip(rows, starts, strict=True)]).astype(np.int32)


class Unfit(NamedTuple):
    """A series that can't sit an exam, and why."""

    name: str
    rows: int
    reason: str


def make_panel_exam(
    panel: Panel,
    target: str,
    cut: Cut,
    *,
    lookback: int,
    horizon: int = 1,
    stride: int = 1,
    skip_short: bool = False,
) -> tuple[Panel, PanelExam, tuple[str, ...]]:
    """The exam of many series, those of them that sit it, and the names of those that can't.

    A series can't if it is too short for the parts, the horizon or the lookback, or if its target never changes up to
    the last training row: then there is nothing to compare its errors with.

    Args:
        panel: the series.
        target: the column to forecast.
        cut: how each is cut.
        lookback: the longest that is asked for.
        horizon, stride: see `Exam`.
        skip_short: whether to leave those out that can't, instead of an error.

    Raises:
        WindowError: a series can't sit the exam; the message names the first few.
        SettingError, ColumnError, DataError: what is asked is wrong for any series.
    """
    exams, unfit = _examine_each(panel, target, cut, lookback, horizon, stride)
    if unfit and (not exams or not skip_short):
        few = ", ".join(f"{name!r} ({rows} rows)" for name, rows, _ in unfit[:4])
        more = f" and {len(unfit) - 4:,} more" if len(unfit) > 4 else ""
        advice = " Leave them out with --skip-short (in Python skip_short=True), or ask for less." if exams else ""
        raise WindowError(
            f"{len(unfit):,} of {len(panel.ids):,} series are too short for this, or constant: {few}{more}. Of the "
            f"first: {unfit[0].reason}{advice}"
        )
    skipped = tuple(one.name for one in unfit)
    panel = panel.without(skipped)
    return panel, PanelExam(tuple(exams), panel.blocks, target_scales(panel, exams)), skipped


def target_scales(panel: Panel, exams: Sequence[Exam]) -> NDArray[np.float64]:
    """The standard deviation of each target up to its last training row, shape (series,); 1 where there is but one."""
    if len(exams) == 1:
        return np.ones(1)
    targets = (s.column(e.target)[: e.split.train.stop] for s, e in zip(panel.each(), exams, strict=True))
    return np.array([target.std() for target in targets])


def _examine_each(
    panel: Panel, target: str, cut: Cut, lookback: int, horizon: int, stride: int
) -> tuple[list[Exam], list[Unfit]]:
    """The exam of each series that can sit one, and the others."""
    exams: list[Exam] = []
    unfit: list[Unfit] = []
    for series in panel.each():
        if not len(series):
            unfit.append(Unfit(series.name, 0, "None of its rows lies between the dates that were asked for."))
            continue
        try:
            exam = Exam(target, horizon, cut(series), stride, series.filled_rows(target))
            check_lookback(exam.split, lookback, horizon)
        except WindowError as error:
            unfit.append(Unfit(series.name, len(series), str(error)))
            continue
        seen = series.column(target)[: exam.split.train.stop]
        if not len(exam.training_origins(lookback)):
            unfit.append(Unfit(series.name, len(series), "None of its training windows has an observed target."))
        elif constant(seen.mean(), seen.std()):
            unfit.append(Unfit(series.name, len(series), f"Its {target} is {seen[0]:g} in all training rows."))
        else:
            exams.append(exam)
    return exams, unfit
