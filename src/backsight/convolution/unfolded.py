"""A one-dimensional convolution as one matrix product.

A training step by XLA's own convolution on a processor takes five to eight times as long as one by its matrix
product, for the same sums.
"""

from functools import cache
from types import ModuleType
from typing import Any


@cache
def unfolded_conv1d(keras: ModuleType) -> Any:
    """The class `UnfoldedConv1D`; it is made here, since Keras is loaded when a network is built and not before.

    >>> from backsight.engine import keras_on_jax
    >>> keras = keras_on_jax()
    >>> layer = unfolded_conv1d(keras)(1, 2, padding="causal", dilation_rate=2, kernel_initializer="ones")
    >>> layer(keras.ops.reshape([1.0, 2.0, 3.0, 4.0], (1, 4, 1))).ravel().tolist()
    [1.0, 2.0, 4.0, 6.0]
    """
    ops = keras.ops

    class UnfoldedConv1D(keras.layers.Conv1D):  # type: ignore[name-defined,misc]
        """Keras's Conv1D, weights, names, settings and numbers, with its sum taken another way.

        The steps that a filter spans are laid side by side, so that all filters at all steps are one product of
        (windows x steps, kernel x channels) and (kernel x channels, filters). Settings that this doesn't fit
        (padding "same", groups, channels first, unknown lengths) are computed by Keras.

        Source: Chellapilla, Puri, Simard 2006, IWFHR (convolution by unfolding).
        """

        def call(self, inputs: Any) -> Any:
            if not self._unfolds(inputs):
                return super().call(inputs)
            if self.padding == "causal":
                inputs = ops.pad(inputs, [[0, 0], [(self.kernel_size[0] - 1) * self.dilation_rate[0], 0], [0, 0]])
            unfolded = self._unfold(inputs)  # (windows, steps, kernel x channels)
            steps, columns = unfolded.shape[1:]
            # Flattened here: XLA would find the same product by itself, but takes a sixth longer for it.
            flat = ops.reshape(unfolded, (-1, columns))
            outputs = ops.matmul(flat, ops.reshape(self.kernel, (columns, self.filters)))
            outputs = ops.reshape(outputs, (-1, steps, self.filters))
            if self.use_bias:
                outputs = ops.add(outputs, self.bias)
            return self.activation(outputs)

        def _unfolds(self, inputs: Any) -> bool:
            return (
                self.padding in ("causal", "valid")
                and self.groups == 1
                and self.data_format == "channels_last"
                and inputs.shape[1] is not None
            )

        def _unfold(self, inputs: Any) -> Any:
            """Of (windows, time, channels), what each step reads: (windows, steps, kernel x channels)."""
            (kernel,), (stride,), (dilation,) = self.kernel_size, self.strides, self.dilation_rate
            _, time, channels = inputs.shape
            span = (kernel - 1) * dilation + 1
            between = (time - span) // stride * stride  # first step and last one
            if between == 0:  # the wide kernels are here, and thousands of slices would take long to compile
                return ops.reshape(inputs[:, :span:dilation], (-1, 1, kernel * channels))
            # Slices, not a gather, whose gradient would scatter.
            starts = range(0, span, dilation)
            return ops.concatenate([inputs[:, i : i + between + 1 : stride] for i in starts], axis=2)

    return UnfoldedConv1D
