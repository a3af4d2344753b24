"""``pycyto doctor``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console

_MARKS = {"good": "ok  ", "note": "note", "problem": "!!  "}


@click.command("doctor")
@click.argument("project", type=click.Path(), required=False)
@options.access_options
@click.pass_obj
def command(console: Console, /, project: str | None, **rest: Any) -> None:
    """Check this machine and, if one is given, PROJECT. Nothing is changed.

    Ends with exit code 3 if there is a problem.
    """
    from pycyto.errors import BadInputError
    from pycyto.labels import counted
    from pycyto.steps.doctor import doctor

    findings = doctor(project, access=options.access_from(rest))
    for finding in findings:
        console.show(f"{_MARKS[finding.level]}  {finding.text}")
        if finding.remedy:
            console.show(f"      to do: {finding.remedy}")
    problems = sum(finding.level == "problem" for finding in findings)
    console.show(f"{counted(problems, 'problem')} found." if problems else "No problem found.")
    if problems:
        click.get_current_context().exit(BadInputError.exit_code)
