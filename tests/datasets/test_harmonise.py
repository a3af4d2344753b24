"""Tables of classes: the shipped ones say why, and no table maps one class two ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycyto.datasets.harmonise import LEFT_OUT, of_scheme, own, shipped, with_alternatives
from pycyto.datasets.sources import cric, herlev, sipakmed
from pycyto.errors import BadInputError, UsageError
from pycyto.labels import BETHESDA, PS3C

TABLES = ("herlev", "sipakmed", "cric", "ps3c")

DEFAULTS = {
    "herlev": {
        "normal_superficiel": "NILM", "normal_intermediate": "NILM", "normal_columnar": "NILM",
        "light_dysplastic": "LSIL", "moderate_dysplastic": "HSIL", "severe_dysplastic": "HSIL",
        "carcinoma_in_situ": "HSIL",
    },
    "sipakmed": {
        "Superficial-Intermediate": "NILM", "Parabasal": "NILM", "Metaplastic": "NILM",
        "Koilocytotic": "LSIL", "Dyskeratotic": "HSIL",
    },
    "cric": {
        "Negative for intraepithelial lesion": "NILM", "ASC-US": "ASC-US", "LSIL": "LSIL",
        "ASC-H": None, "HSIL": "HSIL", "SCC": None,
    },
    "ps3c": {name: name for name in PS3C.names},
}  # fmt: skip

GOOD = """
source = "lab"
version = 3
scheme = "bethesda"

[[class]]
original = "benign"
label = "NILM"
reason = "the lab's word for it"

[[class]]
original = "CIN 2"
label = "HSIL"
reason = "Bethesda"
contested = true
alternatives = ["LSIL", "none"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "table.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", TABLES)
def test_a_shipped_table_says_why_and_who_says_so(name: str) -> None:
    table = shipped(name)
    assert table.source == name
    assert len(table.sha256) == 64
    for row in table.classes.values():
        assert row.reason
        assert row.reference
        assert row.contested == bool(row.alternatives)


@pytest.mark.parametrize("name", TABLES)
def test_defaults(name: str) -> None:
    found = {row.original: row.label for row in shipped(name).classes.values()}
    assert found == DEFAULTS[name]


def test_every_class_of_a_layout_has_a_row() -> None:
    for module in (herlev, sipakmed):
        table = shipped(module.__name__.rpartition(".")[2])
        assert all(table.find(name) for name in module.CLASSES)
    assert shipped("cric").scheme is cric.Cric.scheme is BETHESDA


