"""Class names are recognised in the spellings of one diagnosis, and become safe folder names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.labels import (
    BETHESDA,
    SCHEMES,
    UNCLASSIFIED_FOLDER,
    LabelScheme,
    did_you_mean,
    listed,
    scheme_named,
)

RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def is_safe(folder: str) -> bool:
    """Whether every file system takes it as it is."""
    plain = re.fullmatch(r"[A-Za-z0-9_~-]{1,60}", folder)
    return plain is not None and not RESERVED.fullmatch(folder)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("NILM", "NILM"),
        ("ascus", "ASC-US"),
        ("ASC_US", "ASC-US"),
        ("asc us", "ASC-US"),
        ("A.S.C./U-S", "ASC-US"),
        ("lgsil", "LSIL"),
        ("High grade squamous intraepithelial lesion", "HSIL"),
    ],
)
def test_spellings_of_one_diagnosis(text: str, label: str) -> None:
    assert BETHESDA.find(text) == label


@pytest.mark.parametrize(
    "text",
    [None, "", " ", "-", "ASC-H", "AGC", "SCC", "CIN2", "ASC", "HSIL: CIN3", "HSIL?", "LSIL-H"],
)
def test_a_neighbouring_diagnosis_is_no_spelling(text: str | None) -> None:
    assert BETHESDA.find(text) is None


def test_bethesda_is_in_order_of_severity() -> None:
    assert BETHESDA.names == ("NILM", "ASC-US", "LSIL", "HSIL")
    assert [BETHESDA.severity_of(name) for name in BETHESDA.names] == [0, 1, 2, 3]
    assert BETHESDA.colour_of("HSIL") == (211, 47, 47)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_scheme_is_sound(scheme: LabelScheme) -> None:
    for label in scheme.labels:
        assert {scheme.find(text) for text in (label.name, *label.aliases)} == {label.name}
        assert all(0 <= part <= 255 for part in label.colour)
        assert scheme.folder_of(label.name) == label.name
        assert is_safe(label.name)
    assert len({label.colour for label in scheme.labels}) == len(scheme.labels)


@given(st.text())
def test_every_class_has_a_safe_folder(name: str) -> None:
    assert is_safe(BETHESDA.folder_of(name))


@given(st.text(min_size=1))
def test_names_that_differ_a_little_have_folders_of_their_own(name: str) -> None:
    names = {
        name, name.upper(), name.lower(), name.swapcase(), f"{name}.", f" {name}", f"{name} ",
        f"{name}:", f"{name}1", name * 30, f"{name * 30}x", re.sub(r"\W", "", name),
        BETHESDA.folder_of(name),
    } - {""}  # fmt: skip
    folders = {BETHESDA.folder_of(each).casefold() for each in names}
    assert len(folders | {UNCLASSIFIED_FOLDER}) == len(names) + 1


def test_known_collisions_of_other_scripts() -> None:
    names = ["HSIL", "hsil", "HSIL:1", "HSIL1", "HSIL/1", "HSIL*1", "CON", "é", "è", ""]
    assert len({BETHESDA.folder_of(name).casefold() for name in names}) == len(names)


def test_no_class_has_a_folder_that_no_class_can_have() -> None:
    assert BETHESDA.folder_of("") == UNCLASSIFIED_FOLDER == "_unclassified"
    assert BETHESDA.folder_of("_unclassified") != UNCLASSIFIED_FOLDER


def test_a_folder_still_says_which_class_it_is() -> None:
    assert BETHESDA.folder_of("Trichomonas: sp./2").startswith("Trichomonas-sp-2~")


def test_a_scheme_has_a_name() -> None:
    assert scheme_named("bethesda") is BETHESDA
    with pytest.raises(BadInputError, match="'papanicolaou'") as raised:
        scheme_named("papanicolaou")
    assert "bethesda" in str(raised.value)


def test_lists_read_well() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == "none"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("HSLI", " Did you mean 'HSIL'?"),
        ("nucleus_X", " Did you mean 'Nucleus_x'?"),
        ("  low   grade ", " Did you mean 'Low grade'?"),
        ("quite another", ""),
    ],
)
def test_what_was_perhaps_meant(text: str, told: str) -> None:
    assert did_you_mean(text, ["NILM", "HSIL", "Nucleus_x", "Low grade"]) == told
