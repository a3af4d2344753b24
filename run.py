"""Set pycyto up and start it, in one line, on a machine that has only Python.

    python3 run.py demo [...]       the whole flow on the sample project
    python3 run.py test [...]       the tests; what follows goes to pytest
    python3 run.py lint             formatting, lint and types
    python3 run.py check [...]      lint, then test
    python3 run.py WORD [...]       any other word: the same as `pycyto WORD ...`

On Windows, write `py` for `python3`.

The first call makes a private environment beside this file, in .venv-pycyto, and installs into
it what constraints.txt names; PYCYTO_VENV names another folder. Nothing else on the machine is
changed, and deleting that folder undoes it. A set-up that was interrupted is made again.

Only the standard library is used here, and only what Python 3.6 can read: a Python that is too
old has to get as far as being told so.
"""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
NEWEST = (3, 13)

# TensorFlow is not built for these (system, machine).
UNSUPPORTED_MACHINES = {
    ("Darwin", "x86_64"): "an Intel Mac, or an Intel Python on an Apple one",
    ("Windows", "ARM64"): "an ARM Python on Windows",
}

# The first file of an environment and the last: a folder without the first is not ours to empty,
# and one without the last was not finished.
MARKER = "made-by-pycyto-run.txt"
STAMP = "pycyto-set-up.json"

RUN_WORDS = ("test", "lint", "check")

# What would make pip install somewhere else, or Python import from somewhere else.
FOREIGN_VARIABLES = (
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PYTHONHOME",
    "PYTHONPATH",
)


class SetUpError(Exception):
    """Setting up cannot go on; the message says why and what to do."""


def main(arguments: "list[str]") -> int:
    """Set up what the first word needs, and do what it says."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print((__doc__ or "").strip())
        return 0 if arguments else 2
    word, rest = arguments[0], arguments[1:]
    try:
        check_python(sys.version_info[:2], is_64_bit=sys.maxsize > 2**32)
        check_machine(platform.system(), platform.machine())
        python = set_up(ROOT, environment_folder(), {"dev"} if word in RUN_WORDS else set())
    except (SetUpError, OSError) as error:
        print("error: {}".format(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The next call sets up again.", file=sys.stderr)
        return 130
    return run_all(commands(word, rest, python))


# --- what the words do -----------------------------------------------------------------------


def commands(word: str, rest: "list[str]", python: Path) -> "list[tuple[list[str], Path]]":
    """Return the command lines that a word stands for, each with its working folder."""
    module = [str(python), "-m"]
    lint = [
        ([*module, "ruff", "check"], ROOT),
        ([*module, "ruff", "format", "--check"], ROOT),
        ([*module, "mypy"], ROOT),
    ]
    test = [([*module, "pytest", *rest], ROOT)]
    if word in RUN_WORDS:
        return {"lint": lint, "test": test, "check": lint + test}[word]
    # The user's folder stays the working folder, so that relative paths mean what they say; -P
    # keeps files in it from being imported in place of libraries.
    return [([str(python), "-P", "-m", "pycyto", word, *rest], Path.cwd())]


def run_all(lines: "list[tuple[list[str], Path]]") -> int:
    """Run command lines one after another and stop at the first that fails."""
    for line, folder in lines:
        code = run_one(line, folder)
        if code:
            return code
    return 0


def run_one(line: "list[str]", folder: Path) -> int:
    """Run a command line and return its exit code, as a shell would report it."""
    process = subprocess.Popen(line, cwd=str(folder), env=clean_environ())
    # Ctrl-C reaches the child as well; it decides how to end, and this process waits for it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 or os.name == "nt" else 128 - code


def clean_environ() -> "dict[str, str]":
    """Return the environment variables without those that would break the isolation."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}


# --- the Python that runs this ---------------------------------------------------------------


def check_python(version: "tuple[int, ...]", *, is_64_bit: bool) -> None:
    """Refuse a Python that pycyto, or TensorFlow, does not run on."""
    if OLDEST <= version <= NEWEST and is_64_bit:
        return
    what = "pycyto needs a 64-bit Python {}.{} to {}.{}, and this is a {}-bit Python {}.{}.".format(
        *OLDEST, *NEWEST, 64 if is_64_bit else 32, *version
    )
    where = "  where: {}".format(sys.executable)
    raise SetUpError("\n".join([what, where, "  to do: " + other_python()]))


def other_python() -> str:
    """Say how to start with a Python that fits, one that is on this machine if there is any."""
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        name = "python3.{}".format(minor)
        if works(name):
            return "start with that one: {} run.py ...".format(name)
    return "install a 64-bit Python {}.{} beside it and start run.py with that.".format(*NEWEST)


def works(command: str) -> bool:
    """Return whether a Python starts; what a version manager puts on the PATH may not."""
    if shutil.which(command) is None:
        return False
    quiet = subprocess.DEVNULL
    return subprocess.call([command, "-c", ""], stdout=quiet, stderr=quiet) == 0


