"""Which version a fact belongs to; whether it is true is for `tests/real_qupath` to say."""

from __future__ import annotations

import pytest

from pycyto.qupath.versions import facts_of, is_supported


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ("0.5.1", True),
        ("0.6.0-rc4", True),
        ("0.7.0-SNAPSHOT", True),
        ("0.10.0", True),
        ("1.0.0", True),
        ("0.5.0", False),
        ("0.4.4", False),
    ],
)
def test_the_oldest_that_is_supported(version: str, supported: bool) -> None:
    assert is_supported(version) is supported


@pytest.mark.parametrize(
    ("version", "java"),
    [
        ("0.5.1", 17),
        ("0.6.0-rc4", 21),
        ("0.6.3", 21),
        ("0.7.0-SNAPSHOT", 25),
        ("0.10.0", 25),
        ("1.0.0", 25),
    ],
)
def test_a_version_has_the_facts_of_the_last_that_is_known(version: str, java: int) -> None:
    assert facts_of(version).java == java


@pytest.mark.parametrize(
    ("version", "wanted"), [("0.5.1", False), ("0.6.0", False), ("0.7.0", True)]
)
def test_java_24_wants_to_be_told_of_native_code(version: str, wanted: bool) -> None:
    assert facts_of(version).wants_native_access is wanted
