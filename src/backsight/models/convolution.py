"""Causal one-dimensional convolutions over time."""

from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from backsight.convolution.unfolded import unfolded_conv1d
from backsight.engine import keras_on_jax
from backsight.models import weights
from backsight.models.frozen import Specs
from backsight.models.network import Network
from backsight.models.recipe import Activation, Count, Depth, Rate
from backsight.settings import STRICT


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
        convolution = unfolded_conv1d(keras)
        depth = self.layers or layers_to_see(lookback, self.kernel)
        inputs = x = keras.Input((lookback, features), name="window")
        # Nobody reads most of what dilated layers would compute. A layer here computes every second step of
        # those that it reads, so what the next dilation sets apart already lies side by side.
        for place, steps in enumerate(steps_to_compute(lookback, self.kernel, depth), start=1):
            span = 2 * (steps - 1) + self.kernel
            missing = max(span - x.shape[1], 0)  # zeros before the window, as causal padding has them
            x = layers.ZeroPadding1D((missing, 0), name=f"padding_{place}")(x[:, -span:, :])
            x = convolution(
                self.units, self.kernel, strides=2, activation=self.activation, name=f"convolution_{place}"
            )(x)  # (windows, steps, units)
            if place == 1 and self.dropout:
                x = layers.Dropout(self.dropout, name="dropout")(x)
        last = x[:, -1, :]  # (windows, units): the only step of the last layer
        return keras.Model(inputs, layers.Dense(horizon, name="head")(last), name="convolution")

    def weights(self, lookback: int, features: int, horizon: int) -> Specs:
        specs, inputs = Specs(), features
        for place in range(1, (self.layers or layers_to_see(lookback, self.kernel)) + 1):
            specs |= weights.convolution(f"convolution_{place}", self.kernel, inputs, self.units)
            inputs = self.units
        return specs | weights.dense("head", self.units, horizon)


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


def steps_to_compute(lookback: int, kernel: int, layers: int) -> list[int]:
    """How many steps each layer computes so that the last one can compute the last step.

    Layer n, counted from 0, computes at most the steps that lie 2^(n+1) apart, back from the last one.

    >>> steps_to_compute(30, kernel=3, layers=4), steps_to_compute(360, kernel=3, layers=2)
    ([15, 7, 3, 1], [3, 1])
    """
    steps = [1]
    for place in range(layers - 1, 0, -1):
        in_window = -(-lookback // 2**place)
        steps.insert(0, min(in_window, 2 * (steps[0] - 1) + kernel))
    return steps
