"""Whatever goes wrong on the way, nothing acknowledged is lost, nothing is doubled, and nothing is half.

A life is what a worker does in a run's folder, from whatever is there to the end. Each call of it that changes
something on the disk goes wrong in each way that it can (`faulty_disk`); after that the folder is looked through, and
a second life goes on. It must end in the bytes of a life that nothing disturbed.
"""

import ast
import inspect
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from backsight.errors import SettingError
from backsight.report.files import write_files
from backsight.runs import durable, ledger
from backsight.runs.durable import (
    UNFINISHED,
    make_folder,
    remove_durably,
    write_all,
    write_durably,
    write_whole,
)
from backsight.runs.ledger import append_record, append_records, read_records, settle
from backsight.runs.locks import work_in
from faulty_disk import FAILURES, KILLS, KINDS, POWER_CUTS, ROOM, FaultyDisk, Killed, goes_wrong

#: Every module that writes into a run's folder: their `os` is the disk that fails.
WRITERS = (durable, ledger)

PIECES, EPOCHS = ("lstm_3", "gru_3", "ridge_3"), 3
RUN = b'{"models": ["lstm", "gru"]}\n'
RESULTS = {"leaderboard.csv": b"entry,rmse\n" * 9, "report.txt": b"lstm_3 is as good as anything.\n"}
LEDGER = "ledger.jsonl"

#: When all is done, the power may still be cut.
END = "end"

Note = Callable[[str], object]


class Broken(AssertionError):
    """A promise was broken."""


def promise(kept: bool, what: str) -> None:
    if not kept:
        raise Broken(what)


# Lives. Each is given the folder, and a function that notes what is acknowledged.


def run_life(folder: Path, note: Note) -> None:
    """A comparison: every piece is fitted with a checkpoint an epoch, kept, and only then said to be done."""
    make_folder(folder / "pieces")
    with work_in(folder, "pieces"):
        begin(folder)
        done = found(folder, note)
        for piece in PIECES:
            checkpoint = folder / f"{piece}.checkpoint"
            if piece not in done:
                finish(folder, piece, fit(piece, checkpoint))
                note(piece)
            remove_durably(checkpoint)
        if "report" not in done:
            write_files(folder, {name: lambda path, data=data: save(path, data) for name, data in RESULTS.items()})
            append_record(folder / LEDGER, {"piece": "report"})
            note("report")


def batches_life(folder: Path, note: Note) -> None:
    """Records that come several at once, and are longer than the blocks of a disk."""
    make_folder(folder)
    with work_in(folder):
        begin(folder)
        done = found(folder, note)
        for batch in range(4):
            names = [f"{batch}.{seed}" for seed in range(3)]
            left = [name for name in names if name not in done]
            append_records(folder / LEDGER, [{"piece": name, "notes": name * 2000} for name in left])
            for name in left:
                note(name)


def begin(folder: Path) -> None:
    path = folder / "run.json"
    if not path.exists():
        write_durably(path, RUN)
    promise(path.read_bytes() == RUN, "run.json is not what was written")


def found(folder: Path, note: Note) -> set[str]:
    done = {record["piece"] for record in settle(folder / LEDGER)}
    for piece in done:  # it is built upon from now on
        note(piece)
    return done


def finish(folder: Path, piece: str, weights: bytes) -> None:
    done = {"piece": piece, "sha256": sha256(weights).hexdigest()}
    write_durably(folder / "pieces" / piece, weights)
    append_record(folder / LEDGER, done)


def fit(piece: str, checkpoint: Path) -> bytes:
    weights, first = read_checkpoint(checkpoint.read_bytes() if checkpoint.exists() else b"")
    for epoch in range(first, EPOCHS):
        weights = trained(piece, weights)
        body = bytes([epoch + 1]) + weights
        write_whole(checkpoint, sha256(body).digest() + body)
    return weights


def read_checkpoint(data: bytes) -> tuple[bytes, int]:
    """Weights and epochs of a checkpoint; those to begin with of one that is not whole."""
    return (data[33:], data[32]) if data[:32] == sha256(data[32:]).digest() else (b"", 0)


def trained(piece: str, weights: bytes) -> bytes:
    return sha256(piece.encode() + weights).digest() * 50


