"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.qupath_fixtures import (  # noqa: F401 - fixtures of all tests that run QuPath
    hard_images,
    hard_project,
    hard_project_template,
    qupath_installation,
)
from tests.reviewable_project import (  # noqa: F401 - of the tests of reviews
    reviewable,
    reviewable_template,
)

# A slow machine is no failure. In CI the examples are the same every time, so that a red run can
# be repeated.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def _no_qupath_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of QuPath that happens to be open on this machine is not what is tested here."""
    monkeypatch.setattr("pycyto.qupath.running.running", list)
