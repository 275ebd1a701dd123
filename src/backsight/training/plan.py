"""How a recipe is trained."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backsight.errors import SettingError, explain_validation
from backsight.settings import STRICT, Explained

Keep = Literal["best", "last"]
Monitor = Literal["val_loss", "loss"]
Loss = Literal["squared", "quantile"]
AtLeastOne = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, config=STRICT)
class Plan(metaclass=Explained):
    """Settings of training that are no settings of a model.

    Attributes:
        batch_size: windows a training step.
        epochs: passes over the training windows, at most.
        learning_rate: of Adam; its other settings are Keras's defaults.
        monitor: the loss that is watched: on validation, or on training.
        patience: epochs without a lower watched loss after which training stops.
        keep: which weights the forecaster gets: those of the epoch with the lowest watched loss,
            or those of the last epoch (as in the lesson).
        loss: what is made small. "squared" forecasts a mean. "quantile" forecasts quantiles, side by side, by the mean
            of their pinball losses; the median is the forecast, and the outer two are what an interval begins with.
        quantiles: that are forecast with the quantile loss, rising, the median in the middle.

    Raises:
        SettingError: a setting is unknown or outside its range.

    >>> Plan(patience=5).epochs
    200
    """

    batch_size: AtLeastOne = 32
    epochs: AtLeastOne = 200
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.001
    monitor: Monitor = "val_loss"
    patience: AtLeastOne = 10
    keep: Keep = "best"
    loss: Loss = "squared"
    quantiles: Annotated[tuple[Share, ...], Field(min_length=3)] = (0.05, 0.5, 0.95)

    def __post_init__(self) -> None:
        middle, even = divmod(len(self.quantiles) - 1, 2)
        if even or self.quantiles[middle] != 0.5 or list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError("quantiles must rise, with 0.5 in their middle")

    @classmethod
    def refusal(cls, why: str) -> SettingError:
        """That training can't be planned so."""
        return SettingError(f"Training can't be planned so. {why}")

    @property
    def learnt_quantiles(self) -> tuple[float, ...]:
        """The quantiles that a network forecasts; none with the squared loss.

        >>> Plan().learnt_quantiles, Plan(loss="quantile").learnt_quantiles
        ((), (0.05, 0.5, 0.95))
        """
        return self.quantiles if self.loss == "quantile" else ()


_PLAN = TypeAdapter(Plan)


def plan_from_json(values: Mapping[str, Any]) -> Plan:
    """The plan that these values describe, from wherever they came: any key may stand in a file.

    Raises:
        SettingError: a setting is unknown or outside its range.

    >>> plan_from_json({"patience": 5}).keep
    'best'
    """
    try:
        return _PLAN.validate_python(dict(values))
    except ValidationError as error:
        raise Plan.refusal(explain_validation(error)) from error
