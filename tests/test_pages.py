"""The generated pages say what the program and the docstrings say, all of it; and the site is built from all pages."""

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import typer

import backsight
from backsight.cli.main import app
from command_page import command_page, escape, named_commands
from documents import DOCUMENTS, ROOT
from pages import main as write_pages
from pages import pages

COMMANDS = dict(named_commands(typer.main.get_command(app)))


def sections(page):
    """Text by heading of the second level."""
    parts = re.split(r"^## (.*)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("path", pages(), ids=lambda p: p.name)
def test_a_generated_page_is_up_to_date(path):
    assert path.read_text() == pages()[path], "run `make pages`"


def test_a_stale_page_is_seen(monkeypatch, tmp_path, capsys):
    (tmp_path / "commands.md").write_text("old")
    monkeypatch.setattr("pages.DOCS", tmp_path)
    assert write_pages(check=True) == 1
    assert (tmp_path / "commands.md").read_text() == "old"
    assert "commands.md is not up to date" in capsys.readouterr().out
    assert write_pages(check=False) == 0
    assert write_pages(check=True) == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_on_the_page_with_its_help(name):
    page = command_page(app)
    of_command, shared = sections(page)[f"backsight {name}"], sections(page)["Options that several commands share"]
    for parameter in COMMANDS[name].params:
        for option in [*parameter.opts, *parameter.secondary_opts]:
            assert not option.startswith("--") or f"`{option}" in of_command, option
        assert parameter.help, f"{parameter.name} has no help"
        assert escape(parameter.help) in of_command + shared, parameter.name
    for example in re.findall(r"^ *(backsight .*)$", COMMANDS[name].help or "", re.MULTILINE):
        assert f"\n{example.strip()}\n" in of_command


def test_every_command_or_its_group_shows_an_example():
    shown = {name for name, command in COMMANDS.items() if "[bold]Example" in (command.help or "")}
    assert [name for name in COMMANDS if not {name, name.split()[0]} & shown] == []


def test_a_new_command_and_a_command_of_a_group_come_by_themselves():
    program, group = typer.Typer(), typer.Typer()

    @program.command()
    def look(at: str, twice: bool = typer.Option(False, "--twice", help="Look *again*.")):
        """Look at it."""

    @group.command(name="list")
    def list_(how: str = typer.Option("short", help="How long.")):
        """List them."""

    program.add_typer(group, name="runs")
    page = command_page(program)
    assert "## backsight look\n\nLook at it.\n\n- `AT`:" in page
    assert "- `--twice`: Look \\*again\\*." in page
    assert "## backsight runs list" in page
    assert "- `--how TEXT`: How long. (`short` without it)" in page


def test_every_public_name_and_model_is_in_the_reference():
    page = (ROOT / "docs" / "reference.md").read_text()
    headings = set(re.findall(r"^###+ (.*)$", page, re.MULTILINE))
    assert set(backsight.__all__) - {"__version__"} <= headings
    assert {name for heading in headings for name in heading.split(", ")} >= set(backsight.RECIPES)


class Resources(HTMLParser):
    """What a page makes a browser load by itself."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        of = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed", "object"):
            self.found += [of.get("src"), of.get("data")]
        if tag == "link" and of.get("rel") not in ("next", "prev", "canonical"):
            self.found.append(of.get("href"))


def from_elsewhere(page):
    loaded = [r for r in Resources(page).found if r] + re.findall(r"url\(\s*[\"']?([^)\"']+)|@import", page)
    return [r for r in loaded if re.match(r"(https?:)?//", r)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as `make docs` builds it: a warning is an error."""
    if importlib.util.find_spec("sphinx") is None or importlib.util.find_spec("furo") is None:
        pytest.skip("the site is built with the extra docs: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    options = ["--builder", "html", "--conf-dir", "docs", "--fail-on-warning", "--keep-going", "--quiet"]
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "--doctree-dir", str(folder / "trees"), ".", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder / "html"


def test_the_site_holds_every_page_and_loads_nothing_from_elsewhere(site):
    for path in DOCUMENTS:
        assert (site / path.relative_to(ROOT).with_suffix(".html")).exists()
    assert "docs/index.html" in (site / "index.html").read_text()
    looked_at = [p for p in site.rglob("*") if p.suffix in (".html", ".css")]
    assert len(looked_at) > 30
    assert {p.name: found for p in looked_at if (found := from_elsewhere(p.read_text()))} == {}


def test_what_comes_from_elsewhere_is_seen():
    page = '<link rel="stylesheet" href="https://fonts.example/x"><script src="//cdn.example/y"></script><a href="https://z">'
    assert len(from_elsewhere(page + "<style>a { background: url(http://q) }</style>")) == 3


def test_navigation_comes_from_the_list_of_links(site):
    first = (site / "docs" / "faq.html").read_text()
    for title in re.findall(r"^- \[([^\]]+)\]\(\S+\.md\)", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE):
        assert f">{title}</a>" in first
    assert "Exam days do not depend" in (site / "docs" / "decisions" / "README.html").read_text()
