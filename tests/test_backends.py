"""Processes, Dask and Ray give what threads give, also where workers die."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backsight.cli.main import main
from backsight.errors import SettingError
from backsight.runs.ledger import read_records
from backsight.runs.pools import RETRIES, Backend

#: Networks of a user's. The fuse kills the worker that builds it, once; the mine does so every time.
NETWORKS = """
import os
import signal
from pathlib import Path

from keras import Input, Sequential, layers


def fuse(shape):
    burnt = Path(os.environ["FUSE"])
    if not burnt.exists():
        burnt.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Sequential([Input(shape), layers.Flatten(), layers.Dense(1)])


def mine(shape):
    os.kill(os.getpid(), signal.SIGKILL)
"""
ASKED = ["compare", "seattle", "--target", "temp_max", "--rows", "200", "--lookback", "2,3", "--epochs", "2"]
ASKED += ["--seeds", "2", "--no-baselines"]


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """A module of the user's that workers find too."""
    (tmp_path / "backend_networks.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("FUSE", str(tmp_path / "burnt"))
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    return tmp_path


def compare(*more, timeout=120):
    """In a process of its own, where the libraries of clusters may warn as they like."""
    command = [sys.executable, "-c", "import sys; from backsight.cli.main import main; sys.exit(main())"]
    return subprocess.run([*command, *ASKED, *more], capture_output=True, text=True, timeout=timeout, check=False)


def pieces(folder):
    """What was fitted, to the bit, and how it did."""
    found = {path.name: path.read_bytes() for path in (folder / "pieces").iterdir()}
    return found | {name: (folder / name).read_bytes() for name in ("leaderboard.csv", "forecasts.csv")}


@pytest.mark.parametrize("backend", ["processes", "dask", "ray"])
def test_a_worker_that_dies_changes_nothing(backend, networks):
    """Two workers, one of which is killed by the first network that it builds."""
    models = ["--models", "ridge,backend_networks:fuse,dense(units=3)"]
    done = compare(*models, "--backend", backend, "--workers", "2", "--out", str(networks / backend))
    assert done.returncode == 0, done.stderr[-2000:]
    assert (networks / "burnt").exists(), "nothing was killed"
    assert main([*ASKED, *models, "--out", str(networks / "threads")]) == 0
    assert pieces(networks / backend) == pieces(networks / "threads")
    finished = [r for r in read_records(networks / backend / "ledger.jsonl") if r["what"] == "finished"]
    assert len({(r["entry"], r["seed"]) for r in finished}) == len(finished) == 2 + 4 + 4


def test_what_kills_every_worker_is_passed_over(networks):
    models = ["--models", "backend_networks:mine,dense(units=3)", "--seeds", "1", "--lookback", "2"]
    done = compare(*models, "--backend", "processes", "--workers", "2", "--out", str(networks / "run"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "backend_networks:mine_2, seed 0" in done.stdout
    ledger = read_records(networks / "run" / "ledger.jsonl")
    lost = [(r["entry"], r["seed"], r["attempts"]) for r in ledger if r["what"] == "lost"]
    assert lost == [("backend_networks:mine_2", 0, 1 + RETRIES)]
    board = json.loads((networks / "run" / "result.json").read_text())["exam"]["entries"]
    assert [entry["name"] for entry in board] == ["dense(units=3)_2"]


def test_ctrl_c_keeps_what_is_finished(networks):
    """The signal goes to the whole group, as from a terminal."""
    command = [sys.executable, "-c", "import sys; from backsight.cli.main import main; sys.exit(main())", *ASKED]
    asked = ["--models", "ridge,dense(units=3)", "--seeds", "400", "--backend", "processes", "--workers", "1"]
    folder = networks / "run"
    running = subprocess.Popen(
        [*command, *asked, "--out", str(folder)], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 90
    while not finished(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err.decode()[-2000:]
    assert b"Stopped by Ctrl-C" in out
    assert b"Traceback" not in err
    assert finished(folder)


def finished(folder: Path):
    return [r for r in read_records(folder / "ledger.jsonl") if r["what"] == "finished"] if folder.exists() else []


def test_an_address_without_a_cluster_is_refused(capsys):
    with pytest.raises(SettingError, match="have a cluster"):
        Backend("processes", "tcp://127.0.0.1:8786")
    assert main([*ASKED, "--models", "ridge", "--cluster", "127.0.0.1:1"]) == 2
    assert "Only dask and ray" in capsys.readouterr().err
