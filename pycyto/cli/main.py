"""The ``pycyto`` command: finding the subcommand, and ending well.

Only click and the errors are imported here. A subcommand lives in ``pycyto/cli/<name>.py`` (with
``-`` written ``_``) as ``command``; it is imported when it is called, so that ``pycyto --help``
does not wait for numpy, TensorFlow or Java.

Exit codes: those of :mod:`pycyto.errors`; 130 after Ctrl-C; 141 when the reader of a pipe left.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

import click

from pycyto.cli.console import Console
from pycyto.errors import PycytoError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "demo": "Walk through the whole flow on the sample project, offline.",
    "doctor": "Check this machine and a project, and say what to mend.",
    "export": "Cut a patch for every annotated cell of a project.",
    "ingest": "Make a data set of a public set, or of a folder per class.",
    "merge": "Join data sets into one, and refuse what must not be joined.",
    "split": "Divide a data set by patient: train, validation and test.",
    "audit": "Look for leaks, twins and gaps in a data set and its split.",
    "colour": "Show cells before and after normalisation, for a verdict.",
    "train": "Train a classifier and save it as a bundle.",
    "evaluate": "Measure a model on a data set it has not seen.",
    "cross-domain": "Train on each source, scanner or site, and test on all others.",
    "study": "Carry out a study from one file, from sources to a report.",
    "predict": "Classify the cells of a project, and stage a run.",
    "write-back": "Put predictions into the project as classified detections.",
    "undo": "Take a written run out of the project again.",
    "runs": "List the runs of a project and what became of them.",
    "assign": "Choose cells for blinded reading by several readers.",
    "agreement": "Compare what readers said, with each other and a model.",
    "scripts": "Show the Groovy scripts, or install them into QuPath.",
}

INTERRUPTED = 130
READER_LEFT = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        The words after ``pycyto``; those of this process by default.

    Returns
    -------
    int
        The exit code.
    """
    _accept_any_text()
    console = Console()
    try:
        code = _run(arguments, console)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return READER_LEFT
    return code


def _run(arguments: Sequence[str] | None, console: Console) -> int:
    try:
        result = group.main(arguments, prog_name="pycyto", standalone_mode=False, obj=console)
    except (click.Abort, KeyboardInterrupt):
        console.error(
            "Interrupted. What was finished is kept, and nothing is half written. "
            "Start the same command again to go on."
        )
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the one place where nothing may get past
        return _report(error, console)
    # Commands return nothing; a number is what click's own ctx.exit() was given.
    return result if isinstance(result, int) else 0


def _report(error: Exception, console: Console) -> int:
    """Say in the user's words what went wrong, and return the exit code."""
    if console.debug:
        console.traceback(error)
    if isinstance(error, PycytoError):
        console.error(str(error))
        return error.exit_code
    if _is_disk_full(error):
        console.error(str(_disk_full(error)))
        return PycytoError.exit_code
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    console.error(reason)
    if not console.debug:
        console.error(
            "  to do: start again with 'pycyto --debug ...' to see where it arose", prefix=""
        )
    return PycytoError.exit_code


def _is_disk_full(error: Exception) -> bool:
    if not isinstance(error, OSError):
        return False
    # HDF5 reports in words only.
    full = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
    return error.errno in full or "No space left on device" in str(error)


def _disk_full(error: Exception) -> PycytoError:
    return PycytoError(
        "The disk is full.",
        where=getattr(error, "filename", None),
        remedy="make room and start again; what was finished is kept",
    )


def _accept_any_text() -> None:
    """Print what the terminal's encoding lacks as ``?`` instead of failing on a file name."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _drop_output() -> None:
    """Send the rest of the output nowhere, lest Python complain once more as it ends."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, and only its number
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


class CommandGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a user's day, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"pycyto.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        _add_global_options(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the words name, or suggest one like it."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            _refuse_name(ctx, name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run a command, and let no pipe error reach click, which would hide it as exit code 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _drop_output()
            raise click.exceptions.Exit(READER_LEFT) from None


def _refuse_name(ctx: click.Context, name: str) -> NoReturn:
    message = f"There is no command {name!r}."
    alike = get_close_matches(name.lower().replace("_", "-"), COMMANDS, n=1)
    if alike:
        message += f" Did you mean {alike[0]!r}?"
    raise click.UsageError(message, ctx)


def _add_global_options(command: click.Command) -> None:
    """Accept --debug and the like behind the command too, where a user appends them."""
    known = {param.name for param in command.params}
    command.params += [option for option in _global_options() if option.name not in known]
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            _add_global_options(subcommand)


def _global_options() -> list[click.Option]:
    return [
        click.Option(
            [f"--{name}"], is_flag=True, expose_value=False, callback=_set_on_console, help=text
        )
        for name, text in {
            "debug": "Show the traceback of an error.",
            "quiet": "Print results, warnings and errors only.",
            "events": "Print JSON, one object per line: for programs.",
        }.items()
    ]


def _set_on_console(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: FBT001
    console = ctx.find_object(Console)
    if value and console is not None and param.name is not None:
        setattr(console, param.name, True)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001, FBT001
    if not value or ctx.resilient_parsing:
        return
    from pycyto.provenance import version_of

    click.echo(f"pycyto {version_of('pycyto')}")
    ctx.exit()


group = CommandGroup(
    name="pycyto",
    params=list(_global_options()),
    help="Cervical cytology between QuPath and Python. For research use only.",
    epilog="'pycyto COMMAND --help' explains a command.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)(group)
