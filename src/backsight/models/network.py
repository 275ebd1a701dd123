"""What every network is: a recipe that builds a `keras.Model`."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backsight.models.recipe import Forecaster, OnEpoch, Recipe, ignore
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows

if TYPE_CHECKING:
    from backsight.training.program import Program, State


class Network(Recipe):
    """A recipe that describes its network to Keras and trains it by the compiled epoch."""

    random: ClassVar[bool] = True
    stage: ClassVar[int] = 1

    def load_libraries(self) -> None:
        from backsight.engine import keras_on_jax

        keras_on_jax()

    @abstractmethod
    def build(self, lookback: int, features: int, horizon: int) -> Any:
        """An untrained `keras.Model` from (windows, lookback, features) to (windows, horizon)."""

    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        # Imported here, since Keras and JAX take seconds that nobody owes who only asks for help.
        from backsight.training.program import program_for
        from backsight.training.seeds import seeded
        from backsight.training.train import train

        shape = (learn.lookback, learn.features, learn.horizon)
        program = program_for(self, *shape, plan.learning_rate)
        start = program.start(seeded(lambda: self.build(*shape), seed))
        trained = train(program, start, learn, check, plan, seed, on_epoch)
        return NetworkForecaster(program, trained.state, trained.history)


@dataclass(frozen=True, eq=False)
class NetworkForecaster(Forecaster):
    """A trained network.

    Attributes:
        program: the network, compiled.
        state: its weights.
        history: of its training.
    """

    program: "Program"
    state: "State"
    history: History

    @property
    def parameters(self) -> int:  # type: ignore[override]
        return int(sum(w.size for w in self.state.trainable))

    def predict(self, windows: Windows) -> Outputs:
        return self.program.predict(self.state, windows)
