"""What is heard of a study: warnings once, no talk of its steps, times as people say them."""

from __future__ import annotations

import pytest

from pycyto.learning.training import ONLY_THE_HEAD
from pycyto.steps.study_log import Inside, Once, duration
from tests.steps.test_train import Listener


def test_each_warning_is_given_once() -> None:
    listener = Listener()
    reporter = Once(listener)
    for _ in range(2):
        for text in ("There is no HSIL in test.", "There is no LSIL in test.", ONLY_THE_HEAD):
            reporter.warn(text)
        reporter.say("again")
    assert listener.warned == ["There is no HSIL in test.", "There is no LSIL in test."]
    assert listener.said == ["again", "again"]


def test_the_same_warning_about_two_sources_is_given_twice() -> None:
    listener = Listener()
    reporter = Once(listener)
    for name in ("one", "two"):
        inside = Inside(reporter, name)
        inside.say("620 given")
        inside.warn("2 pairs have two classes.")
    assert listener.warned == [
        "one: 2 pairs have two classes.",
        "two: 2 pairs have two classes.",
    ]
    assert listener.said == []


def test_a_warning_that_names_others_below_is_the_same() -> None:
    """The same pair is found by each training, and named in another order."""
    listener = Listener()
    for named in ("a = b", "b = a"):
        Once(listener).warn(f"Nearly the same: 1 pair.\n  which: {named}")
    assert len(listener.warned) == 2
    reporter = Once(listener)
    for named in ("a = b", "b = a"):
        reporter.warn(f"Nearly the same: 1 pair.\n  which: {named}")
    assert len(listener.warned) == 3


def test_progress_inside_is_shown() -> None:
    listener = Listener()
    with Inside(Once(listener)).progress("training", 3) as advance:
        advance(3)
    assert (listener.totals, listener.advanced) == ([3], 3)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (552, "9 min 12 s"), (3900, "1 h 5 min")],
)
def test_a_time_is_told_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said
