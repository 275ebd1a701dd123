"""Compiled programs kept between processes, and what `backsight doctor` says of it."""

import json
import os
import subprocess
import sys
import time

import pytest

from backsight import program_cache
from backsight.cli.main import main
from backsight.program_cache import FOLDER_VARIABLE, WORKING, cache_folder, close_cache, entries, open_cache

COMPILE = """
from backsight.engine import keras_on_jax, program_folder
keras_on_jax()
import jax, jax.numpy as jnp
if {die}:
    import os, signal
    jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((3, 3)))
    os.kill(os.getpid(), signal.SIGKILL)
print(float(jax.jit(lambda x: (jnp.sin(x) @ x).sum())(jnp.ones((3, 3)))))
"""


def run(folder, die=False):
    environment = {**os.environ, FOLDER_VARIABLE: str(folder)}
    script = COMPILE.format(die=die)
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


def test_a_second_process_compiles_nothing(tmp_path):
    first = run(tmp_path)
    (folder,) = (tmp_path / "programs").iterdir()
    made = {e.name: e.stat().st_mtime_ns for e in entries(folder)}
    second = run(tmp_path)
    assert made
    assert {e.name: e.stat().st_mtime_ns for e in entries(folder)} == made
    assert (first.stdout, second.returncode, second.stderr) == (second.stdout, 0, "")
    assert not list(folder.glob(f"{WORKING}*")), "a working folder was left"


def test_a_killed_process_leaves_no_entry(tmp_path):
    assert run(tmp_path, die=True).returncode < 0
    (folder,) = (tmp_path / "programs").iterdir()
    assert not entries(folder)
    assert run(tmp_path).returncode == 0
    assert entries(folder)


def test_no_folder_where_the_user_wants_none(monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    assert cache_folder("1.0") is None


def test_versions_and_processors_have_their_own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    here = cache_folder("1.0")
    assert here != cache_folder("1.1")
    monkeypatch.setattr(program_cache, "_processor", lambda: "another")
    assert here != cache_folder("1.0")


def test_entries_go_both_ways(tmp_path):
    (tmp_path / "old-cache").write_bytes(b"1")
    one, other = open_cache(tmp_path), open_cache(tmp_path)
    assert {e.name for e in entries(one)} == {"old-cache"}
    (one / "new-cache").write_bytes(b"2")
    (other / "new-cache").write_bytes(b"2")
    for working in (one, other):
        close_cache(working, tmp_path)
    assert {e.name for e in entries(tmp_path)} == {"old-cache", "new-cache"}
    assert not one.exists()


def test_the_first_ones_go_when_it_is_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(program_cache, "MOST_ENTRIES", 2)
    working = open_cache(tmp_path)
    for age, name in enumerate(["c", "b", "a"]):
        (working / f"{name}-cache").write_bytes(b"0123456789")
        os.utime(working / f"{name}-cache", (time.time() - age, time.time() - age))
    close_cache(working, tmp_path)
    assert {e.name for e in entries(tmp_path)} == {"c-cache", "b-cache"}


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    left, young = tmp_path / f"{WORKING}left", tmp_path / f"{WORKING}young"
    left.mkdir()
    young.mkdir()
    os.utime(left, (0, 0))
    close_cache(open_cache(tmp_path), tmp_path)
    assert young.exists()
    assert not left.exists()


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    done = run(tmp_path / "file")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("json_too", [False, True])
def test_doctor(capsys, json_too):
    assert main(["doctor", *(["--json", "-"] if json_too else [])]) == 0
    printed = capsys.readouterr()
    if json_too:
        found = json.loads(printed.out)
        assert found["devices"]
        assert found["workers"] >= 1
        assert (found["kernels"] is None) == any("kernels are not in use" in advice for advice in found["advice"])
    else:
        assert "recurrent layers" in printed.out


def test_doctor_says_what_is_slow(capsys, monkeypatch):
    from backsight.recurrence import library

    monkeypatch.setattr(library, "kernels", lambda: library.load(None))
    assert main(["doctor"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "plain JAX, the slow path" in printed
    assert "Install a C++ compiler" in printed