def save(path: Path, data: bytes) -> None:
    """Write results as a library would, onto the disk that fails."""
    handle = durable.os.open(path, durable.os.O_WRONLY | durable.os.O_CREAT, 0o666)
    try:
        write_all(handle, data)
    finally:
        durable.os.close(handle)


LIVES = (run_life, batches_life)


@dataclass(frozen=True)
class Fault:
    """The call number `at` of a life goes wrong."""

    at: int
    call: str
    kind: str


def look_through(folder: Path, noted: set[str], fault: Fault | None) -> None:
    """Hold the writers to their promises, after something went wrong."""
    records = read_records(folder / LEDGER)
    pieces = Counter(record["piece"] for record in records)
    promise(noted <= set(pieces), f"acknowledged and lost: {noted - set(pieces)}")
    promise(set(pieces.values()) <= {1}, f"doubled: {pieces}")
    files = files_of(folder)
    promise(not noted or "run.json" in files, "run.json is lost")
    promise("report" not in pieces or set(RESULTS) <= set(files), "results are lost")
    for record in records:
        there = "sha256" not in record or f"pieces/{record['piece']}" in files
        promise(there, f"{record['piece']} is said to be done, and not there")
    for name, data in files.items():
        promise(UNFINISHED in name or is_whole(name, data, fault), f"{name} is half there")


def left_behind(folder: Path) -> set[str]:
    """What is there and counts for nothing unless somebody goes on, and records."""
    unfinished = {name for name in files_of(folder) if UNFINISHED in name}
    return unfinished | {record["piece"] for record in read_records(folder / LEDGER)}


def is_whole(name: str, data: bytes, fault: Fault | None) -> bool:
    if name.startswith("pieces/"):
        weights = b""
        for _ in range(EPOCHS):
            weights = trained(name.removeprefix("pieces/"), weights)
        return data == weights
    if name.endswith(".checkpoint"):  # may be lost with the power; whoever reads it can tell
        return read_checkpoint(data)[1] > 0 or (fault is not None and fault.kind in POWER_CUTS)
    return data == {"run.json": RUN, **RESULTS}.get(name, data)


def files_of(folder: Path) -> dict[str, bytes]:
    """What a run consists of: all but locks, and the note of who holds one."""
    found = {}
    for above, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(".lock") and name != ".worker.json":
                with open(f"{above}/{name}", "rb") as file:  # noqa: PTH123 - ten thousands of them
                    found[f"{above}/{name}".removeprefix(f"{folder}/")] = file.read()
    return found


class Trial:
    """Lives in one folder, on one disk."""

    def __init__(self, life: Callable[[Path, Note], None], patch: pytest.MonkeyPatch, room: Path) -> None:
        self.life, self.folder = life, room / "runs" / "run"
        self.disk = FaultyDisk(room)
        self.noted: set[str] = set()
        for module in WRITERS:
            patch.setattr(module, "os", self.disk)

    def live(self, fault: Fault | None = None) -> list[str]:
        """One life; the calls that it made of the disk."""
        at, kind = (fault.at, fault.kind) if fault else (0, "")
        # Whoever meets a failure and lives on takes back what he began, unless it is the taking back that fails.
        tidy = fault is not None and kind in {"disk full", "I/O error"} and fault.call not in {"unlink", "rmdir"}
        known = left_behind(self.folder) if tidy else set()
        self.disk.expect(at, kind)
        try:
            self.life(self.folder, self.noted.add)
        except (Killed, SettingError) as error:
            promise(fault is not None, f"an undisturbed life failed: {error}")
        promise(fault is None or fault.call in (self.disk.failed, END), "nothing went wrong")
        if kind in POWER_CUTS:
            self.disk.cut_power(seed=at)
        promise(self.folder.exists() or not self.noted, "the run is lost")
        look_through(self.folder, self.noted, fault)
        promise(
            not tidy or left_behind(self.folder) <= known | self.noted, "not acknowledged, or unfinished, and there"
        )
        return self.disk.calls


