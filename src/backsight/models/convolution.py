"""Causal one-dimensional convolutions over time."""

from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from backsight.engine import keras_on_jax
from backsight.models.network import Network
from backsight.models.recipe import STRICT, Activation, Count, Depth, Rate


@dataclass(frozen=True, config=STRICT)
class Convolution(Network):
    """Stacked causal convolutions, each twice as wide open as the one below; the head reads the last step.

    Attributes:
        units: filters of each layer.
        layers: how many; None takes as many as it needs to see the whole window.
        kernel: steps that one filter spans.
        activation: of each layer.
        dropout: share of the first layer's outputs that is dropped while learning.

    Source: Bai, Kolter, Koltun 2018, arXiv:1803.01271 (temporal convolutional networks, without their
    residual blocks); dilation: van den Oord et al. 2016, arXiv:1609.03499 (WaveNet).
    """

    units: Count = 16
    layers: Depth | None = None
    kernel: Annotated[int, Field(ge=2, le=4096)] = 3
    activation: Activation = "relu"
    dropout: Rate = 0.0
    family: ClassVar[str] = "convolution"

    def build(self, lookback: int, features: int, horizon: int) -> Any:
        keras = keras_on_jax()
        layers = keras.layers
        inputs = x = keras.Input((lookback, features), name="window")
        for place in range(self.layers or layers_to_see(lookback, self.kernel)):
            x = layers.Conv1D(
                self.units,
                self.kernel,
                padding="causal",
                dilation_rate=2**place,
                activation=self.activation,
                name=f"convolution_{place + 1}",
            )(x)  # (windows, lookback, units)
            if place == 0 and self.dropout:
                x = layers.Dropout(self.dropout, name="dropout")(x)
        last = x[:, -1, :]  # (windows, units): the only step that has seen them all
        return keras.Model(inputs, layers.Dense(horizon, name="head")(last), name="convolution")


def layers_to_see(lookback: int, kernel: int) -> int:
    """Layers of doubling dilation after which the last step has seen `lookback` steps.

    >>> [layers_to_see(n, kernel=3) for n in (1, 3, 4, 7, 30)]
    [1, 1, 2, 2, 4]
    """
    layers, seen = 1, kernel
    while seen < lookback:
        seen += (kernel - 1) * 2**layers
        layers += 1
    return layers
