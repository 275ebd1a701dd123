"""The ledger and its locks: what is acknowledged is read, once, and anything else is refused."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight.errors import SettingError
from backsight.runs import ledger as ledger_module
from backsight.runs.ledger import append_record, append_records, read_records, settle
from faulty_disk import ROOM

RECORDS = [
    {"piece": "lstm_3", "seed": 0, "rmse": 3.28125},
    {"piece": "Sonnenstunden \N{GREEK SMALL LETTER MU}\n\x00\ud800", "none": None, "all": [True, {"a": {}}]},
    {},
]


def line(text: str) -> bytes:
    """A line with a right checksum, whatever its text."""
    data = text.encode()
    return sha256(data).hexdigest()[:16].encode() + b" " + data + b"\n"


@pytest.fixture
def ledger():
    with TemporaryDirectory(dir=ROOM) as folder:
        path = Path(folder, "ledger.jsonl")
        append_records(path, RECORDS)
        yield path


def test_records_are_read_as_they_were_given(ledger):
    assert read_records(ledger) == settle(ledger) == RECORDS
    append_record(ledger, RECORDS[0])
    assert read_records(ledger) == [*RECORDS, RECORDS[0]], "the same one twice is the caller's business"


def test_the_format_does_not_change(ledger):
    """Ledgers of this version are read for ever."""
    assert ledger.read_bytes().startswith(b'a7c20d7955f9f4ed {"piece":"lstm_3","seed":0,"rmse":3.28125}\n')
    assert ledger.read_bytes() == b"".join(line(json.dumps(r, separators=(",", ":"))) for r in RECORDS)


def test_no_ledger_and_an_empty_one_hold_nothing(tmp_path):
    assert read_records(tmp_path / "ledger.jsonl") == []
    assert not list(tmp_path.iterdir()), "reading makes nothing"
    assert settle(tmp_path / "ledger.jsonl") == []
    assert read_records(tmp_path / "ledger.jsonl") == []


@pytest.mark.parametrize("last", [4095, 4096, 4097, 300_000])
def test_long_lines(ledger, last):
    """The end of the file is read in blocks."""
    append_record(ledger, {"notes": "x" * last})
    append_record(ledger, {"after": last})
    with ledger.open("ab") as file:
        file.write(b"y" * last)
    append_record(ledger, {"cut": True})
    assert read_records(ledger) == [*RECORDS, {"notes": "x" * last}, {"after": last}, {"cut": True}]


def test_every_truncation_leaves_the_records_before_it(ledger):
    whole = ledger.read_bytes()
    for length in range(len(whole)):
        ledger.write_bytes(whole[:length])
        left = RECORDS[: whole[:length].count(b"\n")]
        assert read_records(ledger) == left
        append_record(ledger, {"on": length})
        assert read_records(ledger) == [*left, {"on": length}]


def test_every_flipped_bit_is_seen(ledger):
    whole = ledger.read_bytes()
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        ledger.write_bytes(flipped)
        with pytest.raises(SettingError, match=r"ledger.jsonl is damaged in line \d"):
            read_records(ledger)


@pytest.mark.parametrize(
    "torn",
    [
        b"\0",
        b"\0" * 5000,
        line('{"seed":1}')[:-1],
        line('{"seed":1}')[:-1] + b"\0",
        line('{"seed":1}')[:20] + b"\0" * 4000,
        b"\0" * 30 + line('{"seed":1}')[20:],
        line('{"notes":"' + "x" * 9000 + '"}')[:4000] + b"\0" * 4096 + b"x" * 900 + b'"}\n',
        b"\0" * 30 + b'"}\nabc',
        b"\xff\xfe",
    ],
)
def test_what_kills_and_power_cuts_leave_is_passed_over(ledger, torn):
    whole = ledger.read_bytes()
    ledger.write_bytes(whole + torn)
    assert read_records(ledger) == RECORDS
    append_record(ledger, {"after": 1})
    assert ledger.read_bytes() == whole + line('{"after":1}')
    ledger.write_bytes(torn)
    assert settle(ledger) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"\n", "is damaged in line 4"),
        (b"\r\n", "is damaged in line 4"),
        (line("{}").replace(b"\n", b"\r\n"), "is damaged in line 4"),
        (line("{}").upper(), "is damaged in line 4"),
        (line("{}") + b"0" * 16 + b" {}\n" + line("{}"), "is damaged in line 5"),
        (line("{}")[:-1] + b"x", "is damaged in line 4"),
        (b"\0" * 600 + line("{}") + line("{}"), "is damaged in line 4"),
        (line("[]"), "has not written in line 4"),
        (line(""), "has not written in line 4"),
        (line("{"), "has not written in line 4"),
        (line('{"a": 1}'), "has not written in line 4"),
        (line('{"a":1,"a":2}'), "has not written in line 4"),
        (line('{"a":NaN}'), "has not written in line 4"),
        (line('{"a":-Infinity}'), "has not written in line 4"),
        (line('{"a":1e999}'), "has not written in line 4"),
        (line('{"a":"\N{GREEK SMALL LETTER MU}"}'), "has not written in line 4"),
        (line('{"a":' + "9" * 5000 + "}"), "has not written in line 4"),
        (line('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"), "has not written in line 4"),
    ],
)
def test_damage_is_named_and_stays(ledger, text, says):
    damaged = ledger.read_bytes() + text
    ledger.write_bytes(damaged)
    with pytest.raises(SettingError, match=f"ledger.jsonl .*{says}.*and all after it"):
        read_records(ledger)
    with suppress(SettingError):
        append_record(ledger, {"on": 1})
    assert ledger.read_bytes().startswith(damaged)


def test_nothing_is_appended_behind_a_damaged_line(ledger):
    ledger.write_bytes(ledger.read_bytes() + b"0" * 16 + b" {}\n")
    damaged = ledger.read_bytes()
    with pytest.raises(SettingError, match="damaged in its last line"):
        append_record(ledger, {})
    assert ledger.read_bytes() == damaged


def nested(depth: int) -> dict[str, object]:
    record: dict[str, object] = {}
    for _ in range(depth):
        record = {"a": record}
    return record


def endless() -> dict[str, object]:
    record: dict[str, object] = {}
    record["a"] = record
    return record


@pytest.mark.parametrize(
    "record",
    [
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": (1, 2)},
        {"a": {1}},
        {"a": b""},
        {1: "a"},
        {1: "a", "1": "b"},
        [],
        "a",
        None,
        {"a": 10**5000},
        nested(100_000),
        endless(),
    ],
    ids=lambda record: type(record).__name__,
)
def test_what_would_not_read_the_same_is_refused(ledger, record):
    whole = ledger.read_bytes()
    with pytest.raises(SettingError, match="A record can't be kept in"):
        append_records(ledger, [{"good": 1}, record])
    assert ledger.read_bytes() == whole


def test_what_is_no_file_is_refused(ledger, tmp_path):
    places = [tmp_path / "folder", tmp_path / "link", tmp_path / "pipe", tmp_path / "nowhere"]
    places[0].mkdir()
    places[1].symlink_to(ledger)
    os.mkfifo(places[2])
    places[3].symlink_to(tmp_path / "nothing")
    for place in places:
        for touch in (read_records, settle):
            with pytest.raises(SettingError, match="a ledger is a plain file"):
                touch(place)
    with pytest.raises(SettingError, match="There is no folder"):
        append_record(tmp_path / "missing" / "ledger.jsonl", {})
    assert not (tmp_path / "missing").exists()
    assert read_records(ledger) == RECORDS


def test_a_ledger_that_may_not_be_written_can_be_read(ledger, monkeypatch):
    class ReadOnly:
        """As for a user who is not its owner: whoever runs tests as root may do everything."""

        def __getattr__(self, name):
            return getattr(os, name)

        def open(self, path, flags, *more):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ledger_module, "os", ReadOnly())
    with pytest.raises(SettingError, match="can't be written: Permission denied"):
        append_record(ledger, {})
    assert read_records(ledger) == RECORDS


# Arbitrary bytes


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=6,
)
records = st.lists(st.dictionaries(st.text(max_size=9), json_values, max_size=3), max_size=4)
tails = st.binary(max_size=60) | st.builds(lambda n, more: b"\0" * n + more, st.integers(0, 600), st.binary(max_size=9))


@pytest.fixture(scope="module")
def anywhere():
    with TemporaryDirectory(dir=ROOM) as folder:
        yield Path(folder, "ledger.jsonl")


@given(records)
@settings(max_examples=60, deadline=None)
def test_any_records_are_read_as_they_were_given(anywhere, given_records):
    anywhere.unlink(missing_ok=True)
    append_records(anywhere, given_records)
    assert read_records(anywhere) == given_records


@given(records, tails)
@settings(max_examples=200, deadline=None)
def test_any_bytes_at_the_end_hide_nothing(anywhere, given_records, tail):
    """What is accepted is what was acknowledged; the append that follows is read, or refused and changes nothing."""
    anywhere.unlink(missing_ok=True)
    append_records(anywhere, given_records)
    data = anywhere.read_bytes() + tail
    anywhere.write_bytes(data)
    try:
        assert read_records(anywhere) == given_records
        append_record(anywhere, {"on": 1})
    except SettingError:
        assert anywhere.read_bytes() == data
    else:
        assert read_records(anywhere) == [*given_records, {"on": 1}]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_wrong_record_is_read_from_damaged_bytes(anywhere, data):
    """Any piece of a ledger replaced by any other: an error, or lines that were there.

    Whole lines that somebody takes out of the middle are not missed.
    """
    whole = b"".join(line(json.dumps(r, separators=(",", ":"))) for r in RECORDS)
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    anywhere.write_bytes(whole[:start] + data.draw(tails) + whole[stop:])
    try:
        found = read_records(anywhere)
    except SettingError:
        return
    assert found == [r for r in RECORDS if r in found]


# Several at once


def start(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    path = Path(__file__).with_name(program)
    return subprocess.Popen(
        [sys.executable, str(path), *map(str, arguments)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )


def test_eight_processes_append_and_four_are_killed(tmp_path):
    path, each, rng = tmp_path / "ledger.jsonl", 500, Random(0)
    processes = [start("appender.py", path, name, each) for name in range(8)]
    acknowledged: list[list[int]] = [[] for _ in processes]

    def follow(name: int, last: int | None) -> None:
        """Read what a process says, and kill it when it has said so much."""
        process = processes[name]
        for said in process.stdout:
            acknowledged[name].append(int(said))
            if len(acknowledged[name]) == last:
                process.send_signal(signal.SIGKILL)
        process.wait()

    threads = [Thread(target=follow, args=(n, rng.randrange(20, 400) if n < 4 else None)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        process.stdout.close()
        process.stdin.close()

    assert [p.returncode for p in processes] == [-signal.SIGKILL] * 4 + [0] * 4
    there = Counter((int(r["by"]), r["number"]) for r in read_records(path))
    assert set(there.values()) == {1}
    said = {(name, number) for name, numbers in enumerate(acknowledged) for number in numbers}
    assert said <= set(there)
    # A killed one may have written one more than it could say.
    assert len(set(there) - said) <= 4
    assert all(acknowledged[name] == list(range(each)) for name in range(4, 8))
