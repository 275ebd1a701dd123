"""Classes of settings that are checked when one is made, with errors in our words."""

from abc import ABCMeta
from typing import Any

from pydantic import ConfigDict, ValidationError

from backsight.errors import BacksightError, SettingError, explain_validation

#: pydantic's settings for such a class: an unknown setting is an error, and so is a number that no file can hold.
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


class Explained(ABCMeta):
    """The class of such classes: what pydantic says of a wrong setting becomes an error of ours.

    Of a class that pydantic's `dataclass` decorates, which does the checking; `Plan` is one, and so is every recipe.
    """

    def __call__(cls, *values: Any, **settings: Any) -> Any:
        try:
            return super().__call__(*values, **settings)
        except ValidationError as error:
            raise cls.refusal(explain_validation(error)) from error

    def refusal(cls, why: str) -> BacksightError:
        """The error that says why there is no such instance; a class may have another one of its own."""
        return SettingError(f"There is no such {cls.__name__}. {why}")
