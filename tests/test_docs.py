"""Documents say what is so: commands parse, the cheap ones run, links lead somewhere, errors are explained."""

import ast
import os
import re
import shlex
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import typer

import backsight
from backsight.cli.main import app, main, spread_features
from documents import DOCUMENTS, ROOT, SHELL, fenced_blocks, inline_commands, shell_lines

LINES = sorted({line for path in DOCUMENTS for line in shell_lines(path.read_text())})
INLINE = sorted({line for path in DOCUMENTS for line in inline_commands(path.read_text())})
#: What else a shell block may hold, beside `backsight`, `make` and scripts of this repository.
OTHERS = ("python3 -m venv ", ".venv/bin/pip install ", "pip install ", ". .venv/bin/activate", "pre-commit install")


def words_after_program(line: str) -> list[str] | None:
    """The arguments of a `backsight` line; None of any other line."""
    words = shlex.split(line)
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    return words[1:] if words and words[0] in ("backsight", ".venv/bin/backsight") else None


def parse(arguments: list[str]) -> None:
    """Parse a command line without doing anything.

    Raises:
        typer.TyperException: there is no such command or option, or an argument is missing.
        KeyError: there is no such command.
    """
    command = typer.main.get_command(app)
    name, *rest = spread_features(arguments)
    command = command.commands[name]
    while hasattr(command, "commands") and rest:
        name, *rest = rest
        command = command.commands[name]
    command.make_context(name, rest)


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_shell_is_understood(line):
    if (arguments := words_after_program(line)) is not None:
        parse(arguments)
    elif line.startswith("make "):
        for target in line.split()[1:]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
    elif line.startswith("scripts/"):
        assert os.access(ROOT / line.split()[0], os.X_OK), line
    else:
        assert line.startswith(OTHERS), f"{line!r}: say in this test what it is"


@pytest.mark.parametrize("line", INLINE)
def test_every_command_within_a_line_exists_and_so_do_its_options(line):
    name, *rest = shlex.split(line)[1:]
    if name == "COMMAND":
        return
    parameters = typer.main.get_command(app).commands[name].params
    known = {option for p in parameters for option in [*p.opts, *p.secondary_opts]}
    for word in rest:
        assert not word.startswith("--") or word in {*known, "--help"}, word


def test_lines_are_found_and_wrong_ones_are_seen():
    assert len([line for line in LINES if words_after_program(line)]) > 40
    assert len(INLINE) > 10
    text = "```console\n$ backsight compare x.csv \\\n    --lookbacks 3   # no such option\n```\nand `backsight no`\n"
    (line,) = shell_lines(text)
    assert line == "backsight compare x.csv --lookbacks 3"
    with pytest.raises(typer.TyperException):
        parse(words_after_program(line))
    (line,) = inline_commands(text)
    with pytest.raises(KeyError):
        test_every_command_within_a_line_exists_and_so_do_its_options(line)


def is_cheap(arguments: list[str]) -> bool:
    """Whether a command takes a second or so: no work, or ridge and two programs to compile, on data that is there."""
    name, *rest = arguments
    if name in ("data", "models", "doctor", "describe"):
        return len(rest) == 0 or name != "data"
    if not {"seattle", "sales.csv", "hourly.csv"} & set(rest):
        return False
    if name == "audit":
        return rest[1].startswith("-")  # DATA alone
    given = dict(pairwise(rest))
    models, lookbacks = given.get("--models", "").split(","), given.get("--lookback", "1,3,7,30").split(",")
    small = "--folds" not in rest and ("gru" not in models or len(lookbacks) <= 2)
    return name in ("compare", "lookback") and small and set(models) <= {"ridge", "gru", "my_module:build"}


#: Lines of the written pages; the examples of docs/commands.md are the program's own help.
CHEAP = sorted(
    {
        shlex.join(arguments)
        for path in DOCUMENTS
        if path.name != "commands.md"
        for line in shell_lines(path.read_text())
        if (arguments := words_after_program(line)) and is_cheap(arguments)
    }
)


