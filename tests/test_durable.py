"""Files that are whole or not there, and one worker at a time; for what goes wrong on the way see `test_faults`."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock

from backsight.errors import SettingError
from backsight.report.files import write_files, write_json
from backsight.runs import locks
from backsight.runs.durable import UNFINISHED, make_folder, remove_durably, sweep, write_durably, write_whole
from backsight.runs.locks import WORKER, in_turn, work_in


@pytest.mark.parametrize("write", [write_durably, write_whole])
def test_a_file_is_replaced_and_nothing_left(write, tmp_path):
    path = tmp_path / ("x" * 250)  # no room for a longer name beside it
    for data in (b"", b"first", bytes(range(256)) * 1000):
        write(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_durably, write_whole])
def test_who_may_read_a_file_is_up_to_the_user(write, tmp_path):
    write(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("write", [write_durably, write_whole])
def test_what_cannot_be_written(write, tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("old")
    with pytest.raises(SettingError, match=r"missing/a can't be written: No such file or directory\.$"):
        write(tmp_path / "missing" / "a", b"")
    with pytest.raises(SettingError, match="file/a can't be written: Not a directory"):
        write(tmp_path / "file" / "a", b"")
    with pytest.raises(SettingError, match="folder can't be written: Is a directory"):
        write(tmp_path / "folder", b"")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder", "kept"]


def test_what_holds_no_bytes_leaves_nothing_unfinished(tmp_path):
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_durably(tmp_path / "link", b"new")
    assert (tmp_path / "file").read_text() == "old"
    assert not (tmp_path / "link").is_symlink()


def test_folders(tmp_path, monkeypatch):
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    monkeypatch.chdir(tmp_path)
    make_folder(Path("relative") / ".." / "d")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "c", "d", "relative"]
    (tmp_path / "file").write_text("")
    (tmp_path / "nowhere").symlink_to("nothing")
    for path in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "nowhere"):
        with pytest.raises(SettingError, match="can't be made"):
            make_folder(path)


def test_removing(tmp_path):
    (tmp_path / "file").write_text("")
    remove_durably(tmp_path / "file")
    remove_durably(tmp_path / "file")
    assert not list(tmp_path.iterdir())
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingError, match="folder can't be removed"):
        remove_durably(tmp_path / "folder")


def test_what_killed_processes_left_is_swept(tmp_path):
    for name in (f"{UNFINISHED}1", f"below/{UNFINISHED}2", f"{UNFINISHED}3/deep/file", "kept", "below/kept"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    (outside / f"{UNFINISHED}4").write_text("not ours")
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / f"{UNFINISHED}5").symlink_to(outside)
    sweep(tmp_path)
    # What lies below may be a run of somebody else's, who is writing that very file.
    assert sorted(p.name for p in tmp_path.rglob("*")) == [f"{UNFINISHED}2", "below", "kept", "kept", "link"]
    with work_in(tmp_path, "below", "link", "missing"):
        assert not (tmp_path / "below" / f"{UNFINISHED}2").exists()
    assert (outside / f"{UNFINISHED}4").exists()


def test_results_are_all_written_or_none(tmp_path):
    (tmp_path / "b").write_text("old")

    def fail(path):
        raise ZeroDivisionError

    def no_file(path):
        pass

    with pytest.raises(ZeroDivisionError):
        write_files(tmp_path, {"b": lambda p: p.write_text("new"), "a": fail})
    with pytest.raises(SettingError, match="No such file"):
        write_files(tmp_path, {"b": lambda p: p.write_text("new"), "a": no_file})
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("b", "old")]
    write_json(tmp_path / "b", {"a": 1})
    assert (tmp_path / "b").read_text() == '{\n "a": 1\n}\n'


# One worker at a time


def hold(folder: Path) -> subprocess.Popen[bytes]:
    """Another process that works in a folder."""
    program = [sys.executable, str(Path(__file__).with_name("holder.py")), str(folder)]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_killed_worker_makes_room(tmp_path):
    with hold(tmp_path) as process:
        try:
            with pytest.raises(
                SettingError, match=rf"by process {process.pid} on \S+ since .*; wait for it, or stop it"
            ):
                work_in(tmp_path).__enter__()
            assert (tmp_path / f"{UNFINISHED}0").exists(), "only the owner sweeps"
        finally:
            process.send_signal(signal.SIGKILL)
    with work_in(tmp_path):
        assert not (tmp_path / f"{UNFINISHED}0").exists()
    with work_in(tmp_path):
        pass


def test_a_worker_that_ends_makes_room(tmp_path):
    with hold(tmp_path) as process:
        process.communicate()
    with work_in(tmp_path):
        pass


def test_threads_of_one_process_are_told_too(tmp_path):
    told = []

    def work():
        try:
            with work_in(tmp_path):
                told.append("works")
        except SettingError as error:
            told.append(str(error))

    with work_in(tmp_path):
        thread = Thread(target=work)
        thread.start()
        thread.join()
    assert f"by process {os.getpid()} on" in told[0]


@pytest.mark.parametrize("note", ["", "[]", "{}", "\udcff", "[" * 100_000])
def test_a_note_that_says_nothing(note, tmp_path):
    with work_in(tmp_path):
        (tmp_path / WORKER).write_bytes(note.encode(errors="surrogateescape"))
        with pytest.raises(SettingError, match="is being worked on by another process;"):
            work_in(tmp_path).__enter__()


def test_where_nobody_can_work(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(SettingError, match="There is no folder"):
            work_in(path).__enter__()
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    (tmp_path / locks.LOCK).mkdir()
    with pytest.raises(SettingError, match="can't be locked"):
        work_in(tmp_path).__enter__()


def test_locks_are_released_in_time(tmp_path, monkeypatch):
    """Not when somebody collects the garbage."""
    made = []

    def kept(*arguments, **options):
        made.append(FileLock(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(locks, "FileLock", kept)
    with in_turn(tmp_path / "file"), work_in(tmp_path):
        assert [lock.is_locked for lock in made] == [True, True]
    with pytest.raises(ZeroDivisionError), work_in(tmp_path):
        raise ZeroDivisionError
    assert [lock.is_locked for lock in made] == [False, False, False]


def test_patience_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0)
    with in_turn(tmp_path / "ledger.jsonl"), pytest.raises(SettingError, match="Is one stopped"):
        in_turn(tmp_path / "ledger.jsonl").__enter__()
