"""Times the recurrent kernels alone against the time that their operations take in a matrix product.

A layer's forward and backward pass consist of matrix products and of what comes between them: sigmoids, tanhs,
moving numbers. How well a kernel does is how near it comes to the products alone, done at the rate that this core
reaches in a large single-precision product (`numpy @ numpy` on one thread, the best of several sizes).

Operations are counted as multiplications and additions of the products: inputs and states by the weights forward;
their slopes by the states' weights, and the weights' gradients, backward; the gradient of the inputs for all layers
but the first. One core works alone; in the last column others help it, if they have nothing else to do. 200 times
(LSTM(64): 50) in one compiled loop; the median of 15 such loops.

    python benchmarks/kernels.py
"""

from contextlib import ExitStack
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from backsight.engine import COMPILER_OPTIONS, keras_on_jax
from backsight.recurrence.fused import Cell, recur
from backsight.recurrence.library import beside_others, kernels
from backsight.runs.jobs import cores

BATCH, FEATURES = 32, 9
#: Blocks of columns in a layer's weights, and numbers a unit in its bias.
GATES = {"simple_rnn": (1, 1), "lstm": (4, 4), "gru": (3, 6)}


class Work(NamedTuple):
    """Layers of one kind, one upon the other."""

    cell: str
    units: tuple[int, ...]
    lookback: int
    repeats: int = 200

    @property
    def name(self) -> str:
        return " + ".join(f"{self.cell}({u})" for u in self.units) + f", lookback {self.lookback}"

    def operations(self) -> float:
        """Of the matrix products of one forward and backward pass."""
        gates, total, inputs = GATES[self.cell][0], 0, FEATURES
        for place, units in enumerate(self.units):
            of_states, of_inputs = units * gates * units, inputs * gates * units
            total += 3 * of_states + (3 if place else 2) * of_inputs
            inputs = units
        return 2.0 * BATCH * self.lookback * total


WORKS = (
    Work("lstm", (7, 7), 30),
    Work("lstm", (64,), 90, 50),
    Work("simple_rnn", (16,), 30),
    Work("gru", (16,), 30),
    Work("lstm", (16,), 30),
)


def product_rate() -> float:
    """Operations a second of the best large matrix product on one thread."""
    rng, best = np.random.default_rng(0), 0.0
    with threadpool_limits(1):
        for size in (256, 512, 1024):
            a, b = (rng.standard_normal((size, size)).astype(np.float32) for _ in range(2))
            for _ in range(20):
                began = perf_counter()
                a @ b
                best = max(best, 2 * size**3 / (perf_counter() - began))
    return best


def seconds(work: Work, alone: bool) -> float:
    """Of one forward and backward pass, by one core alone or with help."""
    rng, (gates, biases) = np.random.default_rng(0), GATES[work.cell]
    widths = (FEATURES, *work.units)
    weights = [
        tuple(
            jnp.asarray(0.2 * rng.standard_normal(shape), jnp.float32)
            for shape in ((inputs, gates * units), (units, gates * units), (biases * units,))
        )
        for inputs, units in zip(widths, work.units, strict=False)
    ]
    windows = jnp.asarray(rng.standard_normal((BATCH, work.lookback, FEATURES)), jnp.float32)

    def loss(weights: Any) -> Any:
        outputs = windows
        for place, (units, layer) in enumerate(zip(work.units, weights, strict=True)):
            cell = Cell(work.cell, sequences=place < len(work.units) - 1)
            carry = jnp.zeros((BATCH, units if work.cell == "lstm" else 0))
            outputs, _ = recur(cell, outputs, jnp.zeros((BATCH, units)), carry, *layer)
        return jnp.sum(outputs**2)

    def step(weights: Any, _: None) -> Any:
        # The weights change a little each time, so that nothing can be moved out of the loop.
        return jax.tree.map(lambda w, g: w - 1e-6 * g, weights, jax.grad(loss)(weights)), None

    loop = jax.jit(lambda w: jax.lax.scan(step, w, None, length=work.repeats)[0])
    compiled = loop.lower(weights).compile(compiler_options=COMPILER_OPTIONS)
    times = []
    with ExitStack() as trainings:
        for _ in range(cores() if alone else 1):  # as if there were one beside it for every other core
            trainings.enter_context(beside_others())
        for _ in range(16):
            began = perf_counter()
            jax.block_until_ready(compiled(weights))
            times.append((perf_counter() - began) / work.repeats)
    return median(times[1:])


def main() -> None:
    keras_on_jax()
    rate = product_rate()
    print(f"Kernels: {kernels().vectors}. Matrix products on this core: {rate / 1e9:.0f} GFLOP/s.\n")
    print("| forward and backward, batch 32, 9 features | ms | its products alone, ms | times | with help, ms |")
    print("|---|---|---|---|---|")
    for work in WORKS:
        took, helped, products = seconds(work, True), seconds(work, False), work.operations() / rate
        print(f"| {work.name} | {1e3 * took:.3f} | {1e3 * products:.3f} | {took / products:.2f} | {1e3 * helped:.3f} |")


if __name__ == "__main__":
    main()
