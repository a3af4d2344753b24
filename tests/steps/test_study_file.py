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
[[network]]
name = "small"
unfreeze = "none"
[[network]]
name = "resnet50"
unfreeze = 3
[cross_domain]
groups = { both = ["a", "b"] }
"""


def study_file(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_of_it_is_read(tmp_path: Path) -> None:
    study = read_study(study_file(tmp_path, GOOD))
    assert [own.name for own in study.of_role("train")] == ["a"]
    assert [own.mpp for own in study.of_role("test")] == [1]
    assert [own.unfreeze for own in study.network] == ["none", 3]
    assert study.seeds == (0, 1)
    assert study.cross_domain is not None
    assert study.cross_domain.groups == {"both": ("a", "b")}
    assert study.split.shares == [0.6, 0.2, 0.2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds =", "seds =", "There is no key 'seds' in a study.\n.*study.toml\n.*mean 'seeds'"),
        ("role =", "rol =", r"There is no key 'rol' in \[\[source\]\](.|\n)*mean 'role'"),
        ('"small"', '"smal"', r"\[\[network\]\]: name = 'smal'(.|\n)*mean 'small'"),
        ('"herlev"', '"herlef"', r"kind = 'herlef'(.|\n)*mean 'herlev'"),
        ("unfreeze = 3", "epochs = 0", "epochs = 0; at least 1"),
        ("unfreeze = 3", "views = -1", "views = -1; at least 1"),
        ("groups =", "group =", r"'group' in \[cross_domain\](.|\n)*mean 'groups'"),
        ("unfreeze = 3", "unfreeze = 3.5", r"unfreeze = 3.5 is of the wrong kind"),
        ("seeds = [0, 1]", "seeds = [true]", "seeds: True is of the wrong kind|seeds = True"),
        ("mpp = 1", 'mpp = "1"', "mpp = '1' is of the wrong kind"),
        (
            "groups =",
            'colour = ["none", "reinhart"]\ngroups =',
            "colour: 'reinhart'|mean 'reinhard'",
        ),
        ('path = "a"\n', "", r"\[\[source\]\] has no 'path'"),
        ('name = "b"', 'name = "a"', "two sources a"),
        ('name = "b"', 'name = "../b"', "is to name a folder"),
        ('role = "test"', 'role = "train"\n[[source]', "not valid TOML"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "two seeds 0"),
        ("seeds = [0, 1]", "seeds = []", "There is no seed"),
        ("[cross_domain]", '[cross_domain]\nnetwork = "vgg16"', "none of this study"),
        ("[cross_domain]", "[split]\nfractions = [80, 20]\n[cross_domain]", "fractions"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(BadInputError, match=message):
        read_study(study_file(tmp_path, GOOD.replace(old, new, 1)))


def test_a_study_learns_from_something(tmp_path: Path) -> None:
    text = GOOD.replace('path = "a"', 'path = "a"\nrole = "test"')
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
