"""What stands in the documents: their files, blocks of code, and the lines of shell in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ]
)
SHELL = {"sh", "bash", "shell", "console"}


def fenced_blocks(text: str) -> Iterator[tuple[str, str]]:
    r"""Language and text of every block between fences.

    >>> list(fenced_blocks("a\n```sh\nls\n```\nb"))
    [('sh', 'ls\n')]
    """
    for found in re.finditer(r"^```([\w-]*)[^\n]*\n(.*?)^```[ \t]*$", text, re.DOTALL | re.MULTILINE):
        yield found[1], found[2]


def shell_lines(text: str) -> Iterator[str]:
    """Commands of the shell blocks, without prompts, comments and continued lines."""
    for language, block in fenced_blocks(text):
        if language in SHELL:
            prompted = re.findall(r"^\$ (?:.*\\\n)*.*", block, re.MULTILINE)  # what has no prompt was printed
            for line in re.sub(r"\\\n\s*", "", "\n".join(prompted) or block).splitlines():
                commands = re.sub(r"(^|\s)#.*", "", line).strip().removeprefix("$ ")
                yield from filter(None, commands.split(" && "))


def inline_commands(text: str) -> set[str]:
    """What stands in backticks within a line and begins with the program's name."""
    prose = re.sub(r"^```.*?^```[ \t]*$", "", text, flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r"(?<!`)`(backsight [^`\n]+)`", prose))


def backsight_arguments(line: str) -> list[str] | None:
    """What follows the program's name on a line of shell; None where another program is called.

    >>> backsight_arguments("BACKSIGHT_RUNS= .venv/bin/backsight data basel")
    ['data', 'basel']
    """
    words = shlex.split(line)
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    return words[1:] if words and words[0] in ("backsight", ".venv/bin/backsight") else None
