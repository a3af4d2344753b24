"""Cells of a source with the role test, beside what was trained on."""

from __future__ import annotations

from pycyto.steps.study_sources import unseen
from tests.manifests import a_row

LABELS = ("NILM", "HSIL")
TRAINED = [a_row(entry_id="1", content_hash="aa", slide="s1 + s2", source="set")]


def test_the_same_pixels_and_the_same_cell_are_left_out() -> None:
    twin = a_row(entry_id="2", content_hash="aa", slide="s9", source="set")
    recut = a_row(entry_id="1", content_hash="bb", slide="s9", source="set")
    new = a_row(entry_id="3", content_hash="cc", slide="s8", source="set")
    found = unseen([twin, recut, new], TRAINED, LABELS)
    assert found.same == 2
    assert found.new == [new]
    assert not found.known_groups


def test_cells_of_a_group_that_was_trained_on_are_apart() -> None:
    near = a_row(entry_id="2", content_hash="bb", slide="s2", source="set")
    far = a_row(entry_id="3", content_hash="cc", slide="s3", source="set")
    elsewhere = a_row(entry_id="4", content_hash="dd", slide="s2", source="another set")
    found = unseen([near, far, elsewhere], TRAINED, LABELS)
    assert found.known_groups == [near]
    assert found.new == [far, elsewhere]


def test_a_patient_of_whom_a_cell_was_trained_on_was_trained_on() -> None:
    """Two sources call one patient by two names; a picture that both have tells it."""
    twin = a_row(entry_id="2", content_hash="aa", slide="P1", source="elsewhere")
    beside = a_row(entry_id="3", content_hash="bb", slide="P1", source="elsewhere")
    other = a_row(entry_id="4", content_hash="cc", slide="P2", source="elsewhere")
    found = unseen([twin, beside, other], TRAINED, LABELS)
    assert (found.same, found.known_groups, found.new) == (1, [beside], [other])


def test_unknown_classes_and_unclassified_cells_are_not_scored() -> None:
    other = a_row(entry_id="2", content_hash="bb", label="LSIL", slide="s3")
    nothing = a_row(entry_id="3", content_hash="cc", label="", slide="s3")
    found = unseen([other, nothing], TRAINED, LABELS)
    assert (found.new, found.known_groups, found.other) == ([], [], {"LSIL": 1})
