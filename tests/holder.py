"""Run as a program: works in a folder, says so, and goes on until it is ended."""

import os
import sys
from pathlib import Path

from backsight.runs.durable import UNFINISHED
from backsight.runs.locks import work_in

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with work_in(folder):
        (folder / f"{UNFINISHED}0").write_text("half")
        os.write(1, b"held\n")
        sys.stdin.read()
