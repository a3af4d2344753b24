"""What can be said of the Groovy scripts without QuPath: names, words, form."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from pycyto import manifest, records, settings
from pycyto.labels import SCHEMES
from pycyto.qupath import project, selection
from pycyto.steps import cells
from tests.groovy_jar import groovy_command

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "qupath_scripts").glob("*.groovy"))
SHARED = sorted((ROOT / "qupath_scripts" / "lib").glob("*.gvy"))
TEXT = "\n".join(path.read_text("utf-8") for path in SHARED)


def constant(name: str) -> str:
    found = re.search(rf"static final \w+ {name} = '([^']*)'", TEXT)
    assert found, f"{name} is in none of the shared classes"
    return found[1]


def strings_in(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def block(name: str) -> str:
    found = re.search(rf"static final [\w<>, ]+ {name} = \[\n(.*?)\n    \]", TEXT, re.DOTALL)
    assert found, f"{name} is in none of the shared classes"
    return found[1]


def test_no_syntax_errors_and_no_misspelt_names() -> None:
    own = sorted((ROOT / "tests" / "qupath_scripts").glob("*.groovy"))
    checker = ROOT / "tests" / "qupath_scripts" / "check_names.groovy"
    checked = [*SCRIPTS, *SHARED, *own]
    done = subprocess.run(
        [*groovy_command(), str(checker), *map(str, checked)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stdout + done.stderr


def test_columns_are_those_of_the_manifest() -> None:
    assert tuple(strings_in(block("COLUMNS"))) == manifest.COLUMNS
    assert constant("CONFIDENTIAL") == manifest.CONFIDENTIAL
    assert constant("UNKNOWN") == manifest.UNKNOWN
    assert f"PATCH_SIZE = {manifest.PATCH_SIZE}\n" in TEXT
    assert f"SCHEMA = {manifest.SCHEMA}\n" in TEXT


def test_marks_are_those_of_the_records() -> None:
    assert constant("RUN_MARK") == records.RUN_MARK
    assert constant("UPDATED_MARK") == records.UPDATED_MARK


def test_schemes_and_spellings_are_those_of_python() -> None:
    written = {
        line[1]: strings_in(line[2])
        for line in re.finditer(
            r"^            '([^']+)': \[(.*)\],$", block("SCHEMES"), re.MULTILINE
        )
    }
    names = re.findall(r"^        (\w+): \[$", block("SCHEMES"), re.MULTILINE)
    assert names == list(SCHEMES)
    expected = {
        label.name: list(label.aliases) for scheme in SCHEMES.values() for label in scheme.labels
    }
    assert list(written.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("NOT_ASKED_FOR", selection.NOT_ASKED_FOR),
        ("TILE", selection.TILE),
        ("OURS", selection.OURS),
        ("OUR_CLASS", selection.OUR_CLASS),
        ("TISSUE", selection.TISSUE),
        ("NO_CLASS", selection.NO_CLASS),
        ("COPY", selection.COPY),
        ("SAME_ID", selection.SAME_ID),
        ("OUTSIDE_SCHEME", selection.OUTSIDE_SCHEME),
        ("OTHER_PLANE", cells.OTHER_PLANE),
        ("OUTSIDE", cells.OUTSIDE),
    ],
)
def test_reasons_are_worded_as_in_python(name: str, word: str) -> None:
    assert constant(name) == word


@pytest.mark.parametrize("name", ["NOT_RGB", "ANISOTROPIC", "ALTERED", "OTHER_SERIES"])
def test_obstacles_are_worded_as_in_python(name: str) -> None:
    assert f'return "{constant(name)}"' in Path(project.__file__).read_text("utf-8")


def test_defaults_are_those_of_the_settings() -> None:
    script = (ROOT / "qupath_scripts" / "export_patches.groovy").read_text("utf-8")
    defaults = settings.load_settings()
    keys = dict(re.findall(r"(\w+): '(\w+)'", script.split("metadata_keys: [")[1].split("]")[0]))
    assert keys == {name: getattr(defaults.metadata_keys, name) for name in keys}
    assert keys.keys() == set(defaults.metadata_keys.__slots__)
    assert f"largest_outline: {defaults.largest_outline}," in script
    assert f"scheme: '{defaults.scheme}'," in script


def check_head(text: str) -> None:
    assert text.startswith("/*\n * ")
    assert "Tested on QuPath 0.5.1, 0.6.0 and 0.7.0." in text
    assert text.isascii(), "QuPath on Windows may read a script in the system's own encoding"


@pytest.mark.parametrize("shared", SHARED, ids=lambda path: path.stem)
def test_form_of_a_shared_class(shared: Path) -> None:
    """One class per file, named after it: so the class loader finds it."""
    text = shared.read_text("utf-8")
    check_head(text)
    assert re.findall(r"^class (\w+)", text, re.MULTILINE) == [shared.stem]
    assert text.count("\n") <= 300


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_form_of_a_script(script: Path) -> None:
    text = script.read_text("utf-8")
    check_head(text)
    parts = re.findall(r"^// --- (\w+)", text, re.MULTILINE)
    assert parts[:3] == ["settings", "guard", "action"]
    assert text.count("\n") <= 125
    assert re.search(rf"pycyto\.(run|runOnProject|open)\(this, '{script.stem}', settings[,)]", text)


def test_what_every_script_begins_with_is_the_same() -> None:
    guards = {
        script.read_text("utf-8").split("// --- guard")[1].split("def pycyto")[0]
        for script in SCRIPTS
    }
    assert len(guards) == 1


def test_the_scripts_know_which_version_they_belong_to() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert constant("VERSION") == project["version"] == version("pycyto")


def test_classes_have_the_colours_of_python() -> None:
    schemes = re.findall(
        r"^        (\w+): \[\n(.*?)^        \],$", block("COLOURS"), re.MULTILINE | re.DOTALL
    )
    written = {
        name: [
            (line[1], tuple(map(int, line[2].split(", "))))
            for line in re.finditer(r"^ +'([^']+)': \[(.*)\],$", classes, re.MULTILINE)
        ]
        for name, classes in schemes
    }
    assert written == {
        name: [(label.name, label.colour) for label in scheme.labels]
        for name, scheme in SCHEMES.items()
    }
