"""Model files by people who mean harm: refused with our error, by name, at the cost of reading them."""

import json
import re
import subprocess
import sys

import pytest

import hostile
from hostile import ATTACKS, PLACES


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """All of them loaded by one process of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile.build(folder)
    before = sorted(folder.rglob("*"))
    program = [sys.executable, hostile.__file__, str(folder)]
    ran = subprocess.run(program, capture_output=True, text=True, cwd=folder, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return {**json.loads(ran.stdout), "new": set(folder.rglob("*")) - set(before)}


def test_there_are_many():
    assert len(ATTACKS) + len(PLACES) >= 45


@pytest.mark.parametrize("attack", [*ATTACKS, *PLACES])
def test_refused_by_name(attack, outcome):
    expected = {**ATTACKS, **PLACES}[attack][1]
    assert re.search(expected, outcome["found"][attack]), outcome["found"][attack]
    assert len(outcome["found"][attack]) < 600


def test_nothing_was_done_but_reading(outcome):
    assert outcome["done"] == []
    assert outcome["new"] == set()
    assert not outcome["jax"]


def test_memory_stays_small(outcome):
    assert outcome["kilobytes"] < 64 * 1024