def campaign(
    life: Callable[[Path, Note], None], faults: Iterable[tuple[Fault, ...]], patch: pytest.MonkeyPatch
) -> Counter[str]:
    """Lives that are disturbed by these faults, one life after another, and then go on; how many of each kind.

    Raises:
        Broken: a promise was, and by what.
    """
    with TemporaryDirectory(dir=ROOM) as room:
        undisturbed = Trial(life, patch, Path(room))
        undisturbed.live()
        expected = files_of(undisturbed.folder)
    tried: Counter[str] = Counter()
    for several in faults:
        try:
            with TemporaryDirectory(dir=ROOM) as room:
                trial = Trial(life, patch, Path(room))
                for fault in several:
                    trial.live(fault)
                trial.live()
                promise(files_of(trial.folder) == expected, "it does not end as if nothing had been")
        except Exception as error:
            raise Broken(f"{life.__name__}, {several}: {error}. Tried before: {dict(tried)}") from error
        tried.update(fault.kind for fault in several)
    return tried


def calls_of(life: Callable[[Path, Note], None], patch: pytest.MonkeyPatch, *before: Fault) -> list[str]:
    """The calls that a life makes of the disk, after others that were disturbed."""
    with TemporaryDirectory(dir=ROOM) as room:
        trial = Trial(life, patch, Path(room))
        for fault in before:
            trial.live(fault)
        return trial.live()


def faults_of(calls: Sequence[str], kinds: Iterable[str] = KINDS) -> list[Fault]:
    """Everything that can go wrong in these calls, and after them."""
    return [
        Fault(at, call, kind)
        for at, call in enumerate([*calls, END], 1)
        for kind in kinds
        if (kind in POWER_CUTS if call == END else goes_wrong(call, kind))
    ]


def last(calls: list[str], call: str, kind: str) -> Fault:
    return Fault(len(calls) - calls[::-1].index(call), call, kind)


def torn_record(calls: list[str]) -> Fault:
    """What leaves half a record in the ledger."""
    return last(calls, "write", "short write, then killed")


def written_record(calls: list[str]) -> Fault:
    """What leaves a record that is whole, and not flushed."""
    return last(calls, "write", "killed after")


def lost_stage(calls: list[str]) -> Fault:
    """What leaves results that were not put in place."""
    return last(calls, "replace", "killed before")


#: Lives, and what disturbed an earlier one.
HISTORIES = [
    (run_life, None),
    (batches_life, None),
    (run_life, torn_record),
    (batches_life, torn_record),
    (run_life, lost_stage),
]


def all_faults(life, before, patch, kinds: Iterable[str] = KINDS) -> list[tuple[Fault, ...]]:
    """Whatever can go wrong in a life, each with what disturbed the one before it."""
    first = (before(calls_of(life, patch)),) if before else ()
    return [(*first, fault) for fault in faults_of(calls_of(life, patch, *first), kinds)]


@pytest.mark.parametrize("kinds", [KILLS, FAILURES, POWER_CUTS], ids=["killed", "failed", "power cut"])
@pytest.mark.parametrize(("life", "before"), HISTORIES)
def test_every_call_may_go_wrong(life, before, kinds, monkeypatch):
    faults = all_faults(life, before, monkeypatch, kinds)
    tried = campaign(life, faults, monkeypatch)
    assert sum(tried.values()) == sum(map(len, faults))


def test_that_is_often_enough(monkeypatch):
    kinds = Counter(
        (fault.call, fault.kind) for life, before in HISTORIES for *_, fault in all_faults(life, before, monkeypatch)
    )
    calls = {"open", "write", "fsync", "ftruncate", "replace", "unlink", "rmdir", "mkdir", END}
    assert {call for call, _ in kinds} == calls
    assert {kind for _, kind in kinds} == set(KINDS)
    assert sum(kinds.values()) >= 2300, kinds
    assert sum(times for (_, kind), times in kinds.items() if kind not in POWER_CUTS) >= 1500, kinds


def test_things_go_wrong_twice(monkeypatch):
    """A kill leaves what is not flushed; what the next life builds on it must not be lost with the power."""
    rng = random.Random(0)
    firsts = faults_of(calls_of(run_life, monkeypatch), ("killed before", "killed after", "I/O error from here on"))
    faults = []
    for first in rng.sample(firsts, 60):
        after = faults_of(calls_of(run_life, monkeypatch, first))
        faults += [(first, second) for second in rng.sample(after, 3)]
    campaign(run_life, faults, monkeypatch)


