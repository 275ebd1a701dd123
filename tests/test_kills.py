"""Runs that are killed at random moments."""

import subprocess
import sys
from pathlib import Path


def test_ten_kills_of_a_comparison_change_nothing():
    """`killed_runs.py` in a process of its own, since it forks."""
    script = Path(__file__).parent / "killed_runs.py"
    done = subprocess.run([sys.executable, str(script), "--kills", "10"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("10 kills of ")
