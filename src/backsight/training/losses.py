"""What networks learn to make small: squared errors, or the pinball loss of several quantiles."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

Array = jax.Array


def error_sums(outputs: Array, truth: Array, weights: Array, quantiles: Sequence[float]) -> tuple[Array, ...]:
    """Sums over a batch of the loss that is learnt, and last of the squared error of the point forecast.

    Without quantiles these are one and the same, and there is one sum.

    Args:
        outputs: shape (batch, horizon), or (batch, horizon x quantiles), each lead's side by side.
        truth: shape (batch, horizon).
        weights: shape (batch,); windows that fill a batch up weigh nothing.
        quantiles: that the network forecasts; none if it forecasts a mean.
    """
    squared = jnp.sum(weights * jnp.mean((point(outputs, truth.shape[1], quantiles) - truth) ** 2, axis=1))
    if not quantiles:
        return (squared,)
    return jnp.sum(weights * jnp.mean(pinball(outputs, truth, quantiles), axis=(1, 2))), squared


def pinball(outputs: Array, truth: Array, quantiles: Sequence[float]) -> Array:
    """Pinball losses, shape (batch, horizon, quantiles): the lowest to expect are those of the true quantiles.

    Source: Koenker and Bassett 1978, Econometrica 46, 33-50.

    >>> pinball(jnp.array([[1.0, 4.0]]), jnp.array([[2.0]]), (0.25, 0.75)).tolist()
    [[[0.25, 0.5]]]
    """
    shares = jnp.asarray(quantiles, dtype=outputs.dtype)
    above = truth[:, :, None] - outputs.reshape(*truth.shape, len(quantiles))
    return jnp.maximum(shares * above, (shares - 1) * above)


def in_order(outputs: Array, horizon: int, quantiles: Sequence[float]) -> Array:
    """Quantiles of each lead, rising: shape (batch, horizon, quantiles).

    Nothing keeps a network's quantiles from crossing. Sorting them never makes their pinball loss larger.

    Source: Chernozhukov, Fernández-Val and Galichon 2010, Econometrica 78, 1093-1125.
    """
    return jnp.sort(outputs.reshape(-1, horizon, len(quantiles)), axis=2)


def point(outputs: Array, horizon: int, quantiles: Sequence[float]) -> Array:
    """What counts as the forecast, shape (batch, horizon): the outputs themselves, or the median among quantiles."""
    return in_order(outputs, horizon, quantiles)[:, :, len(quantiles) // 2] if quantiles else outputs
