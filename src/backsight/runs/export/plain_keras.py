"""A saved model as plain Keras: layers that load in a program without backsight, and scaling among them."""

from typing import Any

import numpy as np

from backsight.engine import keras_on_jax
from backsight.errors import RecipeError
from backsight.models.network import Network, NetworkForecaster
from backsight.models.ridge import Ridge
from backsight.runs.export.agreement import check_agreement, draw_windows, exported_view
from backsight.runs.fit import Fitted
from backsight.runs.model_file import Model


def to_keras(model: Model) -> Any:
    """A `keras.Model` from windows of raw numbers to forecasts in the target's unit, the mean over the seeds.

    Its inputs have shape (windows, lookback, columns), columns in the card's order and not scaled, those of the
    calendar last. Networks and ridge can be exported. Inputs and forecasts have 32 bits: a column whose mean is a
    thousand times its standard deviation comes with three digits less.

    Raises:
        RecipeError: Keras has no layers for a model of this kind, or it is of many series.
        ModelFileError: the exported model forecasts something else.
    """
    recipe, view = model.entry.recipe, exported_view(model)
    if not isinstance(recipe, Network | Ridge):
        raise RecipeError(
            f"Keras has no layers for {model.card.name}: networks and ridge can be exported to it. "
            f"The model file itself can be read by backsight."
        )
    keras = keras_on_jax()
    layers = keras.layers
    inputs = keras.Input((view.lookback, len(view.scaler.mean)), name="window")
    # In two steps, since a mean of 32 bits alone would be off by more than what follows is.
    nearest = view.scaler.mean.astype(np.float32)
    rest = view.scaler.mean - nearest
    centred = layers.Normalization(mean=nearest, variance=np.ones(len(nearest)), name="centred")(inputs)
    scaled = layers.Normalization(mean=rest, variance=view.scaler.scale**2, name="scaled")(centred)
    members = [_member(keras, one)(scaled) for one in model.fitted]
    mean = layers.Average(name="mean_of_seeds")(members) if len(members) > 1 else members[0]
    forecast = layers.Rescaling(view.target_scale, view.target_mean, name="forecast")(mean)
    exported = keras.Model(inputs, forecast, name="backsight")
    # In 32 bits, as the exported model reads them.
    raw = draw_windows(view).astype(np.float32).astype(np.float64)
    check_agreement(model, raw, lambda x: exported.predict(x.astype(np.float32), verbose=0), "plain Keras")
    return exported


def _member(keras: Any, fitted: Fitted) -> Any:
    """From scaled inputs to the scaled forecast of one seed; of a network with quantiles, the median."""
    view, recipe = fitted.view, fitted.entry.recipe
    shape = (view.lookback, len(view.scaler.mean))
    if isinstance(recipe, Network):
        assert isinstance(fitted.forecaster, NetworkForecaster), "networks make networks"
        quantiles = len(fitted.forecaster.program.quantiles)
        network = recipe.build(*shape, fitted.forecaster.program.outputs)
        built = keras.models.clone_model(network, clone_function=lambda layer: _plain(keras, layer))
        for variable, weights in zip(built.trainable_variables, fitted.forecaster.state.trainable, strict=True):
            variable.assign(np.asarray(weights))
        built.name = f"seed_{fitted.seed}"
        return built if not quantiles else lambda scaled: _median(keras, built(scaled), view.horizon, quantiles)
    frozen = fitted.forecaster.freeze().arrays
    inputs = keras.Input(shape)
    lags = keras.layers.Flatten(name="lags")(keras.layers.Permute((2, 1))(inputs))  # a column's lags side by side
    head = keras.layers.Dense(view.horizon, name="head")
    built = keras.Model(inputs, head(lags), name=f"seed_{fitted.seed}")
    # The ridge forecasts in the target's unit, and what follows the seeds turns standard deviations into that.
    head.set_weights(
        [frozen["weights"] / view.target_scale, (frozen["intercept"] - view.target_mean) / view.target_scale]
    )
    return built


def _median(keras: Any, outputs: Any, horizon: int, quantiles: int) -> Any:
    """The middle one of each lead's quantiles; a network may have them in another order."""
    of_lead = keras.layers.Reshape((horizon, quantiles))(outputs)
    return keras.ops.sort(of_lead, axis=-1)[:, :, quantiles // 2]


def _plain(keras: Any, layer: Any) -> Any:
    """The layer of Keras's own that ours computes faster."""
    own: Any = next(kind for kind in type(layer).__mro__ if kind.__module__.partition(".")[0] == "keras")
    return own.from_config(layer.get_config())
