"""Starts the tests of the folder ``real_qupath`` once per installation, each in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.qupath_installations import parameters

HERE = Path(__file__).parent


@pytest.mark.qupath
@pytest.mark.parametrize("folder", parameters())
def test_in_real_qupath(folder: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYCYTO_QUPATH_IN_THIS_PROCESS": str(folder),
        "PAQUO_JAVA_OPTS": f"-Xmx2g -Duser.home={tmp_path} -Djava.util.prefs.userRoot={tmp_path}",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "real_qupath"]
    done = subprocess.run(
        command,
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
