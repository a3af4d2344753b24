"""What must stay true of the package as a whole, whoever changes it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from pycyto.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("numpy", "tensorflow", "keras", "jpype", "paquo", "sklearn", "matplotlib", "rich")


def test_imports_point_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers of pyproject.toml hold, for lazy imports too."""
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    script = (
        "import json, sys\n"
        "from pycyto.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "print(json.dumps([code, sorted({name.split('.')[0] for name in sys.modules})]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    *_, last = done.stdout.splitlines()
    code, imported = json.loads(last)
    assert code == 0, done.stderr
    assert set(HEAVY).isdisjoint(imported)


def test_the_table_of_commands_and_the_folder_agree() -> None:
    modules = {name.replace("-", "_") for name in COMMANDS}
    found = {path.stem for path in (ROOT / "pycyto" / "cli").glob("*.py")}
    assert found - modules == {"__init__", "main", "console", "options"}
    assert modules - found == set()


@pytest.mark.parametrize("name", ["constraints.txt", ".ci/run"])
def test_no_host_is_named(name: str) -> None:
    """Where packages come from is for the machine to say, not for the repository."""
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")


def test_constraints_name_packages_versions_and_markers_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        requirement, _, _ = line.partition(" ; ")
        name, equals, version = requirement.partition("==")
        assert equals, line
        assert name.replace("-", "").isalnum(), line
        assert version.replace(".", "").isalnum(), line


def test_every_dependency_is_constrained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {_name(line) for line in chain(project["dependencies"], *extras.values())}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert wanted - {_name(line) for line in lines} == {"pycyto"}


def _name(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_")), None)
    return requirement[:end]
