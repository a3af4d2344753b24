"""QuPath-integrated toolkit for cervical cytology. Research use only.

Every step of the command line is a function here, with the same name and
arguments; see the docstring of each. Importing this module imports none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pycyto.steps.agreement import agreement as agreement
    from pycyto.steps.assign import assign as assign
    from pycyto.steps.audit import audit as audit
    from pycyto.steps.colour import colour as colour
    from pycyto.steps.context import Access as Access
    from pycyto.steps.cross_domain import cross_domain as cross_domain
    from pycyto.steps.doctor import doctor as doctor
    from pycyto.steps.evaluate import evaluate as evaluate
    from pycyto.steps.export import export as export
    from pycyto.steps.ingest import ingest as ingest
    from pycyto.steps.merge import merge as merge
    from pycyto.steps.predict import predict as predict
    from pycyto.steps.runs import runs as runs
    from pycyto.steps.split import split as split
    from pycyto.steps.study import study as study
    from pycyto.steps.train import train as train
    from pycyto.steps.undo import undo as undo
    from pycyto.steps.write_back import write_back as write_back

__all__ = [
    "Access",
    "agreement",
    "assign",
    "audit",
    "colour",
    "cross_domain",
    "doctor",
    "evaluate",
    "export",
    "ingest",
    "merge",
    "predict",
    "runs",
    "split",
    "study",
    "train",
    "undo",
    "write_back",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pycyto' has no attribute {name!r}")
    module = "context" if name == "Access" else name
    return getattr(importlib.import_module(f"pycyto.steps.{module}"), name)
