"""Runs that somebody moves, removes, links elsewhere, edits, or sends: one clear line, and nothing else is touched."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backsight.cli import main as program
from backsight.cli.main import main
from backsight.errors import SettingError
from backsight.runs import saved
from backsight.runs.checkpoints import FileCheckpoints, encode
from backsight.runs.compare import compare, examine
from backsight.runs.folder import JOURNAL, LEDGER, PIECES, SEARCH, UNFINISHED, open_run
from backsight.runs.forms import SourceForm
from backsight.runs.home import list_runs, new_run
from backsight.runs.ledger import append_record, read_records
from backsight.runs.openings import note_opening
from backsight.runs.progress import Silent
from backsight.runs.saved import STUDY_FILE
from backsight.runs.study import make_study
from backsight.series.source import Source
from backsight.training.checkpoint import Checkpoint
from backsight.training.plan import Plan
from conftest import make_toy

ASKED = ["--target", "y", "--models", "ridge", "--lookback", "2,3", "--seeds", "1", "--no-baselines"]

PIECE = {"entry": "ridge_2", "fold": 1, "seed": 0}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a file of data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKSIGHT_RUNS", "")
    series = make_toy()
    pd.DataFrame(series.values, series.times, list(series.columns)).to_csv("toy.csv", index_label="time")
    return tmp_path


def refused(capsys, *command):
    """What a command says that ends with an error."""
    capsys.readouterr()
    assert main([str(part) for part in command]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    return err


def begun(folder="run", *more):
    assert main(["compare", "toy.csv", *ASKED, "--out", str(folder), *more]) == 0
    return Path(folder)


def edit(path, **changes):
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, **changes}))


# ---- the data


def test_a_run_goes_on_from_another_folder(here, monkeypatch):
    begun()
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert main(["resume", "../run"]) == 0


def test_data_that_moved_is_asked_for_and_its_new_place_is_kept(here, capsys):
    run = begun()
    shutil.move("toy.csv", "moved data.csv")
    assert "say where it is now: backsight resume run --data FILE" in refused(capsys, "resume", run)
    assert "is not there" in refused(capsys, "resume", run, "--data", here), "a folder"
    assert main(["resume", str(run), "--data", "moved data.csv"]) == 0
    assert main(["resume", str(run)]) == 0
    assert json.loads((run / STUDY_FILE).read_text())["source"]["data"] == str(here / "moved data.csv")
    other = make_toy(seed=1)
    pd.DataFrame(other.values, other.times, list(other.columns)).to_csv("other.csv", index_label="time")
    assert "columns y was" in refused(capsys, "resume", run, "--data", "other.csv")


def test_a_run_of_python_goes_on_when_it_is_told_of_the_data(here, capsys):
    compare(Source("toy.csv").load(), "y", models="ridge", lookback=[2, 3], seeds=1, baselines=False, out="run")
    assert "it was made in Python" in refused(capsys, "resume", "run")
    assert main(["resume", "run", "--data", "toy.csv"]) == 0


def test_a_pipe_is_not_waited_for(here, capsys):
    run = begun()
    Path("toy.csv").unlink()
    os.mkfifo("toy.csv")
    assert "is not there" in refused(capsys, "resume", run)


def test_every_part_of_a_source_is_in_its_form():
    assert list(SourceForm.model_fields) == list(Source.__dataclass_fields__)


# ---- other libraries


def test_other_versions_are_refused_and_named(here, capsys, monkeypatch):
    run = begun()
    monkeypatch.setattr(saved, "version", lambda name: "9.9.9" if name == "jax" else "1")
    told = refused(capsys, "resume", run)
    assert "begun with other versions" in told
    assert ", now 9.9.9" in told
    assert "Install the versions that it was begun with" in told


# ---- what is in the folder


@pytest.mark.parametrize("name", [PIECES, UNFINISHED])
def test_a_link_in_a_run_is_not_written_through(here, capsys, name):
    run = begun()
    (here / "precious").mkdir()
    shutil.rmtree(run / name)
    (run / name).symlink_to(here / "precious")
    assert f"{name} is a link" in refused(capsys, "resume", run)
    assert not list((here / "precious").iterdir())


@pytest.mark.parametrize("name", [LEDGER, f"{LEDGER}.lock", ".worker.lock"])
def test_a_link_in_place_of_a_file_leaves_what_it_leads_to(here, capsys, name):
    run = begun()
    (here / "precious").write_text("mine")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(here / "precious")
    refused(capsys, "resume", run)
    assert (here / "precious").read_text() == "mine"


def test_folders_that_were_there_before_stay(here, capsys):
    """A run that comes to nothing removes what it has made, and no folder of somebody else's of the same name."""
    (here / "mine" / PIECES).mkdir(parents=True)
    (here / "mine" / PIECES / "of music").write_text("precious")
    (here / "failing.py").write_text("def fails(shape):\n    raise KeyError\n")
    asked = [*ASKED[:3], "failing:fails", *ASKED[4:]]
    assert "raised KeyError" in refused(capsys, "compare", "toy.csv", *asked, "--out", "mine")
    assert [str(p.relative_to(here / "mine")) for p in (here / "mine").rglob("*")] == [PIECES, f"{PIECES}/of music"]


