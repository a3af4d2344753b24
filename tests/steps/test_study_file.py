"""A study file is read strictly: what is wrong is named, with the file, the key and the remedy."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import get_args

import pytest

from pycyto.errors import BadInputError
from pycyto.learning.networks import NETWORKS
from pycyto.steps.cross_domain import cross_domain
from pycyto.steps.study_file import NetworkName, NetworkSettings, Places, read_study
from pycyto.steps.train import train

SAMPLES = Path(__file__).parents[2] / "sample_projects" / "studies"
GOOD = """
seeds = [0, 1]
[[source]]
name = "a"
kind = "herlev"
path = "a"
[[source]]
name = "b"
kind = "folder"
path = "b"
role = "test"
mpp = 1
[[source]]
name = "c"
kind = "cric"
path = "c"
[[network]]
name = "small"
unfreeze = "none"
[[network]]
name = "resnet50"
unfreeze = 3
[cross_domain]
groups = { both = ["a", "c"] }
"""


def study_file(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_of_it_is_read(tmp_path: Path) -> None:
    study = read_study(study_file(tmp_path, GOOD))
    assert [own.name for own in study.of_role("train")] == ["a", "c"]
    assert [own.mpp for own in study.of_role("test")] == [1]
    assert [own.unfreeze for own in study.network] == ["none", 3]
    assert study.seeds == (0, 1)
    assert study.cross_domain is not None
    assert study.cross_domain.groups == {"both": ("a", "c")}
    assert study.split.shares == [0.6, 0.2, 0.2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds =", "seds =", r"no key 'seds' in the study file\. Did you mean 'seeds'\?"),
        ("role =", "rol =", r"no key 'rol' in \[\[source\]\] b\. Did you mean 'role'\?"),
        ('"small"', '"smal"', r'\[\[network\]\] smal: name = "smal"(.|\n)*mean \'small\''),
        ('"herlev"', '"herlef"', r"\[\[source\]\] a: kind = .*Did you mean 'herlev'\?"),
        ("unfreeze = 3", 'unfreeze = "non"', "Did you mean 'none'"),
        ("groups =", "group =", r"'group' in \[cross_domain\]\. Did you mean 'groups'"),
        ("unfreeze = 3", "unfreeze = 3.5", 'unfreeze = 3.5 is not .* a whole number, "none"'),
        ("seeds = [0, 1]", "seeds = [true]", "seeds = true is not possible. .* a whole number"),
        ("seeds = [0, 1]", "seeds = 0", r"seeds = 0 .* can be a list, as in seeds = \[0, 1\]"),
        ("seeds = [0, 1]", "seeds = [-1]", r"seeds = -1 is below 0"),
        ("mpp = 1", 'mpp = "1"', 'mpp = "1" is not possible. It can be a number'),
        ("groups =", 'colour = ["none", "reinhart"]\ngroups =', "mean 'reinhard'"),
        ('path = "a"\n', "", r"\[\[source\]\] a has no 'path'"),
        ('name = "b"', 'name = "a"', r"two of \[\[source\]\] a\. Give each a name"),
        ('name = "b"', 'name = "../b"', "Use letters"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "two of seed 0"),
        ("seeds = [0, 1]", "seeds = []", "There is no seed"),
        ("[cross_domain]", '[cross_domain]\nnetwork = "vgg16"', "none of this study"),
        ("[cross_domain]", "[split]\nfractions = [80, 20]\n[cross_domain]", "fractions"),
        ('["a", "c"]', '["a", "C-"]', r"'both' names 'C-', .* Did you mean 'c'\?"),
        ("groups = { both", "groups = { a", "a group is called 'a' as a row of the matrix"),
        ("groups = { both", "groups = { all", "a group is called 'all'"),
        ('["a", "c"]', "[]", "the group 'both' names no source"),
        ('path = "c"', 'path = "c"\nicc = true', "icc = true for c, and not for the others"),
        ('path = "c"', 'path = " "', r"\[\[source\]\] c: the path is empty"),
        ('name = "b"', 'name = "A"', r"two of \[\[source\]\] A, a\."),
        ('["a", "c"]', '["b"]', r"'both' names 'b', .* Known are: a, c\."),
        ('path = "c"', 'path = "c"\nrole = "test"', "one source to learn from"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = study_file(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(BadInputError, match=message) as raised:
        read_study(path)
    assert raised.value.where == str(path)


def test_all_that_does_not_fit_is_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('name = "c"', 'name = "a"').replace("seeds = [0, 1]", "seeds = [1, 1]")
    text += "[split]\nfolds = 1\n"
    with pytest.raises(BadInputError, match=r"4 things are wrong") as raised:
        read_study(study_file(tmp_path, text))
    for word in ("[[source]] a", "seed 1", "folds = 1", "names 'c'"):
        assert word in str(raised.value)


def test_a_study_learns_from_something(tmp_path: Path) -> None:
    text = GOOD.replace('path = "a"', 'path = "a"\nrole = "test"')
    text = text.replace('path = "c"', 'path = "c"\nrole = "test"')
    with pytest.raises(BadInputError, match="nothing to learn from"):
        read_study(study_file(tmp_path, text))


@pytest.mark.parametrize("name", ["pooled", "paper", "project"])
def test_the_examples_can_be_read(name: str) -> None:
    assert read_study(SAMPLES / f"{name}.toml").source


@pytest.mark.parametrize(
    "told",
    [
        {own.name: own.default for own in fields(NetworkSettings)},
        {own.name: own.default for own in signature(cross_domain).parameters.values()},
    ],
    ids=["study file", "cross-domain"],
)
def test_what_is_left_out_is_the_default_of_a_training(told: dict[str, object]) -> None:
    known = {own.name: own.default for own in signature(train).parameters.values()}
    shared = (told.keys() & known.keys()) - {"data", "out", "colour", "reporter"}
    assert len(shared) >= 10
    assert {name: told[name] for name in shared} == {name: known[name] for name in shared}


def test_every_network_can_be_named() -> None:
    assert set(get_args(NetworkName)) == set(NETWORKS)


def test_paths_are_looked_for_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    (second / "a").mkdir(parents=True)
    first.mkdir()
    places = Places((first, second))
    assert places.find("a") == second / "a"
    (first / "a").mkdir()
    assert places.find("a") == first / "a"
    assert places.find("missing") == first / "missing"
    assert places.find(str(second)) == second
