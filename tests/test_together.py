"""Seeds trained by one program, as on an accelerator, against each trained alone. Run here on the processor."""

from functools import partial

import numpy as np
import pytest

from backsight import engine
from backsight.engine import MOST_TOGETHER, keras_on_jax, seeds_at_once
from backsight.errors import Interrupted, RecipeError
from backsight.models.network import Network
from backsight.models.registry import RECIPES, as_recipe
from backsight.recurrence import layers
from backsight.recurrence.library import Kernels
from backsight.runs.compare import compare
from backsight.runs.jobs import Job, _turns, carry_out
from backsight.runs.progress import Silent
from backsight.training import program as programs
from backsight.training import train as training
from backsight.training.batches import cut_batches
from backsight.training.plan import Plan
from backsight.training.program import program_for
from backsight.training.watch import Watch
from conftest import HORIZON, LOOKBACK, make_toy
from laws import views

SEEDS = (0, 1, 2)
NETWORKS = ("dense", "lstm(units=4, dropout=0.3)", "cnn", "gru(units=4)")
#: So impatient and so fast that seeds stop at different epochs, and few epochs, so that rounding stays small.
PLAN = Plan(epochs=12, batch_size=16, patience=1, learning_rate=0.02)


@pytest.fixture(autouse=True)
def _keras_loops(monkeypatch):
    """Recurrent layers as on an accelerator: Keras's own loops, in programs that no other test has traced."""
    monkeypatch.setattr(layers, "kernels", lambda: Kernels(None, "as on an accelerator"))
    programs._program.cache_clear()
    yield
    programs._program.cache_clear()


@pytest.fixture
def _accelerator(monkeypatch):
    monkeypatch.setattr(engine, "seeds_at_once", lambda: MOST_TOGETHER)


def fit_both(recipe, plan=PLAN):
    learn, check, _ = views(make_toy())
    told = {seed: [] for seed in SEEDS}
    together = recipe.fit_together(learn, check, plan, SEEDS, lambda seed, done: told[seed].append(done))
    return [recipe.fit(learn, check, plan, seed) for seed in SEEDS], together, told