def test_a_piece_that_is_gone_is_named(here, capsys):
    run = begun()
    gone = next((run / PIECES).iterdir())
    gone.unlink()
    told = refused(capsys, "resume", run)
    assert gone.name in told
    assert "can't be read: No such file" in told


@pytest.mark.parametrize(
    "record",
    [
        {
            "what": "finished",
            "entry": "ridge_2",
            "fold": 1,
            "seed": 0,
            "file": "../../toy.csv",
            "sha256": "",
            "seconds": 1,
        },
        {"what": "finished", "entry": "ridge_2"},
        {"what": "lost", **PIECE, "attempts": 4, "why": []},
        {"what": "opened", "openings": {"times": 1}},
        {"what": "danced"},
        {},
    ],
)
def test_a_ledger_of_something_else_is_refused(here, capsys, record):
    run = begun()
    append_record(run / LEDGER, record)
    assert "something else than a run's notes in line 5" in refused(capsys, "resume", run)
    assert main(["runs", "list", "--home", str(here)]) == 0
    assert "can't be read" in capsys.readouterr().out


def test_a_run_that_is_removed_while_it_works_ends(here, capsys, monkeypatch):
    class Removes(Silent):
        def finished(self, job, seed):
            shutil.rmtree("run", ignore_errors=True)

    study = make_study(make_toy(), "y", models="ridge", lookback=[2, 3, 4], baselines=False)
    with pytest.raises(SettingError, match="run"), open_run(Path("run"), "compare", study, None) as run:
        examine(study, 1, Removes(), run)
    assert not Path("run").exists()


def test_a_run_that_is_worked_on_is_not_removed(here, capsys):
    run = begun()
    study = make_study(Source("toy.csv").load(), "y", models="ridge", lookback=[2, 3], seeds=1, baselines=False)
    with open_run(run, "compare", study, None):
        assert "is being worked on by process" in refused(capsys, "runs", "remove", run)
    assert main(["runs", "remove", str(run)]) == 0
    assert main(["runs", "restore", str(run)]) == 0


def test_names_of_functions_are_no_paths(here):
    """Nor are they too long for a file system, nor do two of them share a file."""
    from keras import Input, Sequential, layers

    def network(shape):
        return Sequential([Input(shape), layers.Flatten(), layers.Dense(1)])

    def named(name):
        def build(shape):
            return network(shape)

        build.__name__ = name
        return build

    names = ["../../x", "x" * 300, "x" * 299 + "y", "\x00\n", "...", ""]
    asked = {"lookback": [2], "seeds": 1, "baselines": False, "plan": Plan(epochs=1)}
    found = compare(make_toy(), "y", models=[named(name) for name in names], out="run", **asked)
    assert len(found.fitted) == len(names)
    assert len(list((here / "run" / PIECES).iterdir())) == len(names)
    assert sorted(p.name for p in here.iterdir()) == ["run", "toy.csv"]


# ---- checkpoints


def checkpoint(**changes):
    state = (np.zeros((2, 3), np.float32),)
    return Checkpoint(**{"seeds": (0,), "losses": (((1.0, 2.0),),), "state": state, "kept": state, **changes})