def check_machine(system: str, machine: str) -> None:
    """Refuse a machine that TensorFlow has no build for, before downloading the rest."""
    name = UNSUPPORTED_MACHINES.get((system, machine))
    if name is not None:
        raise SetUpError(
            "This is {}, for which there is no TensorFlow.\n  to do: use Linux, an x64 Python "
            "on Windows, or an arm64 Python on an Apple Silicon Mac.".format(name)
        )


# --- the private environment -----------------------------------------------------------------


def environment_folder() -> Path:
    """Return the folder of the private environment."""
    named = os.environ.get("PYCYTO_VENV")
    return Path(named).expanduser().absolute() if named else ROOT / ".venv-pycyto"


def python_in(folder: Path, system: str = os.name) -> Path:
    """Return the path of Python in a virtual environment; `system` is "nt" on Windows."""
    return folder / "Scripts" / "python.exe" if system == "nt" else folder / "bin" / "python"


def set_up(root: Path, folder: Path, extras: "set[str]") -> Path:
    """Make the environment, or what is missing or out of date in it, and return its Python."""
    python = python_in(folder)
    stamp = read_stamp(folder)
    # Extras once installed stay, so that `demo` after `test` has nothing to do.
    wanted = describe(root, extras | set(stamp.get("extras", [])))
    if stamp == wanted and python.exists():
        return python
    print("Setting up pycyto in {}".format(folder), flush=True)
    if stamp.get("made for") != wanted["made for"] or not python.exists():
        make_environment(folder)
    else:
        # From here to the new stamp the environment counts as unfinished.
        (folder / STAMP).unlink()
    install(root, folder, wanted["extras"])
    (folder / STAMP).write_text(json.dumps(wanted, indent=1), encoding="utf-8")
    print("Set up. The next start is immediate.", flush=True)
    return python


def describe(root: Path, extras: "set[str]") -> "dict[str, list[str]]":
    """Return all that decides what an environment must contain."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((root / name).read_bytes())
    return {
        "made for": [sys.version, str(root)],
        "requirements": [digest.hexdigest()],
        "extras": sorted(extras),
    }


def read_stamp(folder: Path) -> "dict[str, list[str]]":
    """Return what the last finished set-up was made for, empty if there is none."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def make_environment(folder: Path) -> None:
    """Make an empty environment in a folder that is new, empty, or was made here before."""
    refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("run.py made this folder and may empty it.\n", encoding="utf-8")
    empty(folder)
    if not (has_module("pip") or has_module("ensurepip")):
        raise SetUpError(
            "This Python has neither pip nor ensurepip, so nothing can be installed.\n"
            "  where: {}\n  to do: on Debian and Ubuntu, `sudo apt install python3-venv`; "
            "elsewhere, reinstall Python with pip.".format(sys.executable)
        )
    # Debian's Python has no ensurepip unless python3-venv is installed, but usually has pip, which
    # can install into another environment.
    venv.create(str(folder), symlinks=os.name != "nt", with_pip=not has_module("pip"))


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder with anything in it that was not made here."""
    if not folder.exists() or (folder / MARKER).exists():
        return
    if folder.is_dir() and not any(folder.iterdir()):
        return
    raise SetUpError(
        "This is not an environment that run.py made, so it is left as it is.\n"
        "  where: {}\n  to do: move it away, or name another folder in PYCYTO_VENV.".format(folder)
    )


def empty(folder: Path) -> None:
    """Remove what is in an environment, keeping the marker that says that it may be."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path.name != MARKER:
            path.unlink()


def install(root: Path, folder: Path, extras: "list[str]") -> None:
    """Install pycyto as it lies in `root`, with the versions that constraints.txt names."""
    python = str(python_in(folder))
    pip = [sys.executable, "-m", "pip", "--python", python]
    if not has_module("pip"):
        pip = [python, "-m", "pip"]
    options = ["--disable-pip-version-check", "--no-input", "-c", str(root / "constraints.txt")]
    target = str(root) + ("[{}]".format(",".join(extras)) if extras else "")
    print("Installing libraries: about 600 MB to download, some minutes.", flush=True)
    if run_one([*pip, "install", *options, "-e", target], root) != 0:
        raise SetUpError("pip could not install the libraries: see above.\n" + install_remedy())


def install_remedy(system: str = os.name) -> str:
    """Say what to do when pip failed."""
    remedy = "  to do: see that the network (or proxy) and the disk are well, and start again."
    if system == "nt":
        remedy += (
            "\n  If a path was too long for Windows, name a short folder first:"
            " set PYCYTO_VENV=C:\\pycyto-venv"
        )
    return remedy


def has_module(name: str) -> bool:
    """Return whether the Python that runs this has a module."""
    return importlib.util.find_spec(name) is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
