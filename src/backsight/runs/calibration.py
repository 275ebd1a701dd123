"""What the members of a model forecast on the validation part: intervals are made from its errors.

Of many series there are those of all, one series after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backsight.errors import ModelFileError, explain_validation
from backsight.evaluation.calibration import Calibration
from backsight.evaluation.forecasts import BAND
from backsight.evaluation.panel_forecasts import PanelForecasts, Sheet
from backsight.evaluation.panel_intervals import calibrate_each
from backsight.models.frozen import Spec, Specs, floats
from backsight.runs.tensors import write_tensors
from backsight.vocabulary import Outputs

#: Raised whenever what the blob holds changes its meaning; older ones stay readable.
VERSION = 1


@dataclass(frozen=True, eq=False)
class OfSeries:
    """Which windows are of which of many series.

    Attributes:
        place: shape (windows,), of the series; rising.
        scale: shape (series,): the standard deviation that errors of each are divided by.
    """

    place: NDArray[np.int64]
    scale: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CalibrationRows:
    """Forecasts and what came, by origin, of the validation part.

    Attributes:
        origins: shape (windows,), rising; of many series, in each.
        times: shape (windows, horizon): of the targets; datetime64.
        actual: shape (windows, horizon), in the target's unit.
        predicted: shape (seeds, windows, horizon): of each seed; a model's forecast is their mean.
        band: the same for the ends that forecasters say themselves, as networks with the quantile loss do: low, then
            high, each of the shape of `predicted`; None for the rest.
        of_series: of many series, whose they are.
    """

    origins: pd.DatetimeIndex
    times: NDArray[np.datetime64]
    actual: Outputs
    predicted: NDArray[np.float64]
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    of_series: OfSeries | None = None

    def each(self, ids: Sequence[str], levels: Sequence[float]) -> dict[str, Calibration]:
        """The intervals of each of many series, as these forecasts make them."""
        assert self.of_series is not None
        place, origins = self.of_series.place, self.origins.to_numpy()
        _, turn = np.unique(origins, return_inverse=True)
        scale = self.of_series.scale[place]
        sheet = Sheet(place.astype(np.int32), origins, turn.astype(np.int32), self.times, self.actual, scale)
        return calibrate_each(sheet, self.predicted.mean(axis=0), ids, levels)

    @property
    def rows(self) -> pd.DataFrame:
        """One row a forecast of the model, the mean over its seeds: origin, lead, time, actual, predicted.

        And low and high, if there is a band.
        """
        windows, horizon = self.actual.shape
        return pd.DataFrame(
            {
                "origin": np.repeat(self.origins.to_numpy(), horizon),
                "lead": np.tile(np.arange(1, horizon + 1), windows),
                "time": self.times.ravel(),
                "actual": self.actual.ravel(),
                "predicted": self.predicted.mean(axis=0).ravel(),
                **{name: end.mean(axis=0).ravel() for name, end in zip(BAND, self.band or (), strict=False)},
            }
        )


def calibration_of(rows: pd.DataFrame, seeds: list[int]) -> CalibrationRows:
    """The calibration of an entry, from its forecasts rows of the validation part of one exam.

    Args:
        rows: see `evaluation.forecasts`; no ensemble's.
        seeds: whose rows they are.
    """
    leads = rows["lead"].nunique()
    of_seed = [rows[rows["seed"] == seed].sort_values(["origin", "lead"], kind="stable") for seed in seeds]
    origins = pd.DatetimeIndex(of_seed[0]["origin"].to_numpy()[::leads])

    def by_lead(one: pd.DataFrame, column: str) -> NDArray[Any]:
        return one[column].to_numpy().reshape(-1, leads)

    said = [name for name in BAND if name in rows and rows[name].notna().all()]
    predicted, *band = (np.stack([by_lead(one, column) for one in of_seed]) for column in ("predicted", *said))
    times, actual = by_lead(of_seed[0], "time"), by_lead(of_seed[0], "actual")
    return CalibrationRows(origins, times, actual, predicted, (band[0], band[1]) if band else None)


def calibration_of_panel(forecasts: PanelForecasts, entry: str, seeds: list[int]) -> CalibrationRows:
    """The same of many series."""
    sheet = forecasts.sheets["validation"]
    scale = np.ones(len(forecasts.ids))
    scale[sheet.series] = sheet.scale
    return CalibrationRows(
        pd.DatetimeIndex(sheet.origin),
        sheet.time,
        sheet.actual,
        np.stack([forecasts.answers[entry, seed]["validation"] for seed in seeds]),
        of_series=OfSeries(sheet.series.astype(np.int64), scale),
    )


class _Note(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: int = Field(ge=1, le=VERSION)
    windows: int = Field(ge=1)
    band: bool = False
    series: int | None = Field(default=None, ge=1)


def pack_calibration(found: CalibrationRows) -> bytes:
    """A calibration as bytes; `expected_calibration` and `unpack_calibration` read them."""
    arrays = {
        "origin": found.origins.as_unit("us").asi8,
        "time": found.times.astype("datetime64[us]").astype(np.int64),
        "actual": found.actual,
        "predicted": found.predicted,
        **dict(zip(BAND, found.band or (), strict=False)),
    }
    said: dict[str, int] = {"band": True} if found.band else {}
    if found.of_series is not None:
        arrays |= {"place": found.of_series.place, "scale": found.of_series.scale}
        said["series"] = len(found.of_series.scale)
    return write_tensors(arrays, {"version": VERSION, "windows": len(found.origins), **said})


def expected_calibration(note: dict[str, Any], seeds: int, horizon: int) -> Specs:
    """The arrays of the blob.

    Raises:
        ModelFileError: that is no note of ours.
    """
    try:
        read = _Note.model_validate(note)
    except ValidationError as error:
        raise ModelFileError(f"Its note is not of our form. {explain_validation(error)}") from error
    windows, of_seeds = read.windows, floats(seeds, read.windows, horizon)
    return {
        "origin": Spec("int64", (windows,)),
        "time": Spec("int64", (windows, horizon)),
        "actual": floats(windows, horizon),
        "predicted": of_seeds,
        **(dict.fromkeys(BAND, of_seeds) if read.band else {}),
        **({"place": Spec("int64", (windows,)), "scale": floats(read.series)} if read.series else {}),
    }


def unpack_calibration(arrays: dict[str, NDArray[Any]]) -> CalibrationRows:
    """The calibration of these arrays, which are as expected.

    Raises:
        ModelFileError: a number is not finite, or times are not in order.
    """
    origin, time, actual, predicted = (arrays[name] for name in ("origin", "time", "actual", "predicted"))
    band = [arrays[name] for name in BAND if name in arrays]
    if not all(np.isfinite(numbers).all() for numbers in (actual, predicted, *band)):
        raise ModelFileError("It holds numbers that are not finite.")
    # Between the years 1 and 9999, so that every later step can print them.
    known = all(-62_135_596_800_000_000 <= t.min() <= t.max() < 253_402_300_800_000_000 for t in (origin, time))
    of_series = OfSeries(arrays["place"], arrays["scale"]) if "place" in arrays else None
    later = np.diff(origin) > 0
    if of_series is not None:
        steps, scale = np.diff(of_series.place), of_series.scale
        if (steps < 0).any() or of_series.place[0] < 0 or of_series.place[-1] >= len(scale):
            raise ModelFileError("Its windows are not those of one series after the other.")
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise ModelFileError("Its scales must be finite, and above 0.")
        later |= steps > 0
    in_order = later.all() and (np.diff(time, axis=1) > 0).all() and (time[:, 0] > origin).all()
    if not known or not in_order:
        raise ModelFileError("Its times are not in order.")
    times = time.astype("datetime64[us]")
    origins = pd.DatetimeIndex(origin.astype("datetime64[us]"))
    return CalibrationRows(origins, times, actual, predicted, (band[0], band[1]) if band else None, of_series)
