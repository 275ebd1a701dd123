"""docs/commands.md: every command and option, as the program itself has them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

INTRODUCTION = """\
# Every command

<!-- Written by scripts/pages.py from the program; change the program's help, then run `make pages`. -->

`backsight COMMAND --help` says the same on your terminal. Exit codes: 0 if all went well; 1 where a command was asked
to judge and found against (`audit`, `--require-skill`); 2 after an error, which is one line on standard error, and
nothing is written; 130 after Ctrl-C, with what was finished by then.
"""

#: What a value is called, where the program does not say.
METAVARS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


def command_page(app: typer.Typer) -> str:
    """The page, as Markdown.

    Groups of options that several commands share word for word stand once, at the end.
    """
    program: Any = typer.main.get_command(app)
    commands: dict[str, Any] = dict(named_commands(program))
    groups = {name: option_groups(command) for name, command in commands.items()}
    shared = shared_groups(groups.values())
    parts = [
        INTRODUCTION,
        "\n".join(f"- [{name}](#{_anchor(f'backsight {name}')}): {_first(c)}" for name, c in commands.items()),
    ]
    parts.append("Without a command:\n\n" + "\n".join(_option_line(option) for option in program.params))
    for name, command in commands.items():
        parts += _command(name, command, groups[name], shared)
    if shared:
        parts.append("## Options that several commands share")
    for heading, lines in shared.items():
        users = [f"`{name}`" for name in commands if groups[name].get(heading) == lines]
        parts.append(f"### {heading}\n\nOf {_listed(users)}.\n\n" + "\n".join(lines))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def named_commands(program: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command and its name, as in "runs list" for a command of a group."""
    for name, command in program.commands.items():
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield f"{before}{name}", command
        if hasattr(command, "commands"):
            yield from named_commands(command, f"{before}{name} ")


def option_groups(command: Any) -> dict[str, list[str]]:
    """The lines of a command's options, by the heading they stand under in its help; "" for those without one."""
    groups: dict[str, list[str]] = {}
    for parameter in command.params:
        if not _is_argument(parameter):
            groups.setdefault(parameter.rich_help_panel or "", []).append(_option_line(parameter))
    return groups


def shared_groups(of_commands: Iterable[dict[str, list[str]]]) -> dict[str, list[str]]:
    """The groups that two commands or more have, word for word."""
    seen: list[tuple[str, list[str]]] = [group for groups in of_commands for group in groups.items() if group[0]]
    return {heading: lines for heading, lines in seen if seen.count((heading, lines)) > 1}


def split_help(text: str) -> tuple[str, list[str]]:
    r"""A command's help without its examples, and these.

    >>> split_help("Do it.\n\n[bold]Examples[/bold]\n\n  backsight data\n\n  backsight data all")
    ('Do it.', ['backsight data', 'backsight data all'])
    """
    prose, _, examples = re.sub(r"\[bold\]Examples?\[/bold\]", "\0", text).partition("\0")
    return prose.strip(), [line.strip() for line in examples.splitlines() if line.strip()]


def escape(text: str) -> str:
    r"""Text as Markdown that shows it as it is; what stands in backticks is code and stays.

    >>> escape("such as 'A_*'; see `a_*`")
    "such as 'A\\_\\*'; see `a_*`"
    """
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]|])", r"\\\1", part) for part in parts)


def _command(name: str, command: Any, groups: dict[str, list[str]], shared: dict[str, list[str]]) -> list[str]:
    prose, examples = split_help(command.help or "")
    arguments = [p for p in command.params if _is_argument(p)]
    parts = [f"## backsight {name}", escape(prose)]
    if examples:
        parts.append("```sh\n" + "\n".join(examples) + "\n```")
    if arguments:
        parts.append("\n".join(f"- `{_metavar(p)}`: {escape(p.help or '')}" for p in arguments))
    own = [(heading, lines) for heading, lines in groups.items() if shared.get(heading) != lines]
    parts += [(f"{heading}:\n\n" if heading else "") + "\n".join(lines) for heading, lines in own]
    for heading, lines in groups.items():
        if shared.get(heading) == lines:
            parts.append(f"[{heading}](#{_anchor(heading)}): {_names(lines)}.")
    return parts


def _option_line(option: Any) -> str:
    names = "`, `".join([*option.opts, *option.secondary_opts])
    flag = getattr(option, "is_flag", False) or not hasattr(option, "type_descriptor")
    value = "" if flag else f" {_metavar(option)}"
    default = getattr(option, "default", None)
    usual = "" if flag or default is None else f" (`{default}` without it)"
    on = f" Without it: {'yes' if default else 'no'}." if flag and option.secondary_opts else ""
    return f"- `{names}{value}`: {escape(option.help or '')}{usual or on}"


def _metavar(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    kind = parameter.type_descriptor.annotation
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    if _is_argument(parameter):
        name = parameter.name.upper() + (" ..." if get_origin(kind) is list else "")
        return name if parameter.required else f"[{name}]"
    return METAVARS.get(kind, "TEXT")


def _is_argument(parameter: Any) -> bool:
    return not parameter.opts[0].startswith("-")


def _names(lines: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for line in lines for name in re.findall(r"(?:^- `|`, `)(--[\w-]+)", line))


def _first(command: Any) -> str:
    return escape((command.help or "").partition("\n")[0])


def _anchor(heading: str) -> str:
    """As code hosts and MyST make it from a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