def write_table(path, column, step, rows):
    times = pd.date_range("2024-01-01", periods=rows, freq=step)
    rng = np.random.default_rng(0)
    values = 10 + np.arange(rows) % 7 + rng.standard_normal(rows)
    dates = times.strftime("%Y-%m-%d" if step == "D" else "%Y-%m-%d %H:%M")
    pd.DataFrame({"date": dates, column: values.round(3), "price": rng.integers(4, 9, rows) / 4}).to_csv(
        path, index=False
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the files that the documents speak of."""
    folder = tmp_path_factory.mktemp("desk")
    write_table(folder / "sales.csv", "units", "D", 300)
    write_table(folder / "hourly.csv", "load", "h", 24 * 50)
    (folder / "my_module.py").write_text(
        "import keras\n\n\ndef build(shape):\n    window = keras.Input(shape)\n"
        "    return keras.Model(window, keras.layers.Dense(1)(keras.layers.Flatten()(window)))\n"
    )
    return folder


@pytest.mark.parametrize("line", CHEAP)
def test_cheap_commands_run(line, desk, monkeypatch, capsys):
    """As written, but with one seed, one epoch and one process of its own, and without the baselines."""
    monkeypatch.chdir(desk)
    monkeypatch.syspath_prepend(str(desk))
    arguments = shlex.split(line)
    if arguments[0] in ("compare", "lookback"):
        arguments += ["--seeds", "1", "--epochs", "1", "--no-baselines"]
    if "--backend" in arguments:
        arguments += ["--workers", "1"]
    assert main(arguments) == 0, capsys.readouterr().err


def test_cheap_commands_are_of_many_kinds():
    assert {line.split()[0] for line in CHEAP} >= {
        "audit",
        "compare",
        "lookback",
        "data",
        "models",
        "describe",
        "doctor",
    }


def blocks(path, language):
    return [block for kind, block in fenced_blocks(path.read_text()) if kind == language]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_block_of_python_is_run_by_somebody(path):
    """Those with prompts by doctest, as pyproject.toml asks; those of new-recipe.md by tests/test_new_recipe.py."""
    if path.name in ("reference.md", "new-recipe.md"):
        return  # examples of the reference run in their modules
    for block in blocks(path, "python"):
        assert block.lstrip().startswith(">>>"), block
    assert {kind for kind, _ in fenced_blocks(path.read_text())} <= {"python", "py", "text", *SHELL}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    prose = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#]+)", re.sub(r"`[^`\n]*`", "", prose)):
        assert target.startswith("http") or (path.parent / target).exists(), target


#: What stands in a series' file can be wrong in these ways, and docs/your-series.md says what to do about each.
READING = ("read.py", "times.py", "rules.py", "from_frame.py", "from_long.py", "columns.py")


def messages_of(source: str, errors: tuple[str, ...]) -> list[str]:
    """The messages of the errors that a file raises, as patterns."""

    def pattern(part: ast.expr) -> str:
        return re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*?"

    raised = [node.exc for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise)]
    return [
        "".join(map(pattern, call.args[0].values if isinstance(call.args[0], ast.JoinedStr) else call.args))
        for call in raised
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in errors
    ]


def test_every_error_of_reading_is_explained():
    page = (ROOT / "docs" / "your-series.md").read_text()
    shown = re.findall(r"^> (.+)$", page, re.MULTILINE)
    folder = ROOT / "src" / "backsight" / "series"
    patterns = [m for f in READING for m in messages_of((folder / f).read_text(), ("DataError", "ColumnError"))]
    assert len(patterns) > 30
    unexplained = [p for p in patterns if not any(re.fullmatch(p, line) for line in shown)]
    assert unexplained == []
    others = [*patterns, *messages_of((ROOT / "src/backsight/windows/windows.py").read_text(), ("WindowError",))]
    invented = [line for line in shown if not any(re.fullmatch(p, line) for p in others)]
    assert invented == []


def test_an_error_that_is_not_explained_is_seen():
    source = 'raise DataError(f"Line {line} smells. Wash it.")\nraise SettingError("not of a file")'
    assert messages_of(source, ("DataError",)) == [r"Line\ .*?\ smells\.\ Wash\ it\."]


def test_public_names_are_listed_once_and_are_the_ones_imported():
    source = (ROOT / "src" / "backsight" / "__init__.py").read_text()
    typed = set(re.findall(r"(\w+) as \1", source))
    assert typed == set(backsight._HOME)
    for name in backsight.__all__:
        assert getattr(backsight, name) is not None
    with pytest.raises(AttributeError):
        backsight.nothing  # noqa: B018
