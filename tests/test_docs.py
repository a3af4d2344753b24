"""What the documentation says is there, is there."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import pycyto
from pycyto import errors
from pycyto.cli.main import COMMANDS
from pycyto.learning.networks import NETWORKS
from pycyto.manifest import COLUMNS
from pycyto.qupath.run_tables import NEW_COLUMNS, UPDATE_COLUMNS
from pycyto.qupath.similar_table import SIMILAR_COLUMNS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_shows_every_command(command: str) -> None:
    shown = f"run.py {command}" if command == "demo" else f"pycyto {command}"
    assert shown in README


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"demo", "scripts"}))
def test_every_command_is_a_function_of_that_name(command: str) -> None:
    name = command.replace("-", "_")
    assert name in pycyto.__all__
    function = getattr(pycyto, name)
    assert function.__name__ == name
    assert function.__module__ == f"pycyto.steps.{name}"
    options = {
        parameter.name
        for parameter in import_module(f"pycyto.cli.{name}").command.params
        if parameter.expose_value
    }
    from_python = set(inspect.signature(function).parameters) - {"reporter", "access"}
    assert from_python <= options


def test_the_readme_names_every_exit_code() -> None:
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if inspect.isclass(error) and issubclass(error, errors.PycytoError)
    }
    (sentence,) = re.findall(r"Exit codes: (.*)", README)
    assert codes | {0, 130} == set(map(int, re.findall(r"\b(\d+) [a-z]", sentence)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_page_on_formats_has_the_columns_of_the_tables() -> None:
    text = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for columns in (NEW_COLUMNS, UPDATE_COLUMNS, SIMILAR_COLUMNS):
        assert ",".join(columns) in text


def test_every_column_of_the_manifest_is_explained() -> None:
    text = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for column in COLUMNS:
        assert f"`{column}`" in text, column


def test_every_hazard_has_a_row_and_its_test() -> None:
    page = (ROOT / "docs" / "hazards.md").read_text("utf-8")
    assert "".join(re.findall(r"^\| ([a-z]) \|", page, re.MULTILINE)) == "abcdefghijklmnopq"
    tests = (ROOT / "tests" / "real_qupath" / "test_hazards.py").read_text("utf-8")
    assert set(re.findall(r"`(test_\w+)`", page)) <= set(re.findall(r"def (test_\w+)", tests))


def test_the_page_on_training_has_the_published_weights() -> None:
    text = (ROOT / "docs" / "training.md").read_text("utf-8")
    for network in NETWORKS.values():
        if network.published:
            assert f"`{network.published.file}` | " in text
            assert network.published.md5 in text