#: Where a rule is broken, and by what in place of what; how things then go wrong, and the promise that is not kept.
PLANTED = {
    "renamed and not flushed": (durable, "_replace", {"if flushed:": "if False:"}, POWER_CUTS, "half there"),
    "written in its place": (
        durable,
        "_replace",
        {'path.parent / f"{UNFINISHED}{secrets.token_hex(8)}"': "path", "os.O_EXCL": "os.O_TRUNC"},
        KILLS,
        "half there",
    ),
    "a short write is taken for a whole one": (
        durable,
        "write_all",
        {"while rest:": "if rest:"},
        FAILURES,
        "not what was written|acknowledged and lost|half there",
    ),
    "a name not flushed": (durable, "write_durably", {"flush_folder(path.parent)": "pass"}, POWER_CUTS, "not there"),
    "a folder not flushed": (
        durable,
        "make_folder",
        {"            flush_folder(folder.parent)": ""},
        POWER_CUTS,
        "the run is lost",
    ),
    "results not flushed": (
        durable,
        "finished_together",
        {"_flush_file(stage / name)": "pass"},
        POWER_CUTS,
        "half there",
    ),
    "names of results not flushed": (
        durable,
        "finished_together",
        {"                flush_folder(parent)": "                pass"},
        POWER_CUTS,
        "results are lost",
    ),
    "a record not flushed": (ledger, "_append", {"os.fsync(handle)": "pass"}, POWER_CUTS, "acknowledged and lost"),
    "a ledger's name not flushed": (
        ledger,
        "_append",
        {"flush_folder(path.parent)": "pass"},
        POWER_CUTS,
        "acknowledged and lost",
    ),
    "a failed record not taken back": (
        ledger,
        "_append",
        {"_cut(handle, size)": "pass"},
        FAILURES,
        "not acknowledged, or unfinished, and there",
    ),
    "a torn line not cut off": (ledger, "_cut_torn", {"_cut(handle, size)": "pass"}, KILLS, "is damaged"),
    "what was found not flushed": (
        ledger,
        "settle",
        {"append_records(path, [])": "path.exists() or append_records(path, [])"},
        POWER_CUTS,
        "acknowledged and lost",
    ),
    "a record before its payload": (
        sys.modules[__name__],
        "finish",
        {
            "append_record(folder / LEDGER, done)": "",
            "    write_": "    append_record(folder / LEDGER, done)\n    write_",
        },
        KILLS,
        "said to be done",
    ),
}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_violation_is_seen(rule, monkeypatch):
    module, name, changes, kinds, broken = PLANTED[rule]
    source = inspect.getsource(getattr(module, name))
    for old, new in changes.items():
        assert source.count(old) == 1
        source = source.replace(old, new)
    rule_kept = getattr(module, name)
    users = [user for user in list(sys.modules.values()) if vars(user).get(name) is rule_kept]
    for user in users:
        monkeypatch.setattr(user, name, rule_kept)  # put back in the end
    exec(source, vars(module))
    for user in users:
        setattr(user, name, vars(module)[name])
    before = written_record if rule == "what was found not flushed" else None
    faults = all_faults(run_life, before, monkeypatch, kinds)
    random.Random(0).shuffle(faults)  # most are seen soon
    with pytest.raises(Broken, match=f"Fault.*: .*({broken}).* Tried before"):
        campaign(run_life, faults, monkeypatch)


def writes_past_os(source: str) -> list[str]:
    """Calls that change files in another way than by `os`."""
    ways = {"write_text", "write_bytes", "touch", "mkdir", "unlink", "rename", "rmdir", "chmod", "truncate", "open"}
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    return [
        ast.unparse(call)
        for call in calls
        if (isinstance(call.func, ast.Name) and call.func.id == "open")
        or (isinstance(call.func, ast.Attribute) and call.func.attr in ways and ast.unparse(call.func.value) != "os")
        or ast.unparse(call.func).endswith("path.replace")
    ]


@pytest.mark.parametrize("module", WRITERS)
def test_writers_write_by_what_can_fail_here(module):
    assert writes_past_os(inspect.getsource(module)) == []


@pytest.mark.parametrize("line", ["path.write_bytes(b'')", "open(path, 'w')", "path.replace(other)", "folder.mkdir()"])
def test_what_goes_past_is_seen(line):
    assert writes_past_os(line)


def test_all_of_this_loads_nothing_heavy():
    program = f"import sys, {__name__}; print(*{{'jax', 'keras', 'numpy', 'pandas'}} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
