"""A Transformer encoder over the window."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from backsight.engine import keras_on_jax
from backsight.models import weights
from backsight.models.frozen import Specs
from backsight.models.network import Network
from backsight.models.recipe import Activation, Count, Depth, Rate
from backsight.settings import STRICT


@dataclass(frozen=True, config=STRICT)
class Transformer(Network):
    """Self-attention blocks with layer normalisation first; the head reads the last step.

    Attributes:
        units: width of the model; each head has units / heads of it.
        layers: blocks, one upon the other.
        heads: of the attention; they divide `units` among them.
        activation: inside the feed-forward part, which is twice as wide.
        dropout: share of each block's two outputs that is dropped while learning.

    Source: Vaswani et al. 2017, NeurIPS 30; normalisation first: Xiong et al. 2020, ICML.
    """

    units: Count = 16
    layers: Depth = 1
    heads: Count = 2
    activation: Activation = "relu"
    dropout: Rate = 0.0
    family: ClassVar[str] = "transformer"

    def __post_init__(self) -> None:
        if self.units % self.heads:
            raise ValueError(f"heads must divide units: {self.heads} heads don't divide {self.units} units")

    def build(self, lookback: int, features: int, horizon: int) -> Any:
        keras = keras_on_jax()
        layers = keras.layers
        inputs = keras.Input((lookback, features), name="window")
        x = layers.Dense(self.units, name="embed")(inputs)  # (windows, lookback, units)
        x = x + sinusoids(lookback, self.units)
        for block in range(1, self.layers + 1):
            y = layers.LayerNormalization(name=f"norm_{block}a")(x)
            # No biases in it: the keys' would have no effect at all, and Adam, which divides a gradient by its
            # own size, would make a random walk of the rounding errors it gets for one.
            attention = layers.MultiHeadAttention(
                self.heads, self.units // self.heads, use_bias=False, name=f"attention_{block}"
            )
            asking = y
            if block == self.layers:  # of the last block only the last step is read, so only that one asks
                x, asking = x[:, -1:, :], y[:, -1:, :]
            x = x + layers.Dropout(self.dropout, name=f"dropout_{block}a")(attention(asking, y))
            y = layers.LayerNormalization(name=f"norm_{block}b")(x)
            y = layers.Dense(2 * self.units, self.activation, name=f"widen_{block}")(y)
            y = layers.Dense(self.units, name=f"narrow_{block}")(y)
            x = x + layers.Dropout(self.dropout, name=f"dropout_{block}b")(y)
        last = layers.LayerNormalization(name="norm")(x)[:, -1, :]  # (windows, units)
        return keras.Model(inputs, layers.Dense(horizon, name="head")(last), name="transformer")

    def weights(self, lookback: int, features: int, horizon: int) -> Specs:
        units, specs = self.units, weights.dense("embed", features, self.units)
        for block in range(1, self.layers + 1):
            specs |= weights.normalization(f"norm_{block}a", units)
            specs |= weights.self_attention(f"attention_{block}", units, self.heads)
            specs |= weights.normalization(f"norm_{block}b", units)
            specs |= weights.dense(f"widen_{block}", units, 2 * units)
            specs |= weights.dense(f"narrow_{block}", 2 * units, units)
        return specs | weights.normalization("norm", units) | weights.dense("head", units, horizon)


def sinusoids(lookback: int, units: int) -> NDArray[np.float32]:
    """Positions as sines and cosines of falling frequency: shape (lookback, units)."""
    rate = 10_000.0 ** (-2 * (np.arange(units) // 2) / units)
    angle = np.arange(lookback)[:, None] * rate
    return np.where(np.arange(units) % 2, np.cos(angle), np.sin(angle)).astype(np.float32)
