"""``pycyto doctor``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console

_MARKS = {"good": "ok  ", "note": "note", "problem": "!!  "}


@click.command("doctor")
@click.argument("project", type=click.Path(), required=False)
@click.option(
    "--fix",
    is_flag=True,
    help="Write into PROJECT where its images are, if that is certain, and keep the former files.",
)
@options.yes_option
@options.access_options
@click.pass_obj
def command(console: Console, /, project: str | None, *, fix: bool, yes: bool, **rest: Any) -> None:
    """Check this machine and, if one is given, PROJECT. Without --fix nothing is changed.

    Ends with exit code 3 if there is a problem.
    """
    from pycyto.errors import BadInputError, PartlyDoneError
    from pycyto.labels import counted
    from pycyto.steps.doctor import doctor

    access, unmended = options.access_from(rest), None
    try:
        findings = doctor(project, fix=fix, yes=yes, access=access, reporter=console)
    except PartlyDoneError as error:
        unmended = error
        findings = doctor(project, access=access)
    for finding in findings:
        console.show(f"{_MARKS[finding.level]}  {finding.text}")
        if finding.remedy:
            console.show(f"      to do: {finding.remedy}")
    problems = sum(finding.level == "problem" for finding in findings)
    console.show(f"{counted(problems, 'problem')} found." if problems else "No problem found.")
    if unmended:
        raise unmended
    if problems:
        click.get_current_context().exit(BadInputError.exit_code)
