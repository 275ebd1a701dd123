"""The writers of checkpoints and of model files themselves, on a disk that fails; see test_faults."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backsight.runs.checkpoints import FileCheckpoints
from backsight.runs.durable import make_folder
from backsight.runs.ledger import append_record
from backsight.runs.locks import work_in
from backsight.runs.model_file import load_model
from backsight.training.checkpoint import Checkpoint
from faulty_disk import FAILURES, KILLS, POWER_CUTS
from test_faults import EPOCHS, LEDGER, Broken, all_faults, begin, campaign, found, promise

GOLDEN = Path(__file__).parent / "golden" / "trees.zip"
MODEL = load_model(GOLDEN)


def checkpoint_of(epoch):
    """A training after so many epochs, whose best was the one before the last."""
    state, kept = ((np.full(900, float(number), dtype=np.float32),) for number in (epoch, epoch - 1))
    return Checkpoint((0,), (tuple((1.0 / number, 2.0) for number in range(1, epoch + 1)),), state, kept)


def models_life(folder, note):
    """A training that goes on from its checkpoint, and a model of it that is saved."""
    make_folder(folder)
    with work_in(folder):
        begin(folder)
        done = found(folder, note)
        place = folder / "winner.zip"
        promise(not place.exists() or place.read_bytes() == GOLDEN.read_bytes(), "the model is half there")
        promise("winner" not in done or place.exists(), "the model is lost")
        checkpoints = FileCheckpoints(folder / "training.state")
        if "winner" not in done:
            latest = checkpoints.load([0])
            for epoch in range(1 + (latest.epoch if latest else 0), EPOCHS + 1):
                checkpoints.save(checkpoint_of(epoch))
            kept = checkpoints.load([0])
            promise(kept is not None and kept.state[0][0] == EPOCHS, "the training is not where it was")
            MODEL.save(place)
            append_record(folder / LEDGER, {"piece": "winner"})
            note("winner")
        checkpoints.remove()


@pytest.mark.parametrize("kinds", [KILLS, FAILURES, POWER_CUTS], ids=["killed", "failed", "power cut"])
def test_every_call_of_these_writers_may_go_wrong(kinds, monkeypatch):
    faults = all_faults(models_life, None, monkeypatch, kinds)
    tried = campaign(models_life, faults, monkeypatch)
    assert sum(tried.values()) == len(faults) > 30


def test_a_model_that_is_written_in_place_would_be_seen(monkeypatch):
    def in_place(path, data):
        from backsight.runs import durable

        handle = durable.os.open(path, durable.os.O_WRONLY | durable.os.O_CREAT | durable.os.O_TRUNC, 0o666)
        durable.write_all(handle, data)
        durable.os.close(handle)

    monkeypatch.setattr("backsight.runs.model_file.write_durably", in_place)
    faults = all_faults(models_life, None, monkeypatch, KILLS)
    with pytest.raises(Broken):
        campaign(models_life, faults, monkeypatch)


def test_none_of_this_loads_jax():
    program = f"import sys, {__name__}; print(*{{'jax', 'keras'}} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
