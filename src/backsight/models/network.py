"""What every network is: a recipe that builds a `keras.Model`."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from backsight.models.recipe import Forecaster, OnEpoch, OnSeedEpoch, Recipe, Slopes, ignore
from backsight.training.checkpoint import Checkpoints
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.training.traces import Inside
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

    def seeds_at_once(self) -> int:
        from backsight.engine import seeds_at_once

        return seeds_at_once()

    @abstractmethod
    def build(self, lookback: int, features: int, horizon: int) -> Any:
        """An untrained `keras.Model` from (windows, lookback, features) to (windows, horizon)."""

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
        return [NetworkForecaster(program, one.state, one.history) for one in trained]

    def _starts(self, learn: Windows, plan: Plan, seeds: Sequence[int]) -> tuple["Program", list["State"]]:
        """The program, and the state with which each seed begins."""
        from backsight.training.program import program_for
        from backsight.training.seeds import seeded

        shape = (learn.lookback, learn.features, learn.horizon)
        program = program_for(self, *shape, plan.learning_rate)
        return program, [program.start(seeded(lambda: self.build(*shape), seed)) for seed in seeds]


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

    def mean_slopes(self, windows: Windows) -> Slopes:
        from backsight.training.inside import mean_slopes

        return mean_slopes(self.program, self.state, windows)

    def look_inside(self, windows: Windows) -> Inside:
        from backsight.training.inside import look_inside

        return look_inside(self.program, self.state, windows)
