"""Same data, settings and seed: the same bytes, in another process and with another number of workers (law 8)."""

import subprocess
import sys
from pathlib import Path

import pytest

from same_again import comparison, digest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def here():
    return comparison(workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fresh_process_writes_the_same_bytes(workers, here):
    run = subprocess.run(
        [sys.executable, "same_again.py", str(workers)], cwd=HERE, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == digest(here)


def test_one_bit_would_be_seen(here):
    """Planted: one forecast that differs in its last bit changes the hash."""
    spoilt = comparison(workers=1)
    assert digest(spoilt) == digest(here)
    spoilt.forecasts.loc[0, "predicted"] = spoilt.forecasts.loc[0, "predicted"] * (1 + 2**-52)
    assert digest(spoilt) != digest(here)