def test_a_checkpoint_that_is_not_one_is_none(tmp_path):
    """Whatever it holds, under a right checksum: the training begins anew."""
    from hashlib import sha256

    from safetensors.numpy import save

    kept = FileCheckpoints(tmp_path / "checkpoint")
    whole = encode(checkpoint())
    arrays = {"state.0": np.zeros(2, np.float32)}
    beside = ["", "[]", "{}", "[" * 100_000, '{"seeds": [0], "losses": [], "x": 1}', '{"seeds": [0], "losses": []}']
    beside += ['{"seeds": [0], "losses": [[[1, -2]]]}', '{"seeds": "a", "losses": [[[1, 2]]]}']
    hostile = [b"", b"{", *(save(arrays, {"checkpoint": text}) for text in beside), save(arrays, {"other": "{}"})]
    hostile += [save({}, {"checkpoint": '{"seeds": [0], "losses": [[[1, 2]]]}'})]
    hostile += [save({"state.x": arrays["state.0"]}, {"checkpoint": '{"seeds": [0], "losses": [[[1, 2]]]}'})]
    for data in [*(whole[:n] for n in range(0, len(whole), 7)), *(sha256(h).digest() + h for h in hostile)]:
        kept.path.write_bytes(data)
        assert kept.load([0]) is None
    kept.path.write_bytes(whole)
    assert kept.load([0]).epoch == 1
    assert kept.load([1]) is None, "of other seeds"
    kept.path.unlink()
    kept.path.mkdir()
    assert kept.load([0]) is None


def test_a_training_that_diverged_goes_on_too(tmp_path):
    kept = FileCheckpoints(tmp_path / "checkpoint")
    kept.save(checkpoint(losses=(((1.0, float("nan")), (float("inf"), float("nan"))),)))
    assert kept.load([0]).epoch == 2


# ---- searches


def test_a_search_runs_no_code_that_nobody_asked_for(here, capsys):
    asked = ["--target", "y", "--models", "ridge", "--lookback", "2,3", "--trials", "3", "--folds", "1", "--seeds", "1"]
    assert main(["tune", "toy.csv", *asked, "--out", "search"]) == 0
    (here / "trap_of_a_search.py").write_text("raise SystemExit\n")
    record = json.loads(Path("search", SEARCH).read_text())
    record["asked"]["models"] = ["trap_of_a_search:go"]
    Path("search", SEARCH).write_text(json.dumps(record))
    assert "is a function of yours" in refused(capsys, "resume", "search")
    assert "trap_of_a_search" not in sys.modules


def test_a_search_that_was_killed_is_listed_and_its_lock_is_not_waited_for(here, capsys):
    asked = ["--target", "y", "--models", "ridge", "--lookback", "2,3", "--trials", "3", "--folds", "1", "--seeds", "1"]
    assert main(["tune", "toy.csv", *asked, "--out", "search"]) == 0
    for gone in (STUDY_FILE, LEDGER):
        Path("search", gone).unlink()
    Path("search", f"{JOURNAL}.lock").touch()
    capsys.readouterr()
    assert main(["runs", "list", "--home", "."]) == 0
    assert "searching" in capsys.readouterr().out
    began = time.monotonic()
    assert main(["resume", "search"]) == 0
    assert time.monotonic() - began < 25, "Optuna waits for half a minute"
    journal = Path("search", JOURNAL)
    shutil.move(journal, "journal")
    journal.symlink_to(here / "journal")
    assert "is a link" in refused(capsys, "resume", "search")


# ---- the home of runs


def test_a_damaged_run_hides_no_other(here, capsys):
    begun("good")
    begun("bad")
    (here / "bad" / STUDY_FILE).write_text("{")
    capsys.readouterr()
    assert main(["runs", "list", "--home", "."]) == 0
    out = capsys.readouterr().out
    assert "done" in out
    assert "bad/run.json can't be read" in out.replace("\n", " ")


def test_names_are_shown_as_they_are(here, capsys):
    """What looks like markup, and what would move the cursor of a terminal."""
    begun("[b]")
    data = json.loads(Path("[b]", STUDY_FILE).read_text())["data"]
    edit(Path("[b]", STUDY_FILE), data={**data, "name": "[red]\x1b[2J"})
    capsys.readouterr()
    assert main(["runs", "list", "--home", "."]) == 0
    out = capsys.readouterr().out
    assert "[b]" in out
    assert "[red]" in out
    assert "\x1b[2J" not in out
    assert main(["runs", "compare", "[b]", "[b]"]) == 0


