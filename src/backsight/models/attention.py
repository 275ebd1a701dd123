"""A recurrent layer, and attention over all of its hidden states."""

from typing import Any, ClassVar

from pydantic.dataclasses import dataclass

from backsight import recurrence
from backsight.engine import keras_on_jax
from backsight.models import weights
from backsight.models.frozen import Specs
from backsight.models.network import Network
from backsight.models.recipe import Activation, Count, Depth, Rate
from backsight.models.recurrent import LayerName
from backsight.settings import STRICT


@dataclass(frozen=True, config=STRICT)
class Attention(Network):
    """The last hidden state asks, all hidden states answer, and the head reads both.

    Attributes:
        layer: SimpleRNN, LSTM or GRU.
        units: of each layer.
        layers: how many, one upon the other.
        activation: of the state.
        dropout: share of each layer's inputs that is dropped while learning, the same at every step.

    Source: Luong, Pham, Manning 2015, EMNLP (dot-product score).
    """

    layer: LayerName = "LSTM"
    units: Count = 16
    layers: Depth = 1
    activation: Activation = "tanh"
    dropout: Rate = 0.0
    family: ClassVar[str] = "attention"

    def build(self, lookback: int, features: int, horizon: int) -> Any:
        keras = keras_on_jax()
        layers = keras.layers
        inputs = states = keras.Input((lookback, features), name="window")
        for place in range(1, self.layers + 1):
            states = getattr(recurrence, self.layer)(
                self.units,
                activation=self.activation,
                dropout=self.dropout,
                return_sequences=True,
                name=f"{self.layer.lower()}_{place}",
            )(states)  # (windows, lookback, units)
        last = states[:, -1:, :]  # (windows, 1, units)
        context = layers.Attention(name="attention")([last, states])  # (windows, 1, units)
        both = layers.Concatenate(name="last_and_context")([last, context])
        flat = layers.Flatten(name="flat")(both)  # (windows, 2 x units)
        return keras.Model(inputs, layers.Dense(horizon, name="head")(flat), name="attention")

    def weights(self, lookback: int, features: int, horizon: int) -> Specs:
        stack = weights.stacked_recurrent(self.layer, features, self.units, self.layers)
        return stack | weights.dense("head", 2 * self.units, horizon)
