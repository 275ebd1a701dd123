"""What a coordinator makes of workers that die, have no memory left, or can't be told: with workers of straw."""

import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from backsight.errors import RecipeError, SettingError
from backsight.models.own import Own
from backsight.runs import elsewhere
from backsight.runs.clusters import _look, refuse_others
from backsight.runs.compare import examine
from backsight.runs.elsewhere import GIVE_UP, carry_out_elsewhere
from backsight.runs.folder import LEDGER, open_run
from backsight.runs.ledger import read_records
from backsight.runs.pools import RETRIES, Backend, Pool, fit_piece, receive, send
from backsight.runs.progress import Silent
from backsight.runs.saved import LIBRARIES, made_with
from backsight.runs.study import make_study
from conftest import make_toy

PROCESSES = Backend("processes")


class Died(Exception):
    pass


@pytest.fixture
def study():
    return make_study(make_toy(), "y", models="ridge", lookback=[2, 3, 4], baselines=False)


def straw(monkeypatch, study, troubles):
    """Pools that fit at once, but for what `troubles` holds for a piece: exceptions, one an attempt."""
    opened = []

    @contextmanager
    def open_pool(*_):
        opened.append(1)
        dead = []

        def submit(piece, checkpoints):
            if dead:
                raise Died
            future = Future()
            if troubles.get(piece.entry):
                error = troubles[piece.entry].pop()
                dead.extend([1] if isinstance(error, Died) else [])
                future.set_exception(error)
            else:
                future.set_result(fit_piece(study, piece, checkpoints))
            return future

        yield Pool(submit, 2, (Died,), RETRIES, shared_fate=True, same_machine=True)

    monkeypatch.setattr(elsewhere, "open_pool", open_pool)
    return opened


def carried_out(study, run=None):
    outcome, lost = carry_out_elsewhere(study, PROCESSES, 2, Silent(), run)
    return [of_job[0] is not None for of_job in outcome.results], lost


@pytest.mark.parametrize("trouble", [Died, MemoryError])
@pytest.mark.parametrize("times", [1, RETRIES])
def test_a_piece_is_tried_again(study, monkeypatch, trouble, times):
    straw(monkeypatch, study, {"ridge_3": [trouble()] * times})
    assert carried_out(study) == ([True, True, True], {})


@pytest.mark.parametrize("trouble", [Died, MemoryError])
def test_a_piece_that_never_gets_through_is_noted_and_passed_over(study, monkeypatch, trouble, tmp_path):
    straw(monkeypatch, study, {"ridge_3": [trouble()] * (RETRIES + 1)})
    with open_run(tmp_path / "run", "compare", study, None) as run:
        done, lost = carried_out(study, run)
    assert done == [True, False, True]
    assert list(lost.values()) == [f"{trouble.__name__} {RETRIES + 1} times"]
    assert [r["entry"] for r in read_records(tmp_path / "run" / LEDGER) if r["what"] == "lost"] == ["ridge_3"]


def test_where_nothing_is_ever_finished_all_is_given_up(study, monkeypatch):
    """A hundred thousand pieces would be tried four times each."""
    opened = straw(monkeypatch, study, {entry.name: [Died()] * 99 for entry in study.entries})
    with pytest.raises(SettingError, match="have finished nothing: Died 4 times"):
        carried_out(study)
    assert len(opened) <= GIVE_UP * (RETRIES + 1)


def test_a_module_that_is_not_there_is_named(study, monkeypatch):
    straw(monkeypatch, study, {"ridge_3": [ModuleNotFoundError("No module named 'mine'")]})
    with pytest.raises(SettingError, match="can't import what ridge_3, seed 0 needs: No module named 'mine'"):
        carried_out(study)


def test_straw_gives_what_threads_give(study, monkeypatch):
    """Else the tests above say nothing."""
    straw(monkeypatch, study, {})
    found = examine(study, backend=PROCESSES).forecasts
    assert found.equals(examine(study).forecasts)


# ---- a study on its way


def network(shape):
    from keras import Input, Sequential, layers

    return Sequential([Input(shape), layers.Flatten(), layers.Dense(1)])


def test_a_study_is_read_once_a_process(study):
    sent = send(study)
    assert receive(sent) is receive(sent)
    assert fit_piece(receive(sent), study.pieces()[0]).packed == fit_piece(study, study.pieces()[0]).packed


@pytest.mark.parametrize("code", [False, True])
def test_code_goes_along_where_modules_may_not_be(code):
    """To workers that were there before: they may not find the module, or may have read an earlier one."""
    study = make_study(make_toy(), "y", models=[network], lookback=[2], baselines=False, seeds=1)
    function = receive(send(study, code=code)).entries[0].recipe.function
    assert (function is network) is not code
    assert sys.modules[__name__].network is network


def test_a_function_that_can_not_be_sent_is_named():
    lock = threading.Lock()

    def holds_a_lock(shape):
        with lock:
            return network(shape)

    study = make_study(make_toy(), "y", models=[Own(holds_a_lock, "mine")], lookback=[2], baselines=False)
    with pytest.raises(RecipeError, match=r"mine can't be sent to other processes: .*lock"):
        send(study)


# ---- who may work


def test_workers_say_what_they_have():
    assert _look()(LIBRARIES) == made_with()
    assert _look()(["no such library"])["no such library"] is None


@pytest.mark.parametrize(
    ("name", "value", "told"), [("keras", "0.0", "keras is 0.0, here"), ("backsight", None, "not there")]
)
def test_workers_that_have_something_else_are_refused(name, value, told):
    refuse_others({"one": made_with(), "two": made_with()}, made_with())
    with pytest.raises(SettingError, match=f"Worker two would not give the same numbers: .*{told}"):
        refuse_others({"one": made_with(), "two": {**made_with(), name: value}}, made_with())