def test_contested_classes_can_be_chosen_otherwise() -> None:
    table = with_alternatives(shipped("cric"), ["asc-h=HSIL"])
    assert table.find("ASC-H").label == "HSIL"  # type: ignore[union-attr]
    assert table.find("SCC").label is None  # type: ignore[union-attr]
    assert table.to_json()["alternatives"] == {"ASC-H": "HSIL"}
    left_out = with_alternatives(shipped("herlev"), [f"moderate_dysplastic={LEFT_OUT}"])
    assert left_out.find("moderate_dysplastic").label is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("ASC-X=HSIL", "Did you mean 'ASC-H'?"),
        ("ASC-H", "names no class"),
        ("ASC-H=LSIL", "does not offer this"),
        ("HSIL=NILM", "does not offer this"),
    ],
)
def test_other_choices_are_refused(word: str, told: str) -> None:
    with pytest.raises(UsageError, match="ASC-H=HSIL") as caught:
        with_alternatives(shipped("cric"), [word])
    assert told in str(caught.value)


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    table = own(written(tmp_path, GOOD), "lab", BETHESDA)
    assert (table.version, table.find("BENIGN").label) == (3, "NILM")  # type: ignore[union-attr]
    assert table.find("other") is None
    assert table.near("Bening") == " Did you mean 'benign'?"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"CIN 2"', '"Benign"', "stands in the table twice: as NILM and HSIL"),
        ('"CIN 2"', '"benign"', "stands in the table twice"),
        (
            'reason = "Bethesda"',
            'raeson = "Bethesda"',
            "The class 'CIN 2' has an unknown key 'raeson'. Did you mean 'reason'?",
        ),
        (
            'original = "CIN 2"',
            'orignal = "CIN 2"',
            "Class number 2 of the table (orignal = 'CIN 2', label = 'HSIL', ",
        ),
        (
            'original = "CIN 2"',
            'orignal = "CIN 2"',
            ") has no 'original'. It has an unknown key 'orignal'. Did you mean 'original'?",
        ),
        ('reason = "Bethesda"', "", "has no reason"),
        ('label = "HSIL"', 'label = "HSLI"', "Did you mean 'HSIL'?"),
        ('["LSIL", "none"]', '["low"]', "no 'low' in bethesda"),
        ('label = "NILM"', "label = 3", "wrong kind"),
        ('label = "NILM"', 'label = ["NILM", "HSIL"]', "wrong kind"),
        ('label = "NILM"', 'label = "none"', "no 'none' in bethesda"),
        ("contested = true", 'contested = "yes"', "true or false"),
        ('original = "benign"', "", "no 'original'"),
        ("version = 3", 'version = "three"', "no 'version'"),
        ('scheme = "bethesda"', 'scheme = "cin"', "no label scheme 'cin'"),
        ('scheme = "bethesda"', 'scheme = "bethseda"', "Did you mean 'bethesda'?"),
        ('scheme = "bethesda"', 'scheme = "ps3c"', "'NILM' in ps3c"),
        ('source = "lab"', 'source = "herlev"', "for 'herlev', not for 'lab'"),
        ("version = 3", "version = 3\ncolour = 1", "unknown key 'colour'"),
        ("[[class]]", "[[clas]]", "Did you mean 'class'?"),
        ('source = "lab"', 'source = "lab', "not valid TOML"),
    ],
)
def test_a_table_that_is_wrong_is_refused_and_says_where(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in GOOD
    with pytest.raises(BadInputError) as caught:
        own(written(tmp_path, GOOD.replace(old, new)), "lab", BETHESDA)
    assert told in str(caught.value)


def test_without_a_table_the_spellings_of_the_scheme_hold() -> None:
    table = of_scheme("lab", BETHESDA)
    assert table.find("asc_us").label == "ASC-US"  # type: ignore[union-attr]
    assert table.find("ASC-H") is None
    assert table.near("HSLI") == " Did you mean 'HSIL'?"


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such table") as caught:
        own(tmp_path / "table.toml", "lab")
    assert caught.value.where == str(tmp_path / "table.toml")


def test_all_classes_that_are_wrong_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('label = "NILM"', 'label = "NLIM"').replace('reason = "Bethesda"', "")
    text += '[[class]]\noriginal = "benign"\n'
    with pytest.raises(BadInputError) as caught:
        own(written(tmp_path, text), "lab", BETHESDA)
    message = str(caught.value)
    assert "3 problems in this table of classes" in message
    assert "Did you mean 'NILM'?" in message
    assert message.count("has no reason") == 2


def test_an_unknown_key_is_told_of_each_class(tmp_path: Path) -> None:
    text = GOOD.replace("reason =", "because =")
    with pytest.raises(BadInputError) as caught:
        own(written(tmp_path, text), "lab", BETHESDA)
    assert "The class 'benign' has an unknown key 'because'" in str(caught.value)
    assert "The class 'CIN 2' has an unknown key 'because'" in str(caught.value)


def test_a_label_of_the_scheme_is_not_taken_for_a_misspelt_class(tmp_path: Path) -> None:
    text = GOOD.replace('"CIN 2"', '"LSIL"')
    table = own(written(tmp_path, text), "lab", BETHESDA)
    told = " It is a class of bethesda, and the table has no line for it."
    assert table.near("HSIL") == table.near("hsil") == told
    assert table.near("LSLI") == " Did you mean 'LSIL'?"


def test_a_table_of_another_source_says_how_to_call_a_folder(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    with pytest.raises(BadInputError, match=r'source = "slides".*--name lab'):
        own(path, "slides")
    with pytest.raises(BadInputError) as caught:
        own(path, "herlev", BETHESDA)
    assert "--name" not in str(caught.value)
