"""Groovy without QuPath: one jar and any Java run what needs none of QuPath's classes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def groovy_jar() -> Path | None:
    """Return Groovy's jar: from PYCYTO_GROOVY_JAR, else from Maven's local repository."""
    named = os.environ.get("PYCYTO_GROOVY_JAR")
    if named:
        return Path(named)
    kept = Path.home() / ".m2/repository/org/apache/groovy/groovy"
    return max(kept.glob("4.*/groovy-4.*[0-9].jar"), default=None)


def groovy_command() -> list[str]:
    """Return the command that runs a Groovy script; skip the test where there is none."""
    jar = groovy_jar()
    if jar is None or shutil.which("java") is None:
        pytest.skip("needs Java and Groovy's jar: set PYCYTO_GROOVY_JAR")
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", str(jar), "groovy.ui.GroovyMain"]
