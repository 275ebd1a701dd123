"""Adam's step for all weights of a network in one native call.

XLA makes three small operations of each weight, and hands so many to other threads, which takes longer than the
arithmetic. `kernels/variant.cpp` has the formula; it is Keras's.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from backsight.recurrence.library import kernels

Array = jax.Array


def covered(optimizer: Any) -> bool:
    """Whether the kernels can do the step of a built `keras.optimizers.Adam` without options."""
    weights = optimizer._trainable_variables
    return (
        jax.default_backend() == "cpu"
        and kernels().loaded
        and len(weights) > 0
        and all(w.dtype == "float32" and w.constraint is None and not w.overwrite_with_gradient for w in weights)
    )


def adam_step(
    optimizer: Any, moments: list[Array], gradient: list[Array], weights: list[Array]
) -> tuple[list[Array], list[Array]]:
    """What `optimizer.stateless_apply` returns: weights and the optimizer's variables after one step.

    Args:
        optimizer: a `keras.optimizers.Adam` that is `covered`; its own variables are not read.
        moments: values of all its variables.
        gradient, weights: of all weights, in one order.

    Source: Kingma and Ba 2015, ICLR.
    """
    place = {id(variable): i for i, variable in enumerate(optimizer.variables)}
    counted, rated = place[id(optimizer._iterations)], place[id(optimizer._learning_rate)]
    firsts = [place[id(variable)] for variable in optimizer._momentums]
    seconds = [place[id(variable)] for variable in optimizer._velocities]
    steps = (moments[counted] + 1).astype(jnp.float32)
    left_first, left_second = (jnp.float32(b) ** steps for b in (optimizer.beta_1, optimizer.beta_2))
    rate = moments[rated] * jnp.sqrt(1 - left_second) / (1 - left_first)

    before = [*weights, *(moments[i] for i in firsts), *(moments[i] for i in seconds)]
    after = jax.ffi.ffi_call(
        "backsight_adam",
        [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in before],  # type: ignore[no-untyped-call]
        vmap_method="sequential",
        input_output_aliases={1 + len(gradient) + i: i for i in range(len(before))},
    )(
        rate, *gradient, *before,
        fade_first=np.float32(1 - optimizer.beta_1), fade_second=np.float32(1 - optimizer.beta_2),
        epsilon=np.float32(optimizer.epsilon),
    )  # fmt: skip
    moments = list(moments)
    moments[counted] = moments[counted] + 1
    for i, value in zip([*firsts, *seconds], after[len(weights) :], strict=True):
        moments[i] = value
    return list(after[: len(weights)]), moments
