"""The site: Sphinx reads the Markdown pages as they stand, and a list of links in docs/index.md is its navigation.

`make docs` builds it into build/site. Whatever Sphinx has to warn of (a link that leads nowhere, a page that is in no
list) ends the build.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "backsight"
author = "The backsight authors"

extensions = ["myst_parser"]
root_doc = "docs/index"
# The source folder is the whole repository, since README, changelog and lesson stand outside docs.
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "docs/**.md",
    "src/backsight/lesson/**.md",
]
exclude_patterns = [".*", "build", "dist", "tests", "src/backsight/[!l]*"]

myst_heading_anchors = 4  # so that page.md#a-heading leads to the heading, as on a code host
smartquotes = False  # what is copied from a page must run
highlight_language = "text"

html_theme = "furo"
html_title = "backsight"
html_extra_path = ["site"]  # an index.html that leads on to docs/index.html
html_show_copyright = False
html_copy_source = False
html_use_index = False
html_domain_indices = False

ROOT = Path(__file__).parents[1]
#: Chapters of the course; all that there are stand in the navigation.
COURSE = "src/backsight/lesson"

#: Pages that list whatever lies in their folder under such a name.
FOLDERS = {"docs/decisions/README": "[0-9]*"}

#: A line of the navigation, as in "- [Tuning](tuning.md): what it brings".
_ITEM = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<page>[^)#:]+)\.md\)", re.MULTILINE)


def add_navigation(page: str) -> str:
    r"""The first page with a hidden table of contents for each of its sections that lists pages.

    >>> print(add_navigation("# Home\n\n## Use\n\n- [Start](start.md): a minute\n").partition("minute\n")[2])
    <BLANKLINE>
    ```{toctree}
    :hidden:
    :caption: Use
    Start <start>
    ```
    <BLANKLINE>
    """
    parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    return "".join(part + _contents(part) for part in parts)


def _contents(section: str) -> str:
    items = [f"{found['title']} <{found['page']}>" for found in _ITEM.finditer(section)]
    if not items:
        return ""
    caption = section.partition("\n")[0].removeprefix("## ")
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", *items, "```", ""])


def add_folder(page: str, pattern: str, options: str = ":maxdepth: 1") -> str:
    """A page with a list of all pages of a folder."""
    return f"{page}\n```{{toctree}}\n:glob:\n{options}\n{pattern}\n```\n"


def setup(app: "Sphinx") -> None:
    """Sphinx calls this."""

    def read(_: "Sphinx", name: str, content: list[str]) -> None:
        if name == root_doc:
            content[0] = add_navigation(content[0])
            if any(ROOT.glob(f"{COURSE}/*.md")):
                content[0] = add_folder(content[0], f"/{COURSE}/*", ":hidden:\n:caption: The course")
        elif name in FOLDERS:
            content[0] = add_folder(content[0], FOLDERS[name])

    app.connect("source-read", read)
