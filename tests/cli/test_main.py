"""How the command line finds a command, and how it ends."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import click
import pytest

from pycyto import errors
from pycyto.cli import main as cli
from pycyto.cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

    Body = Callable[[Console], object]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs ``pycyto try-out`` with a given body."""

    def run(body: Body, *words: str) -> int:
        @click.command()
        @click.pass_obj
        def command(console: Console) -> None:
            body(console)

        module = ModuleType("pycyto.cli.try_out")
        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli.COMMANDS, "try-out", "Be there for the tests.")
        return cli.main(words or ["try-out"])

    return run


def raising(error: BaseException) -> Body:
    def body(_: Console) -> NoReturn:
        raise error

    return body


def test_a_command_that_returns_ends_with_0(run: Callable[..., int]) -> None:
    assert run(lambda console: console.say("done")) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.BadInputError("x"), 3),
        (errors.StaleError("x"), 3),
        (errors.RefusedError("x"), 4),
        (errors.PartlyDoneError("x"), 5),
        (errors.GateError("x"), 6),
        (errors.MissingDependencyError("x"), 7),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_ours_ends_with_its_code(
    run: Callable[..., int], error: Exception, code: int
) -> None:
    assert run(raising(error)) == code


def test_an_error_of_ours_is_told_without_traceback(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run(raising(errors.BadInputError("No image.", where="a.qpproj", remedy="add one")))
    captured = capsys.readouterr()
    assert captured.err == "error: No image.\n  where: a.qpproj\n  to do: add one\n"
    assert captured.out == ""


@pytest.mark.parametrize("words", [("--debug", "try-out"), ("try-out", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    assert run(raising(errors.RefusedError("Not now.")), *words) == 4
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert told.endswith("error: Not now.\n")


def test_any_other_error_is_one_line_and_how_to_learn_more(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(ZeroDivisionError("division by zero"))) == 1
    assert capsys.readouterr().err == (
        "error: ZeroDivisionError: division by zero\n"
        "  to do: start again with 'pycyto --debug ...' to see where it arose\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "patches/1.png"),
        OSError("Can't write data (errno = 28, error message = 'No space left on device')"),
    ],
)
def test_a_full_disk_is_called_that(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], error: OSError
) -> None:
    assert run(raising(error)) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: The disk is full.\n")
    assert ("where: patches/1.png" in told) is (error.filename is not None)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_ends_with_130_and_says_that_nothing_is_lost(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    assert run(raising(error)) == 130
    assert "nothing is half written. Start the same command again" in capsys.readouterr().err


def test_an_exit_code_given_to_click_is_kept(run: Callable[..., int]) -> None:
    assert run(lambda _: click.get_current_context().exit(9)) == 9


def test_quiet_leaves_results_and_warnings(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def body(console: Console) -> None:
        console.say("talk")
        console.warn("careful")
        console.show("result")

    assert run(body, "try-out", "--quiet") == 0
    captured = capsys.readouterr()
    assert captured.out == "result\n"
    assert captured.err == "warning: careful\n"


@pytest.mark.parametrize("words", [("--events", "try-out"), ("try-out", "--events")])
def test_events_are_for_programs(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    assert run(raising(errors.BadInputError("No image.")), *words) == 3
    captured = capsys.readouterr()
    assert captured.out == '{"event": "error", "text": "No image."}\n'
    assert captured.err == ""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("exprot", "export"), ("write_back", "write-back"), ("Predict", "predict")],
)
def test_a_misspelt_command_gets_a_suggestion(
    capsys: pytest.CaptureFixture[str], typed: str, meant: str
) -> None:
    assert cli.main([typed]) == 2
    assert f"Did you mean '{meant}'?" in capsys.readouterr().err


def test_a_word_like_no_command_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["xyzzy"]) == 2
    told = capsys.readouterr().err
    assert "There is no command 'xyzzy'." in told
    assert "Did you mean" not in told


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    told = capsys.readouterr().out
    for name, text in cli.COMMANDS.items():
        assert f"  {name}" in told
        assert text in told


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pycyto ")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_reader_that_leaves_is_no_error() -> None:
    script = (
        "import sys, types, click\n"
        "from pycyto.cli import main as cli\n"
        "module = types.ModuleType('pycyto.cli.try_out')\n"
        "@click.command()\n"
        "@click.pass_obj\n"
        "def command(console):\n"
        "    for number in range(1_000_000):\n"
        "        console.show(str(number))\n"
        "module.command = command\n"
        "sys.modules[module.__name__] = module\n"
        "cli.COMMANDS['try-out'] = ''\n"
        "sys.exit(cli.main(['try-out']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr:
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
