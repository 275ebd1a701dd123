"""What every network is: a recipe that builds a `keras.Model`."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backsight.errors import ModelFileError
from backsight.models.frozen import Frozen, Specs, floats, take_counts
from backsight.models.recipe import Forecaster, OnEpoch, OnSeedEpoch, Recipe, Slopes, ignore
from backsight.training.checkpoint import Checkpoints
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.training.traces import Inside
from backsight.vocabulary import Band, Outputs
from backsight.windows.windows import Windows

if TYPE_CHECKING:
    from backsight.training.program import Program, State

#: Names of the arrays of errors by epoch, and of those that a network with quantiles has beside them.
HISTORY = ("history/train_rmse", "history/val_rmse")
PINBALL = ("history/train_pinball", "history/val_pinball")


class Network(Recipe):
    """A recipe that describes its network to Keras and trains it by the compiled epoch."""

    random: ClassVar[bool] = True
    stage: ClassVar[int] = 1

    def load_libraries(self) -> None:
        from backsight.engine import keras_on_jax

        keras_on_jax()

    def seeds_at_once(self) -> int:
        from backsight.engine import seeds_at_once

        return seeds_at_once()

    @abstractmethod
    def build(self, lookback: int, features: int, horizon: int) -> Any:
        """An untrained `keras.Model` from (windows, lookback, features) to (windows, horizon).

        With the quantile loss, `horizon` counts every quantile of every lead.
        """

    @abstractmethod
    def weights(self, lookback: int, features: int, horizon: int) -> Specs:
        """Names and shapes of all that it keeps of what it has learnt, in Keras's order, without building it."""

    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        return self.fit_together(learn, check, plan, [seed], lambda _, done: on_epoch(done))[0]

    def fit_together(
        self,
        learn: Windows,
        check: Windows,
        plan: Plan,
        seeds: Sequence[int],
        on_epoch: OnSeedEpoch,
        checkpoints: Checkpoints | None = None,
    ) -> list[Forecaster]:
        # Imported here, since Keras and JAX take seconds that nobody owes who only asks for help.
        from backsight.training.train import train, train_together

        program, starts = self._starts(learn, plan, seeds)
        if len(seeds) == 1:
            tell = partial(on_epoch, seeds[0])
            trained = [train(program, starts[0], learn, check, plan, seeds[0], tell, checkpoints)]
        else:
            trained = train_together(program, starts, learn, check, plan, seeds, on_epoch, checkpoints)
        names = self._names(program, learn.features)
        return [NetworkForecaster(program, one.state, names, one.history) for one in trained]

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        # A network that learnt squared errors has no quantiles, and says nothing of them.
        more = {"quantiles": 3} if "quantiles" in settings else {}
        epochs, kept_epoch, *quantiles = take_counts(settings, epochs=0, kept_epoch=0, **more)
        if kept_epoch > epochs:
            raise ModelFileError(f"Of {epochs} epochs it can't have kept number {kept_epoch}.")
        outputs = horizon * quantiles[0] if quantiles else horizon
        of_epochs = (*HISTORY, *PINBALL) if quantiles else HISTORY
        return self.weights(lookback, features, outputs) | {name: floats(epochs) for name in of_epochs}

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> Forecaster:
        from backsight.training.program import program_for

        quantiles = plan.learnt_quantiles
        if len(quantiles) != frozen.settings.get("quantiles", 0):
            raise ModelFileError("Its quantiles are not those of its plan.")
        program = program_for(self, lookback, features, horizon, plan.learning_rate, quantiles)
        names = self._names(program, features)
        state = program.restore([frozen.arrays[name] for name in names])
        train_rmse, val_rmse, *pinball = (
            tuple(frozen.arrays[name].tolist()) for name in (*HISTORY, *PINBALL) if name in frozen.arrays
        )
        history = History(train_rmse, val_rmse, frozen.settings["kept_epoch"], *pinball)
        return NetworkForecaster(program, state, names, history)

    def _names(self, program: "Program", features: int) -> tuple[str, ...]:
        return tuple(self.weights(program.lookback, features, program.outputs))

    def _starts(self, learn: Windows, plan: Plan, seeds: Sequence[int]) -> tuple["Program", list["State"]]:
        """The program, and the state with which each seed begins."""
        from backsight.training.program import program_for
        from backsight.training.seeds import seeded

        shape = (learn.lookback, learn.features)
        program = program_for(self, *shape, learn.horizon, plan.learning_rate, plan.learnt_quantiles)
        return program, [program.start(seeded(lambda: self.build(*shape, program.outputs), seed)) for seed in seeds]


@dataclass(frozen=True, eq=False)
class NetworkForecaster(Forecaster):
    """A trained network.

    Attributes:
        program: the network, compiled.
        state: its weights.
        names: of the arrays of `state` that are kept: the trainable ones, and then, of a function of the user's, the
            others. In those of the closed list the others are the seeds of dropout, which forecasts do without.
        history: of its training.
    """

    program: "Program"
    state: "State"
    names: tuple[str, ...]
    history: History

    @property
    def parameters(self) -> int:  # type: ignore[override]
        return int(sum(w.size for w in self.state.trainable))

    def predict(self, windows: Windows) -> Outputs:
        return self.program.predict(self.state, windows)

    def predict_band(self, windows: Windows) -> Band | None:
        if not self.program.quantiles:
            return None
        quantiles = self.program.predict_quantiles(self.state, windows)
        return quantiles[:, :, 0], quantiles[:, :, -1]

    def freeze(self) -> Frozen:
        kept = [*self.state.trainable, *self.state.other][: len(self.names)]
        arrays = {name: np.asarray(array) for name, array in zip(self.names, kept, strict=True)}
        history, quantiles = self.history, len(self.program.quantiles)
        errors = dict(zip(HISTORY, (history.train_rmse, history.val_rmse), strict=True))
        if quantiles:
            errors |= zip(PINBALL, (history.train_pinball, history.val_pinball), strict=True)
        arrays |= {name: np.array(of_epochs, dtype=np.float64) for name, of_epochs in errors.items()}
        more = {"quantiles": quantiles} if quantiles else {}
        return Frozen({"epochs": history.epochs, "kept_epoch": history.kept_epoch, **more}, arrays)

    def mean_slopes(self, windows: Windows) -> Slopes:
        from backsight.training.inside import mean_slopes

        return mean_slopes(self.program, self.state, windows)

    def look_inside(self, windows: Windows) -> Inside:
        from backsight.training.inside import look_inside

        return look_inside(self.program, self.state, windows)
