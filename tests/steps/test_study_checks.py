"""What of a study cannot be made is told before anything is computed, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycyto.errors import BadInputError, MissingDependencyError, RefusedError, UsageError
from pycyto.steps.study_checks import demand
from pycyto.steps.study_file import Places, read_study
from tests.steps.study_sets import STUDY


def check(folder: Path, *changes: tuple[str, str]) -> None:
    """Check the study of two sets, changed, with folders for them that are empty."""
    text = STUDY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    for name in ("one", "two", "new"):
        (folder / "sets" / name).mkdir(parents=True, exist_ok=True)
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    demand(read_study(file), file, Places((folder / "sets", folder)), folder / "out")


def test_a_study_of_what_is_there_can_begin(tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('path = "two"', 'path = "tow"', r"two: path = 'tow' is not there\. Did you mean 'two'\?"),
        ('path = "two"', 'path = "two"\ntable = "t.toml"', "two: table = 't.toml' is not there"),
        ('path = "two"', 'path = "one"', r"sources one, two are one folder \(.*one\)"),
        ('path = "new"', 'path = "../sets/two"', "sources two, new are one folder"),
        ('path = "two"', 'path = "two"\ngroup_regex = "("', "two: .*no regular expression"),
        ('path = "two"', 'path = "two"\nalternative = ["X=HSIL"]', "two: .*names no class"),
        (
            'kind = "folder"\npath = "two"', 'kind = "herlev"\nmpp = 0.2\npath = "two"',
            r"two: mpp is for 'cric' and 'folder'",
        ),
        (
            'kind = "folder"\npath = "two"', 'kind = "project"\ngroup_regex = "x"\npath = "two"',
            "two: group_regex means nothing to a project",
        ),
        ("epochs = 1", "epochs = 0", "small: epochs is 0; it must be at least 1"),
        ("epochs = 1", "views = 2", r"small: views is about .* Leave views out, or name weights"),
        ("epochs = 1", "label_smoothing = 0.6", r"small: label_smoothing is 0\.6"),
        (
            'name = "vgg16"', 'name = "mobilenetv2-linear"\nepochs = 6',
            "mobilenetv2-linear: epochs 6 means nothing .* Leave epochs out",
        ),
        ("[cross", '[colour]\nreference = "one"\n[cross', "reference = 'one' is not there"),
        ("[cross", '[colour]\nreference = "g.png"\n[cross', "a reference is of no use"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as raised:
        check(tmp_path, (old, new))
    assert raised.value.where == str(tmp_path / "study.toml")


def test_all_of_it_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as raised:
        check(
            tmp_path,
            ('path = "one"', 'path = "xyz"'),
            ('path = "two"', 'path = "away"\ntable = "gone.toml"'),
            ("epochs = 1", "views = 2"),
        )
    told = raised.value.what.splitlines()
    assert told[0] == "In this study file 4 things are wrong:"
    assert told[1].endswith("[[source]] one: path = 'xyz' is not there.")
    assert told[2].endswith("[[source]] two: path = 'away' is not there.")
    assert told[3].endswith("[[source]] two: table = 'gone.toml' is not there.")
    assert "[[network]] small: views" in told[4]
    # Where they were looked for, in the order in which they were.
    assert f"{tmp_path / 'sets'}, then {tmp_path}." in str(raised.value.remedy)


def test_a_source_that_was_taken_in_before_may_be_gone(tmp_path: Path) -> None:
    (tmp_path / "out" / "sources" / "two" / "data").mkdir(parents=True)
    check(tmp_path, ('path = "two"', 'path = "gone"'))


def test_a_folder_of_something_else_is_no_place_for_a_study(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".DS_Store").touch()
    check(tmp_path)
    (out / "notes.txt").touch()
    with pytest.raises(RefusedError, match=r"not empty: notes\.txt") as raised:
        check(tmp_path)
    assert raised.value.where == str(out)
    # Notes in the folder of a study are nobody's loss.
    (out / "sources" / "one").mkdir(parents=True)
    (out / "sources" / "one" / "stage.json").touch()
    check(tmp_path)


def test_a_study_goes_neither_into_a_source_nor_into_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="inside the source two"):
        check(tmp_path, ('path = "two"', 'path = "../out"'))
    check(tmp_path)
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="a file"):
        check(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('path = "two"', 'path = "file.csv"'), "two: .*file.csv is a file"),
        (
            ('kind = "folder"\npath = "two"', 'kind = "project"\npath = "two"'),
            "two: there is no project.qpproj in .*two",
        ),
        (
            ('kind = "folder"\npath = "two"', 'kind = "project"\npath = "project.qpproj"'),
            "two: .*project.qpproj is a file; the folder that holds it is wanted",
        ),
        (('name = "small"', 'name = "small"\nweights = "w.h5"'), "small: .* starts from nothing"),
        (
            ('kind = "folder"\npath = "two"', 'kind = "dataset"\npath = "two"'),
            "two: there is no manifest.csv in .*two",
        ),
        (
            ('name = "small"', 'name = "vgg16"\nweights = "file.csv"'),
            r"vgg16: file.csv is no Keras file of weights",
        ),
    ],
)
def test_what_is_there_is_of_the_kind_that_is_wanted(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    (tmp_path / "sets").mkdir()
    for name in ("file.csv", "project.qpproj", "w.h5"):
        (tmp_path / "sets" / name).touch()
    last = ('[[network]]\nname = "vgg16"\nweights = "nowhere.weights.h5"\n', "")
    with pytest.raises(BadInputError, match=message):
        check(tmp_path, last, change)


def test_a_study_needs_a_network_that_can_be_trained(tmp_path: Path) -> None:
    nowhere = ('name = "small"', 'name = "resnet50"\nweights = "none.weights.h5"')
    with pytest.raises(MissingDependencyError, match=r"resnet50: .*\n.*vgg16: "):
        check(tmp_path, nowhere)
    # Beside other things that are wrong it is one of them.
    with pytest.raises(BadInputError, match=r"3 things(.|\n)*resnet50: .*\n.*vgg16: "):
        check(tmp_path, nowhere, ('path = "two"', 'path = "gone"'))
