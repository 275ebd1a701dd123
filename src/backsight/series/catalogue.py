"""The datasets known by name, where they come from, and how their bytes are checked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Unpack, overload

from backsight.errors import DataError, DatasetUnavailable, SettingError
from backsight.series.panel import Panel
from backsight.series.read import FileReading, read_series
from backsight.series.series import Series

#: Names a folder to look for dataset files in before anywhere else.
FOLDER_VARIABLE = "BACKSIGHT_DATA"

_WEATHER_UNITS = {
    "cloud_cover": "oktas",
    "humidity": "fraction",
    "pressure": "1000 hPa",
    "global_radiation": "100 W/m2",
    "precipitation": "cm",
    "sunshine": "h",
    "temp_mean": "degC",
    "temp_min": "degC",
    "temp_max": "degC",
    "wind_speed": "m/s",
    "wind_gust": "m/s",
}


@dataclass(frozen=True)
class Dataset:
    """One line of the catalogue.

    Attributes:
        name: what `load` and the command line call it.
        summary: what it is, in a few words.
        target: the column its examples forecast.
        file: name of its file.
        url: where it is downloaded from; "" if it comes with a package.
        sha256: of the file, in hex.
        units: unit by the end of a column's name.
        drop: columns of the file that are no observation.
        text: columns of the file that hold text; all others are declared to hold numbers.
        source: whom to cite, and the licence.
    """

    name: str
    summary: str
    target: str
    file: str
    url: str
    sha256: str
    source: str
    units: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    text: tuple[str, ...] = ()


_HUBER = (
    "Huber, van Kuppevelt, Steinbach, Sauze, Liu, Weel: Weather prediction dataset, {doi}, CC BY 4.0; "
    "observations: Klein Tank et al. 2002, Int. J. of Climatology 22, 1441-1453 (ECA&D)"
)

CATALOGUE: Mapping[str, Dataset] = {
    d.name: d
    for d in (
        Dataset(
            name="basel",
            summary="daily weather of 11 European places, 2000-2010, 89 columns (the lesson's)",
            target="BASEL_sunshine",
            file="weather_prediction_dataset_light.csv",
            url="https://zenodo.org/records/5071376/files/weather_prediction_dataset_light.csv",
            sha256="945883204cae14251aec44e78845eb880ed3c04ac56a26fb5283c20f149be960",
            source=_HUBER.format(doi="doi 10.5281/zenodo.5071376"),
            units=_WEATHER_UNITS,
            drop=("MONTH",),
        ),
        Dataset(
            name="europe",
            summary="daily weather of 18 European places, 2000-2010, 163 columns",
            target="BASEL_sunshine",
            file="weather_prediction_dataset.csv",
            url="https://zenodo.org/records/4770936/files/weather_prediction_dataset.csv",
            sha256="296220187f8eb8f1b3d0138dfd121683b1daa36983fed5e547f59e0d93c3d004",
            source=_HUBER.format(doi="doi 10.5281/zenodo.4770936"),
            units=_WEATHER_UNITS,
            drop=("MONTH",),
        ),
        Dataset(
            name="seattle",
            summary="daily weather of Seattle, 2012-2015, 4 columns (comes with the installation)",
            target="temp_max",
            file="seattle-weather.csv",
            url="",
            sha256="",
            source="NOAA, through the vega_datasets package",
            text=("weather",),
            units={"temp_max": "degC", "temp_min": "degC", "precipitation": "mm", "wind": "m/s"},
        ),
    )
}


@overload
def load(source: str | Path, *, id: None = None, **options: Unpack[FileReading]) -> Series: ...


@overload
def load(source: str | Path, *, id: str, **options: Unpack[FileReading]) -> Panel: ...


def load(source: str | Path, *, id: str | None = None, **options: Unpack[FileReading]) -> Series | Panel:
    """A series by catalogue name, or from a CSV or Parquet file; many series where a column of a file names them.

    Args:
        source: a name in `CATALOGUE`, else the path of a file.
        id: that column, as in `read_series`.
        options: those of `read_series`, for a file.

    Raises:
        DatasetUnavailable: a catalogue dataset is not at hand and can't be downloaded.
        SettingError: options were given for a catalogue dataset.
        DataError, ColumnError: see `read_series`.

    >>> load("seattle").columns
    ('precipitation', 'temp_max', 'temp_min', 'wind')
    """
    dataset = CATALOGUE.get(str(source))
    if dataset is None:
        return read_series(source, **options) if id is None else read_series(source, id=id, **options)
    if given := sorted(name for name, value in {**options, "id": id}.items() if value is not None):
        raise SettingError(
            f"{source!r} is a dataset of the catalogue, read as it is published: {', '.join(given)} can only be given "
            f"for a file."
        )
    series = read_series(fetch(dataset), name=dataset.name)
    if series.left_out != dataset.text:
        raise DataError(f"The columns of {source!r} that hold text are {series.left_out}, not {dataset.text}.")
    kept = [c for c in series.columns if c not in dataset.drop]
    units = {c: unit for c in kept for end, unit in dataset.units.items() if c.endswith(end)}
    return replace(series.select(kept), units=units)


def fetch(dataset: Dataset) -> Path:
    """The path of the dataset's file: from `BACKSIGHT_DATA`, the user's cache, or downloaded into it.

    Raises:
        DatasetUnavailable: none of them has it, or its bytes are not the published ones.
    """
    if not dataset.url:
        from vega_datasets import data

        return Path(data.seattle_weather.filepath)
    found = local_file(dataset)
    return found or _download(dataset)


def local_file(dataset: Dataset) -> Path | None:
    """The path of the dataset's file if it is on this machine.

    Raises:
        DatasetUnavailable: a file of that name in `BACKSIGHT_DATA` has other bytes.
    """
    if not dataset.url:
        return fetch(dataset)
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder and (path := Path(folder) / dataset.file).is_file():
        if sha256(path.read_bytes()).hexdigest() != dataset.sha256:
            raise DatasetUnavailable(
                f"{path} is not the published file of {dataset.name!r}: its SHA-256 differs (a copy with "
                f"other line ends has another one). Delete it, or fetch it anew from {dataset.url}."
            )
        return path
    path = cache_folder() / dataset.file
    if path.is_file() and sha256(path.read_bytes()).hexdigest() == dataset.sha256:
        return path
    return None


def cache_folder() -> Path:
    """Where downloaded datasets are kept for this user."""
    import pooch

    return Path(pooch.os_cache("backsight"))


def _download(dataset: Dataset) -> Path:
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # the caller says what happens, once
    try:
        path = pooch.retrieve(
            dataset.url,
            known_hash=f"sha256:{dataset.sha256}",
            fname=dataset.file,
            path=cache_folder(),
            downloader=pooch.HTTPDownloader(timeout=30),
        )
    # pooch says a wrong hash by ValueError, and a full or read-only disk by OSError
    # (of which every requests error is one).
    except (requests.RequestException, OSError, ValueError) as error:
        reason = "its bytes were not the published ones" if isinstance(error, ValueError) else "no connection"
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            reason = str(error)
        raise DatasetUnavailable(
            f"Dataset {dataset.name!r} is not on this machine and could not be downloaded ({reason}). Get "
            f"{dataset.file} from {dataset.url} on another machine, put it into a folder, and name that "
            f"folder in {FOLDER_VARIABLE}; or take --data seattle, which needs no network."
        ) from error
    return Path(path)
