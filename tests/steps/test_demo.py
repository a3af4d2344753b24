from __future__ import annotations

from pathlib import Path

import pytest

from pycyto.errors import RefusedError
from pycyto.steps.demo import demo


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_someone_elses_is_refused(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(RefusedError, match="not empty"):
        demo(tmp_path, overwrite=overwrite)

    assert (tmp_path / "thesis.txt").read_text() == "years of work"
