"""What the members of a model forecast on the validation part: intervals are made from its errors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backsight.errors import ModelFileError, explain_validation
from backsight.models.frozen import Spec, Specs, floats
from backsight.runs.tensors import write_tensors
from backsight.vocabulary import Outputs

#: Raised whenever what the blob holds changes its meaning; older ones stay readable.
VERSION = 1


@dataclass(frozen=True, eq=False)
class Calibration:
    """Forecasts and what came, by origin, of the validation part.

    Attributes:
        origins: shape (windows,), rising.
        times: shape (windows, horizon): of the targets; datetime64.
        actual: shape (windows, horizon), in the target's unit.
        predicted: shape (seeds, windows, horizon): of each seed; a model's forecast is their mean.
    """

    origins: pd.DatetimeIndex
    times: NDArray[np.datetime64]
    actual: Outputs
    predicted: NDArray[np.float64]

    @property
    def rows(self) -> pd.DataFrame:
        """One row a forecast of the model, the mean over its seeds: origin, lead, time, actual, predicted."""
        windows, horizon = self.actual.shape
        return pd.DataFrame(
            {
                "origin": np.repeat(self.origins.to_numpy(), horizon),
                "lead": np.tile(np.arange(1, horizon + 1), windows),
                "time": self.times.ravel(),
                "actual": self.actual.ravel(),
                "predicted": self.predicted.mean(axis=0).ravel(),
            }
        )


def calibration_of(rows: pd.DataFrame, seeds: list[int]) -> Calibration:
    """The calibration of an entry, from its forecasts rows of the validation part of one exam.

    Args:
        rows: see `evaluation.forecasts`; no ensemble's.
        seeds: whose rows they are.
    """
    leads = rows["lead"].nunique()
    of_seed = [rows[rows["seed"] == seed].sort_values(["origin", "lead"], kind="stable") for seed in seeds]
    first = of_seed[0]
    return Calibration(
        pd.DatetimeIndex(first["origin"].to_numpy()[::leads]),
        first["time"].to_numpy().reshape(-1, leads),
        first["actual"].to_numpy().reshape(-1, leads),
        np.stack([one["predicted"].to_numpy().reshape(-1, leads) for one in of_seed]),
    )


class _Note(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: int = Field(ge=1, le=VERSION)
    windows: int = Field(ge=1)


def pack_calibration(found: Calibration) -> bytes:
    """A calibration as bytes; `expected_calibration` and `unpack_calibration` read them."""
    arrays = {
        "origin": found.origins.as_unit("us").asi8,
        "time": found.times.astype("datetime64[us]").astype(np.int64),
        "actual": found.actual,
        "predicted": found.predicted,
    }
    return write_tensors(arrays, {"version": VERSION, "windows": len(found.origins)})


def expected_calibration(note: dict[str, Any], seeds: int, horizon: int) -> Specs:
    """The arrays of the blob.

    Raises:
        ModelFileError: that is no note of ours.
    """
    try:
        windows = _Note.model_validate(note).windows
    except ValidationError as error:
        raise ModelFileError(f"Its note is not of our form. {explain_validation(error)}") from error
    return {
        "origin": Spec("int64", (windows,)),
        "time": Spec("int64", (windows, horizon)),
        "actual": floats(windows, horizon),
        "predicted": floats(seeds, windows, horizon),
    }


def unpack_calibration(arrays: dict[str, NDArray[Any]]) -> Calibration:
    """The calibration of these arrays, which are as expected.

    Raises:
        ModelFileError: a number is not finite, or times are not in order.
    """
    origin, time, actual, predicted = (arrays[name] for name in ("origin", "time", "actual", "predicted"))
    if not (np.isfinite(actual).all() and np.isfinite(predicted).all()):
        raise ModelFileError("It holds numbers that are not finite.")
    # Between the years 1 and 9999, so that every later step can print them.
    known = all(-62_135_596_800_000_000 <= t.min() <= t.max() < 253_402_300_800_000_000 for t in (origin, time))
    in_order = (np.diff(origin) > 0).all() and (np.diff(time, axis=1) > 0).all() and (time[:, 0] > origin).all()
    if not known or not in_order:
        raise ModelFileError("Its times are not in order.")
    times = time.astype("datetime64[us]")
    return Calibration(pd.DatetimeIndex(origin.astype("datetime64[us]")), times, actual, predicted)
