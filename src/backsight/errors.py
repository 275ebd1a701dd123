"""The exceptions that backsight raises on purpose.

    BacksightError
    ├── DataError            what stands in a file or a series breaks a rule
    │   └── DatasetUnavailable   a catalogue dataset is neither at hand nor to be fetched
    ├── ColumnError          a column name or glob that fits nothing, or the wrong thing
    ├── WindowError          a series too short for the windows or parts asked of it
    ├── RecipeError          an unknown model, a setting it lacks, a function that builds no fit model
    ├── ModelFileError       a file of a fitted model is damaged, or is not what it should be
    ├── SettingError         an option outside its range, a place that can't be written
    └── ExamError            entries that did not sit the same exam, forecasts that are missing

Every message says the rule, what came instead, and what to do. The command line prints it and exits
with code 2; nothing has been written by then.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


#: Characters of what came that a message repeats.
LONGEST_INPUT = 200


class BacksightError(Exception):
    """Base of everything backsight raises on purpose."""


class DataError(BacksightError):
    """What stands in a file or a series breaks a rule."""


class DatasetUnavailable(DataError):
    """A catalogue dataset is neither on this machine nor to be downloaded."""


class ColumnError(BacksightError):
    """A column name or glob fits no column, or one that can't be used so."""


class WindowError(BacksightError):
    """A series is too short for the windows or the parts asked of it."""


class RecipeError(BacksightError):
    """A model is unknown, a setting is not one of its own, or a function built no usable model."""


class ModelFileError(BacksightError):
    """A file that should hold a fitted model is damaged, or holds something else."""


class SettingError(BacksightError):
    """An option is outside its range, or a place can't be written to."""


class ExamError(BacksightError):
    """Entries did not sit the same exam, or a forecast is missing."""


class Interrupted(Exception):
    """Somebody asked for the work to stop. Not an error: what is finished is kept."""


def explain_validation(error: "ValidationError") -> str:
    """One sentence from pydantic's report: which setting, what is allowed, what came."""
    first = error.errors()[0]
    setting = str(first["loc"][0]) if first["loc"] else ""
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":  # what came is then all the rest
        return f"{setting}: {message}."
    came = repr(first["input"])
    came = came if len(came) <= LONGEST_INPUT else f"{came[:LONGEST_INPUT]}..."
    return f"{setting}: {message}; {came} was given." if setting else f"{message}."
