"""Weighs `backsight compare` at a short and a long lookback: peak memory of fresh processes.

An LSTM is trained on the nine Basel columns for three epochs, once looking back 3 days and once 360. Windows
are gathered from the series inside the compiled epoch, so the network alone should need hardly more for 360
days than for 3; the baselines, which copy their windows out, are weighed in and left out.

Peak memory is the largest resident set that the kernel counted for the process (`ru_maxrss`).

    python benchmarks/memory.py
"""

import os
import subprocess
import sys

LOOKBACKS = (3, 360)
COMPARE = ["compare", "basel", "--features", "BASEL_*", "--models", "lstm", "--seeds", "1", "--epochs", "3"]

#: `ru_maxrss` counts bytes on macOS and 1024 bytes on Linux.
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


def peak_megabytes(arguments: list[str]) -> float:
    """The peak resident set of one run of the program.

    A child begins with what its parent holds at the fork, and Linux counts that: this script must stay small.
    """
    command = [sys.executable, "-m", "backsight.cli.main", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said.decode()}")
    return usage.ru_maxrss * MAXRSS_BYTES / 1e6


def main() -> None:
    """One line with the baselines, one without them."""
    short, long = LOOKBACKS
    print(f"| peak memory, MB | lookback {short} | lookback {long} | difference |")
    print("|---|---|---|---|")
    for what, switch in (("LSTM alone", "--no-baselines"), ("LSTM and baselines", "--baselines")):
        few, many = (peak_megabytes([*COMPARE, switch, "--lookback", str(n)]) for n in LOOKBACKS)
        print(f"| {what} | {few:.0f} | {many:.0f} | {many - few:+.0f} |", flush=True)


if __name__ == "__main__":
    main()
