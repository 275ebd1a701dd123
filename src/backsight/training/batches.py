"""Origins cut into mini-batches of one size."""

import numpy as np
from numpy.typing import NDArray

from backsight.vocabulary import Origins


def cut_batches(
    origins: Origins, batch_size: int, rng: np.random.Generator | None = None
) -> tuple[Origins, NDArray[np.float32]]:
    """Mini-batches of origins, and a weight for each.

    The last batch is filled up with the first origin at weight 0, so that all have one shape and every
    number gathered is a real one (a NaN would survive its weight of 0).

    Args:
        origins: shape (windows,), at least one.
        batch_size: windows a batch.
        rng: shuffles the origins; without it they keep their order.

    Returns:
        origins and weights, both of shape (batches, batch size).

    >>> cut_batches(np.array([5, 6, 7], dtype=np.int32), 2)[0]
    array([[5, 6],
           [7, 5]], dtype=int32)
    """
    ordered = origins if rng is None else rng.permutation(origins)
    batches = -(-len(ordered) // batch_size)
    padded = np.full(batches * batch_size, origins[0], dtype=np.int32)
    padded[: len(ordered)] = ordered
    weights = np.zeros(batches * batch_size, dtype=np.float32)
    weights[: len(ordered)] = 1.0
    return padded.reshape(batches, batch_size), weights.reshape(batches, batch_size)
