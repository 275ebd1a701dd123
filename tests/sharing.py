"""What one process of a test run has compiled, at hand for the others while they run.

The program gives its compiled programs to others when it ends (`backsight.program_cache`). A test process ends after
all tests, so without this each of them, and each process that a test starts, would compile the same programs again.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from backsight.program_cache import WORKING

#: Entries that this process has given or taken, and folders as they were when they were last looked at.
_passed_on: set[str] = set()
_seen: dict[Path, int] = {}


def share_programs() -> None:
    """Link new entries of this process's working folder into the one of all, and the other way round.

    Next to nothing where nothing is new, so that it may be done after every test.
    """
    jax = sys.modules.get("jax")
    named = None if jax is None else jax.config.jax_compilation_cache_dir
    if named is None or not Path(named).name.startswith(WORKING):
        return
    working = Path(named)
    for source, other in ((working, working.parent), (working.parent, working)):
        changed = source.stat().st_mtime_ns
        if changed == _seen.get(source):
            continue
        there, here = ({path.name for path in folder.iterdir()} for folder in (source, other))
        for name in there - here - _passed_on:
            if name.endswith("-cache"):
                with suppress(FileExistsError, FileNotFoundError):  # another process was here just now
                    os.link(source / name, other / name)
                _passed_on.add(name)
        _seen[source] = changed
