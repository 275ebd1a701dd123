"""Documents say what is so: commands parse, links lead somewhere, names are listed once."""

import re
import shlex
from pathlib import Path

import pytest
import typer

import backsight
from backsight.cli.main import app, spread_features

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
COMMANDS = sorted(
    {
        line.strip().removeprefix("$ ")
        for path in DOCUMENTS
        for block in re.findall(r"```(?:console|sh)\n(.*?)```", path.read_text(), re.DOTALL)
        for line in re.sub(r"\\\n\s*", "", block).splitlines()
        if line.strip().removeprefix("$ ").startswith("backsight ")
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_documents_parses(command):
    program = typer.main.get_command(app)
    name, *arguments = spread_features(shlex.split(command, comments=True)[1:])
    program.commands[name].make_context(name, arguments)


def test_commands_are_found_and_a_wrong_one_is_seen():
    assert len(COMMANDS) >= 5
    with pytest.raises(typer.TyperException):
        typer.main.get_command(app).commands["compare"].make_context("compare", ["x.csv", "--lookbacks", "3"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_public_names_are_listed_once_and_are_the_ones_imported():
    source = Path(backsight.__file__).read_text()
    typed = set(re.findall(r"(\w+) as \1", source))
    assert typed == set(backsight._HOME)
    for name in backsight.__all__:
        assert getattr(backsight, name) is not None
    with pytest.raises(AttributeError):
        backsight.nothing  # noqa: B018


@pytest.mark.parametrize("name", [n for n in backsight.__all__ if callable(getattr(backsight, n))])
def test_every_public_name_has_a_docstring(name):
    assert len(getattr(backsight, name).__doc__.strip()) > 20
