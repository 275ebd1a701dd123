"""Writes the pages that say what the program and the library say of themselves: docs/commands.md, docs/reference.md.

python scripts/pages.py            # after any change to a command's help or to a public docstring
python scripts/pages.py --check    # end with code 1 if a page is not up to date
"""

import sys
from pathlib import Path

from backsight.cli.main import app
from command_page import command_page
from reference_page import reference_page

DOCS = Path(__file__).resolve().parents[1] / "docs"


def pages() -> dict[Path, str]:
    """The text of every generated page, by its file."""
    return {DOCS / "commands.md": command_page(app), DOCS / "reference.md": reference_page()}


def main(check: bool) -> int:
    """Write the pages, or say which are not up to date; returns the exit code."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{path.name} {'is not up to date: run scripts/pages.py' if check else 'written'}")
        if not check:
            path.write_text(pages()[path])
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
