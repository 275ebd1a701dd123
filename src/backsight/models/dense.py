"""Fully connected layers on the whole window laid out flat."""

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from backsight.engine import keras_on_jax
from backsight.models import weights
from backsight.models.frozen import Specs
from backsight.models.network import Network
from backsight.models.recipe import Activation, Count, Depth, Rate
from backsight.settings import STRICT


def _as_units(value: object) -> object:
    """`100-50`, as people write it, or one number."""
    if isinstance(value, str):
        return tuple(int(part) if part.isdigit() else part for part in value.split("-"))
    return (value,) if isinstance(value, int) else value


@dataclass(frozen=True, config=STRICT)
class Dense(Network):
    """Dense layers; every lag of every feature has weights of its own.

    Attributes:
        units: of each hidden layer, in order; on the command line `units=100-50`.
        layers: so many hidden layers of one number of units: `units=64,layers=3`.
        activation: of the hidden layers.
        dropout: share of the first hidden layer's outputs that is dropped while learning.

    Source: Goodfellow, Bengio, Courville, "Deep Learning", chapter 6; dropout: Srivastava et al. 2014,
    JMLR 15, 1929-1958.
    """

    units: Annotated[tuple[Count, ...], BeforeValidator(_as_units), Field(min_length=1)] = (100, 50)
    layers: Depth | None = None
    activation: Activation = "relu"
    dropout: Rate = 0.0
    family: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        if self.layers is not None and len(self.units) > 1:
            raise ValueError("layers goes with one number of units, as in dense(units=64,layers=3)")

    def build(self, lookback: int, features: int, horizon: int) -> Any:
        keras = keras_on_jax()
        layers = keras.layers
        inputs = keras.Input((lookback, features), name="window")
        x = layers.Flatten(name="lags")(inputs)  # (windows, lookback x features)
        for place, units in enumerate(self.units * (self.layers or 1), start=1):
            x = layers.Dense(units, self.activation, name=f"dense_{place}")(x)
            if place == 1 and self.dropout:
                x = layers.Dropout(self.dropout, name="dropout")(x)
        return keras.Model(inputs, layers.Dense(horizon, name="head")(x), name="dense")

    def weights(self, lookback: int, features: int, horizon: int) -> Specs:
        specs, inputs = Specs(), lookback * features
        for place, units in enumerate(self.units * (self.layers or 1), start=1):
            specs |= weights.dense(f"dense_{place}", inputs, units)
            inputs = units
        return specs | weights.dense("head", inputs, horizon)
