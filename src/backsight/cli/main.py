"""The program `backsight`: its commands, and how errors end it."""

import os
import signal
import sys
from _thread import interrupt_main
from collections.abc import Sequence
from io import TextIOWrapper
from threading import Timer, main_thread
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from backsight import __version__
from backsight.cli.audit import audit
from backsight.cli.command_line import remember
from backsight.cli.compare import compare
from backsight.cli.describe import describe
from backsight.cli.doctor import doctor
from backsight.cli.export import export
from backsight.cli.forecast import forecast
from backsight.cli.lesson import lesson
from backsight.cli.lists import data, models
from backsight.cli.lookback import lookback
from backsight.cli.memory import memory, memory_test
from backsight.cli.report import report
from backsight.cli.resume import resume
from backsight.cli.runs import runs
from backsight.cli.tune import tune
from backsight.errors import BacksightError, Interrupted

#: Characters of an error that are printed.
LONGEST_MESSAGE = 600


class _AtOnce(Exception):
    """Ctrl-C that nobody has made something of; Typer would take a KeyboardInterrupt for an ordinary end."""


class _Program(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _AtOnce from error


app = typer.Typer(
    name="backsight",
    cls=_Program,
    help="How far back should a forecaster look, and which sequence layer is worth it?",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    lesson, compare, lookback, memory, memory_test, tune, resume, forecast, export, report, audit, describe, models,
    data, doctor,
):  # fmt: skip
    app.command()(command)
app.add_typer(runs)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"backsight {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code.

    That is 0; 1 where a command was asked to judge and found against; 2 after an error; 130 after Ctrl-C.

    Args:
        arguments: without the program's name; those of the process without it.
    """
    if arguments is None:
        sys.unraisablehook = _press_again
        try:
            return _run(sys.argv[1:])
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is written; a traceback would say nothing
    return _run(arguments)


def _press_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Ctrl-C that met a callback, such as JAX's of the garbage collector, is lost in it: so once more, a bit later."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        Timer(0.01, _press).start()
    else:
        sys.__unraisablehook__(unraisable)


def _press() -> None:
    if hasattr(signal, "pthread_kill"):  # so that the main thread wakes up, if it waits
        signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
    else:
        interrupt_main()


def _run(arguments: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that has no "±" gets a "?"
            stream.reconfigure(errors="replace")
    typed = spread_features(arguments)
    remember(typed)
    try:
        code = app(args=typed, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (BacksightError, typer.TyperException) as error:
        return _fail(_message(error))
    except Interrupted:
        return _fail("", code=130, instead="Stopped. Nothing was finished, so nothing was written.")
    except (_AtOnce, KeyboardInterrupt, typer.Abort):
        _fail("", code=130, instead="Stopped at once.")
        os._exit(130)  # threads may be in the middle of a fit; Python would wait for them
    except BrokenPipeError:  # as when the output is piped into `head`; files were written before
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        return _fail(
            "This machine has not enough memory for it. Take fewer --workers, a shorter lookback or smaller models."
        )
    except OSError as error:
        return _fail(f"{error.filename or 'The output'} can't be used: {error.strerror or error}.")
    return code if isinstance(code, int) else 0


def _message(error: Exception) -> str:
    if getattr(error, "option_name", None) == "--id":
        return (
            "--id, for many series, is an option of compare and lookback. A model that was saved knows its column, so "
            "forecast needs no --id; other commands work on one series."
        )
    return error.format_message() if isinstance(error, typer.TyperException) else str(error)


def _fail(message: str, code: int = 2, instead: str = "") -> int:
    """Print one line, however long and strange the message is; returns the exit code."""
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    if len(line) > LONGEST_MESSAGE:
        line = f"{line[:LONGEST_MESSAGE]} ..."
    print(instead or f"Error: {line}", file=sys.stderr)
    return code


def spread_features(arguments: Sequence[str]) -> list[str]:
    """Let `compare DATA --features` take several globs: `--features A* B*` becomes `--features A* --features B*`.

    Only after a first word that is no option: before it, the second word is DATA.

    >>> spread_features(["compare", "x.csv", "--features", "A*", "B*", "--seeds", "2"])
    ['compare', 'x.csv', '--features', 'A*', '--features', 'B*', '--seeds', '2']
    >>> spread_features(["compare", "--features", "A*", "x.csv"])
    ['compare', '--features', 'A*', 'x.csv']
    """
    if arguments[:1] == [] or arguments[0].startswith("-") or arguments[1:2] == [] or arguments[1].startswith("-"):
        return list(arguments)
    spread: list[str] = []
    globs = -1  # how many have followed the last --features; -1 where none is open
    for argument in arguments:
        if argument == "--features":
            globs = 0
        elif argument.startswith("-"):
            globs = 1 if argument.startswith("--features=") else -1
        elif globs >= 0:
            globs += 1
            if globs > 1:
                spread.append("--features")
        spread.append(argument)
    return spread


if __name__ == "__main__":
    sys.exit(main())
