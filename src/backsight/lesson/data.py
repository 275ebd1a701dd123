"""The series that the chapters forecast: one that needs no network, or the lesson's own."""

import os
from collections.abc import Mapping

from backsight.errors import SettingError
from backsight.series.catalogue import CATALOGUE, load
from backsight.series.series import Series

#: Names the dataset of the chapters: seattle or basel.
VARIABLE = "BACKSIGHT_LESSON_DATA"

#: Datasets of the chapters, and the columns that they read; the target is the catalogue's.
CHOICES: Mapping[str, str] = {"seattle": "*", "basel": "BASEL_*"}


def choose_data(name: str | None = None) -> tuple[Series, str]:
    """The series that a chapter of the course forecasts, and the column to forecast.

    Args:
        name: seattle (four columns, four years, comes with the installation) or basel (nine columns, ten years);
            without it what the environment variable BACKSIGHT_LESSON_DATA says, and seattle where it says nothing.

    Raises:
        SettingError: another name.
        DatasetUnavailable: basel is neither on this machine nor to be downloaded.

    >>> series, target = choose_data("seattle")
    >>> series.columns, target
    (('precipitation', 'temp_max', 'temp_min', 'wind'), 'temp_max')
    """
    chosen = name or os.environ.get(VARIABLE) or next(iter(CHOICES))
    if chosen not in CHOICES:
        raise SettingError(f"The chapters run on {' or '.join(CHOICES)}; {chosen!r} was given (see {VARIABLE}).")
    return load(chosen).select([CHOICES[chosen]]), CATALOGUE[chosen].target
