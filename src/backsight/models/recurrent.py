"""Recurrent layers: one set of weights, applied step by step to a state."""

from typing import Any, ClassVar, Literal

from pydantic.dataclasses import dataclass

from backsight import recurrence
from backsight.engine import keras_on_jax
from backsight.models import weights
from backsight.models.frozen import Specs
from backsight.models.network import Network
from backsight.models.recipe import Activation, Count, Depth, Rate
from backsight.settings import STRICT

LayerName = Literal["SimpleRNN", "LSTM", "GRU"]


@dataclass(frozen=True, config=STRICT)
class Recurrent(Network):
    """Stacked recurrent layers; the head reads the last hidden state.

    Attributes:
        layer: SimpleRNN, LSTM or GRU.
        units: of each layer.
        layers: how many, one upon the other.
        activation: of the state.
        dropout: share of each layer's inputs that is dropped while learning, the same at every step.

    Sources: SimpleRNN: Elman 1990, Cognitive Science 14, 179-211; LSTM: Hochreiter and Schmidhuber 1997,
    Neural Computation 9, 1735-1780; GRU: Cho et al. 2014, EMNLP; dropout in recurrent layers: Gal and
    Ghahramani 2016, NeurIPS 29.
    """

    layer: LayerName = "LSTM"
    units: Count = 16
    layers: Depth = 1
    activation: Activation = "tanh"
    dropout: Rate = 0.0
    family: ClassVar[str] = "recurrent"

    def build(self, lookback: int, features: int, horizon: int) -> Any:
        keras = keras_on_jax()
        make = getattr(recurrence, self.layer)
        inputs = x = keras.Input((lookback, features), name="window")
        for place in range(1, self.layers + 1):
            x = make(
                self.units,
                activation=self.activation,
                dropout=self.dropout,
                return_sequences=place < self.layers,
                name=f"{self.layer.lower()}_{place}",
            )(x)  # (windows, lookback, units), and (windows, units) from the last
        head = keras.layers.Dense(horizon, name="head")
        return keras.Model(inputs, head(x), name=self.layer.lower())

    def weights(self, lookback: int, features: int, horizon: int) -> Specs:
        stack = weights.stacked_recurrent(self.layer, features, self.units, self.layers)
        return stack | weights.dense("head", self.units, horizon)