def assert_same(one, other):
    assert one.history.epochs == other.history.epochs, "stopped at another epoch"
    assert one.history.kept_epoch == other.history.kept_epoch, "kept another epoch"
    np.testing.assert_allclose(one.history.train_rmse, other.history.train_rmse, rtol=1e-5)
    np.testing.assert_allclose(one.history.val_rmse, other.history.val_rmse, rtol=1e-5)
    for ours, theirs in zip(one.state.trainable, other.state.trainable, strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max(), "kept other weights"


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("name", NETWORKS)
def test_each_seed_is_trained_as_if_alone(name, keep):
    plan = Plan(epochs=12, batch_size=16, patience=1, learning_rate=0.02, keep=keep)
    alone, together, told = fit_both(as_recipe(name), plan)
    assert len({f.history.epochs for f in alone}) > 1, "all stop together, and nothing is said of those that go on"
    for seed, one, other in zip(SEEDS, together, alone, strict=True):
        assert_same(one, other)
        assert [done.val_rmse for done in told[seed]] == list(one.history.val_rmse)


def test_one_order_of_batches_for_all_would_be_seen(monkeypatch):
    shuffled = training._shuffled
    alone, _, _ = fit_both(as_recipe("dense"))
    monkeypatch.setattr(training, "_shuffled", lambda learn, plan, _, epoch: shuffled(learn, plan, 0, epoch))
    _, together, _ = fit_both(as_recipe("dense"))
    assert_same(together[0], alone[0])
    for place in (1, 2):
        with pytest.raises(AssertionError):
            assert_same(together[place], alone[place])


def test_weights_of_later_epochs_would_be_seen(monkeypatch):
    """Planted: the state after the last epoch of all, in place of that after each seed's own best."""
    monkeypatch.setattr(training, "_where", lambda keep, new, old: new)
    alone, together, _ = fit_both(as_recipe("dense"))
    with pytest.raises(AssertionError, match="kept other weights"):
        for one, other in zip(together, alone, strict=True):
            assert_same(one, other)


def test_a_seed_that_diverges_leaves_the_others_alone(monkeypatch):
    """NaN in one seed's weights, which a sum in place of a choice would spread."""
    recipe = as_recipe("dense")
    start = programs.Program.start
    begun = []

    def spoilt(self, model):
        state = start(self, model)
        begun.append(None)
        return state._replace(trainable=[w * np.nan for w in state.trainable]) if len(begun) == 2 else state

    learn, check, _ = views(make_toy())
    alone = [recipe.fit(learn, check, PLAN, seed) for seed in (0, 2)]
    monkeypatch.setattr(programs.Program, "start", spoilt)
    together = recipe.fit_together(learn, check, PLAN, SEEDS, lambda *_: None)
    assert_same(together[0], alone[0])
    assert_same(together[2], alone[1])
    assert together[1].history.epochs == PLAN.patience
    assert np.isnan(together[1].history.val_rmse).all()


@pytest.mark.parametrize("monitor", ["val_loss", "loss"])
def test_a_watch_keeps_the_last_of_a_network_that_was_never_good(monitor):
    watch = Watch(Plan(patience=2, monitor=monitor), 1.0)
    assert [watch.note(np.nan, np.nan) for _ in range(2)] == [True, True]
    assert (watch.stopped, watch.history.kept_epoch) == (True, 2)


# ---- a whole comparison -------------------------------------------------------------------------------


def run(models=NETWORKS, **settings):
    return compare(
        make_toy(), "y", models=models, lookback=[LOOKBACK], horizon=HORIZON, seeds=3, plan=PLAN, workers=1, **settings
    )


def program_of(entry):
    return program_for(entry.recipe, entry.lookback, len(entry.features), HORIZON, PLAN.learning_rate)


def training_programs(entry):
    """Function and number of executables of each training program that was compiled for an entry."""
    idle = program_of(entry)._idle
    return [(key[0].__name__, len(made)) for key, made in idle.items() if "epoch" in key[0].__name__]


@pytest.mark.usefixtures("_accelerator")
def test_the_leaderboard_is_the_same(monkeypatch):
    together = run()
    networks = [entry for entry in together.entries if entry.recipe.stage]
    assert [training_programs(entry) for entry in networks] == [[("_epochs", 1)]] * len(NETWORKS)
    monkeypatch.setattr(engine, "seeds_at_once", lambda: 1)
    programs._program.cache_clear()
    alone = run()
    assert [training_programs(entry) for entry in networks] == [[("_epoch", 1)]] * len(NETWORKS)
    one, other = together.leaderboard, alone.leaderboard
    assert list(one["entry"]) == list(other["entry"])
    for column in one.select_dtypes("number"):
        np.testing.assert_allclose(one[column], other[column], rtol=1e-5, atol=1e-6, err_msg=column)
    assert [(f.entry.name, f.seed) for f in together.fitted] == [(f.entry.name, f.seed) for f in alone.fitted]


@pytest.mark.usefixtures("_accelerator")
def test_progress_names_every_seed_and_any_of_them_ends_all():
    class StopsInTheFirstNetwork(Silent):
        def __init__(self):
            self.jobs, self.epochs, self.done = 0, [], []

        def started(self, jobs):
            self.jobs = jobs

        def epoch(self, job, seed, done):
            self.epochs.append((job, seed))
            if len(self.epochs) == 5:
                raise Interrupted  # as all listeners do once Ctrl-C was pressed

        def finished(self, job, seed):
            self.done.append((job, seed))

    progress = StopsInTheFirstNetwork()
    learn, check, _ = views(make_toy())
    plan = Plan(epochs=3, batch_size=16)
    jobs = [
        Job(name, recipe, range(2), partial(recipe.fit_together, learn, check, plan))
        for name, recipe in (("trees", as_recipe("trees")), ("dense", as_recipe("dense")))
    ]
    with pytest.raises(Interrupted):
        carry_out(jobs, 1, progress)
    assert progress.jobs == 4
    assert progress.epochs == [("dense", 0), ("dense", 1)] * 2 + [("dense", 0)]
    assert progress.done == [("trees", 0), ("trees", 1)]


@pytest.mark.usefixtures("_accelerator")
def test_what_a_users_network_raises_is_explained():
    import jax

    keras = keras_on_jax()

    class Outside(keras.layers.Layer):
        """Calls back into Python, which no program for several seeds can."""

        def call(self, x):
            shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
            if isinstance(x, jax.core.Tracer):
                jax.pure_callback(lambda y: y, shape, jax.lax.stop_gradient(x), vmap_method=None)
            return x

    def network(shape, horizon):
        inputs = keras.Input(shape)
        flat = keras.layers.Flatten()(Outside()(inputs))
        return keras.Model(inputs, keras.layers.Dense(horizon)(flat))

    with pytest.raises(RecipeError, match="Training"):
        run([network], baselines=False)


# ---- which seeds are fitted at once -------------------------------------------------------------------


def turns(jobs):
    return [(job.name, *seeds) for job, seeds in _turns(jobs)]


def make_jobs(count):
    return [Job(name, as_recipe(name), range(count), lambda *_: []) for name in ("dense", "trees", "gru")]


def test_a_processor_takes_one_seed_of_every_job_after_the_other():
    assert seeds_at_once() == 1
    assert turns(make_jobs(2)) == [(name, seed) for seed in (0, 1) for name in ("dense", "trees", "gru")]


@pytest.mark.usefixtures("_accelerator")
def test_an_accelerator_takes_the_seeds_of_networks_at_once():
    assert turns(make_jobs(2)) == [("dense", 0, 1), ("trees", 0), ("gru", 0, 1), ("trees", 1)]


@pytest.mark.usefixtures("_accelerator")
def test_many_seeds_are_cut_into_equal_groups():
    groups = [seeds for job, *seeds in turns(make_jobs(2 * MOST_TOGETHER + 1)) if job == "dense"]
    assert [len(group) for group in groups] == [11, 11, 11]
    assert sorted(seed for group in groups for seed in group) == list(range(2 * MOST_TOGETHER + 1))


@pytest.mark.parametrize(("backend", "expected"), [("cpu", 1), ("gpu", MOST_TOGETHER), ("tpu", MOST_TOGETHER)])
def test_the_backend_alone_decides(monkeypatch, backend, expected):
    import jax

    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert as_recipe("lstm").seeds_at_once() == expected
    assert as_recipe("trees").seeds_at_once() == 1


@pytest.mark.parametrize("recipe", [r for r in RECIPES.values() if isinstance(r, Network)], ids=lambda r: r.family)
def test_the_program_of_several_seeds_can_be_compiled_for_a_gpu(recipe, monkeypatch):
    """As far as a machine without one can see: all of it has a form for CUDA, and no call is left to Python."""
    import jax

    learn, check, _ = views(make_toy())
    program, starts = recipe._starts(learn, PLAN, SEEDS)
    programs.avoid_cudnn(program.model)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    states = jax.tree.map(lambda *leaves: np.stack(leaves), *starts)
    origins, weights = (np.stack([part] * len(SEEDS)) for part in cut_batches(learn.origins, 16))
    data = (learn.inputs, learn.targets.astype(np.float32))
    arguments = (states, *data, origins, weights, *cut_batches(check.origins, 8))
    traced = jax.jit(partial(programs._epochs, program)).trace(*arguments)
    assert "custom_call" not in traced.lower(lowering_platforms=("cuda",)).as_text()


def bidirectional(shape, horizon):
    keras = keras_on_jax()
    inputs = keras.Input(shape)
    both = keras.layers.Bidirectional(keras.layers.LSTM(3))(inputs)
    return keras.Model(inputs, keras.layers.Dense(horizon)(both))


@pytest.mark.parametrize("model", ["lstm_stacked", "gru", bidirectional])
def test_on_a_gpu_no_layer_asks_for_cudnn(model, monkeypatch):
    """Traced as on a GPU: JAX has cuDNN's LSTM for one seed only, and Keras would choose it by itself."""
    import jax

    asked = []
    monkeypatch.setattr("jax.experimental.rnn.lstm", lambda *_, **__: asked.append(1) or _missing())
    recipe = as_recipe(model)
    network = recipe.build(LOOKBACK, 3, HORIZON)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    window = np.zeros((2, LOOKBACK, 3), np.float32)
    network(window)
    assert bool(asked) is (model != "gru"), "Keras does not ask any more: `avoid_cudnn` may go"
    asked.clear()
    programs.avoid_cudnn(network)
    network(window)
    assert not asked


def _missing():
    raise NotImplementedError