def test_a_day_may_have_more_than_999_runs(here, monkeypatch):
    monkeypatch.setenv("BACKSIGHT_RUNS", "home")
    first = new_run("compare", "toy")
    day = first.name[:10]
    for number in (999, 10_000):
        (here / "home" / f"{day}-{number}-compare-toy").mkdir()
        for after in (1, 2):
            assert new_run("compare", "toy").name == f"{day}-{number + after}-compare-toy"


def test_a_home_that_is_none(here, capsys, monkeypatch):
    monkeypatch.setenv("BACKSIGHT_RUNS", "toy.csv")
    assert "toy.csv can't be made" in refused(capsys, "compare", "toy.csv", *ASKED)
    assert "no folder toy.csv with runs" in refused(capsys, "runs")
    monkeypatch.setenv("BACKSIGHT_RUNS", "new/home")
    assert "no setting" in refused(capsys, "compare", "toy.csv", *ASKED, "--models", "ridge(x=1)")
    assert main(["compare", "toy.csv", *ASKED]) == 0
    (name,) = [run.path.name for run in list_runs(Path("new/home"))]
    assert main(["resume", name]) == 0, "by its name"


def test_a_run_that_comes_to_nothing_leaves_its_home_empty(here, capsys, monkeypatch):
    monkeypatch.setenv("BACKSIGHT_RUNS", "home")
    (here / "failing.py").write_text("def fails(shape):\n    raise KeyError\n")
    refused(capsys, "compare", "toy.csv", *ASKED[:3], "failing:fails", *ASKED[4:])
    assert not list((here / "home").iterdir())


@pytest.mark.parametrize("place", ["toy.csv", "toy.csv/state"])
def test_openings_that_can_not_be_noted_stop_nobody(here, monkeypatch, place):
    monkeypatch.setenv("BACKSIGHT_STATE", place)
    assert note_opening(make_study(make_toy(), "y", models="ridge", lookback=[2])) is None


def test_openings_that_somebody_has_damaged_count_for_nothing(here, monkeypatch):
    monkeypatch.setenv("BACKSIGHT_STATE", "state")
    study = make_study(make_toy(), "y", models="ridge", lookback=[2])
    assert note_opening(study).times == 1
    noted = Path("state", "openings.jsonl")
    exam = json.loads(noted.read_text())["exam"]
    noted.write_text(noted.read_text() + "[" * 100_000 + f'\n{{"exam": "{exam}", "study": []}}\n\x00\n')
    assert note_opening(study).times == 2


# ---- Ctrl-C


def test_ctrl_c_that_nobody_waits_for_ends_at_once(here, capsys, monkeypatch):
    """A second Ctrl-C, or one outside the fits: threads are not waited for."""

    def press(*_, **__):
        raise KeyboardInterrupt

    class Ended(BaseException):
        pass

    def end(code):
        raise Ended(code)

    monkeypatch.setattr(Source, "read", press)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(Ended) as ended:
        main(["compare", "toy.csv", *ASKED])
    assert ended.value.args == (130,)
    assert "Stopped at once" in capsys.readouterr().err


def test_ctrl_c_that_meets_a_callback_is_not_lost():
    """Python says "exception ignored" of what is raised there, and goes on."""
    script = (
        "import gc, os, signal, sys, threading\n"
        "from backsight.cli import main\n"
        "sys.unraisablehook = main._press_again\n"
        "def press(phase, info):\n"
        "    gc.callbacks.remove(press)\n"
        "    raise KeyboardInterrupt\n"
        "gc.callbacks.append(press)\n"
        "gc.collect()\n"
        "threading.Event().wait(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False)
    assert "KeyboardInterrupt" in done.stderr
    assert "ignored" not in done.stderr
    assert done.returncode != 0


def test_too_little_memory_is_said_in_one_line(here, capsys, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Source, "read", full)
    assert "not enough memory" in refused(capsys, "compare", "toy.csv", *ASKED)
    assert program.LONGEST_MESSAGE > 0


def test_records_are_as_many_as_they_were(here):
    """A run that has ended and is asked for again notes that it has ended, and nothing else."""
    run = begun()
    before = [r["what"] for r in read_records(run / LEDGER)]
    assert main(["resume", str(run)]) == 0
    assert [r["what"] for r in read_records(run / LEDGER)] == [*before, "ended"]
