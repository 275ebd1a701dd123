"""How a recipe is trained."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backsight.errors import SettingError, explain_validation

Keep = Literal["best", "last"]
Monitor = Literal["val_loss", "loss"]
AtLeastOne = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Plan:
    """Settings of training that are no settings of a model.

    Attributes:
        batch_size: windows a training step.
        epochs: passes over the training windows, at most.
        learning_rate: of Adam; its other settings are Keras's defaults.
        monitor: the loss that is watched: on validation, or on training.
        patience: epochs without a lower watched loss after which training stops.
        keep: which weights the forecaster gets: those of the epoch with the lowest watched loss,
            or those of the last epoch (as in the lesson).

    Raises:
        pydantic.ValidationError: a setting is outside its range.

    >>> Plan(patience=5).epochs
    200
    """

    batch_size: AtLeastOne = 32
    epochs: AtLeastOne = 200
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.001
    monitor: Monitor = "val_loss"
    patience: AtLeastOne = 10
    keep: Keep = "best"


_PLAN = TypeAdapter(Plan)


def make_plan(**settings: Any) -> Plan:
    """A plan, or one sentence that says which setting is wrong.

    Raises:
        SettingError: a setting is unknown or outside its range.

    >>> make_plan(patience=5).keep
    'best'
    """
    try:
        return _PLAN.validate_python(settings)
    except ValidationError as error:
        raise SettingError(f"Training can't be planned so. {explain_validation(error)}") from error
